"""The versions and the machine that a study ran on, for its report."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

__all__ = ["changed_versions", "environment"]

PACKAGES = ("fewest", "keras", "tensorflow", "optuna", "numpy")


def environment() -> dict[str, str]:
    """Return versions and machine, each by its name in the report."""
    return {
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "System": f"{platform.system()} {platform.machine()}",
        "Processor": _processor(),
        "Processor cores": str(os.cpu_count()),
    }


def changed_versions(recorded: object) -> dict[str, tuple[str, str]]:
    """Compare present versions with recorded ones; return (recorded, present) by package where they differ.

    >>> changed_versions({"optuna": "1.0", "Python": "2.7"})["optuna"][0], changed_versions(None)
    ('1.0', {})
    """
    before = recorded if isinstance(recorded, dict) else {}
    now = {package: version(package) for package in PACKAGES if package in before}
    return {package: (str(before[package]), found) for package, found in now.items() if before[package] != found}


def _processor() -> str:
    """Return the processor's model, or what the platform calls it where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "unknown")
