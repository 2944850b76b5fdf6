"""What a study ran on: versions and machine, for its report."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

__all__ = ["environment"]

PACKAGES = ("fewest", "keras", "tensorflow", "optuna", "numpy")


def environment() -> dict[str, str]:
    """Versions and machine, by what to call them."""
    return {
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "System": f"{platform.system()} {platform.machine()}",
        "Processor": _processor(),
        "Processor cores": str(os.cpu_count()),
    }


def _processor() -> str:
    """The processor's model, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "unknown")
