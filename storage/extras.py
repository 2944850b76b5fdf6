"""Packages that only some uses need: imported, or one line that says how to install them."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from fewest.storage.errors import FewestError

__all__ = ["install_command", "load", "require"]


def require(module: str, extra: str, error: type[FewestError], *, what: str) -> None:
    """Make sure that a package is installed, without importing it.

    Args:
        module: The name that the package is imported by.
        extra: The extra of ours that installs it.
        error: What to raise.
        what: What needs it, as the subject of a sentence.

    Raises:
        FewestError: It is not installed; of the class `error`.
    """
    if importlib.util.find_spec(module) is None:
        raise error(_missing(module, extra, what))


def load(module: str, extra: str, error: type[FewestError], *, what: str) -> ModuleType:
    """Import a module of a package that is installed.

    Args:
        module: The module's full name.
        extra: The extra of ours that installs it.
        error: What to raise.
        what: What needs it, as the subject of a sentence.

    Raises:
        FewestError: It cannot be imported; of the class `error`.
    """
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise error(_missing(module, extra, what)) from missing


def install_command(extra: str, root: Path | None = None) -> str:
    """Name the command that installs an extra of ours: in a checkout the one for it, else the package index's.

    Args:
        extra: As pyproject.toml names it.
        root: The folder that holds the package `fewest`; by default that of the running program.

    >>> install_command("export", Path("/usr/lib/python3/site-packages"))
    "pip install 'fewest[export]'"
    """
    if root is None:
        root = Path(str(sys.modules["fewest"].__file__)).parents[1]
    try:
        settings = (root / "pyproject.toml").read_text("utf-8")
    except OSError:
        settings = ""
    ours = re.search(r'^name = "fewest"$', settings, re.MULTILINE)
    return f".venv/bin/pip install '.[{extra}]'" if ours else f"pip install 'fewest[{extra}]'"


def _missing(module: str, extra: str, what: str) -> str:
    return f"{what} needs {module!r}, which cannot be imported. Run `{install_command(extra)}`."
