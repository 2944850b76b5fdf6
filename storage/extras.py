"""Optional packages: imported, or refused with one line that says how to install them."""

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
        module: The package's import name.
        extra: Our extra that installs it.
        error: The class of the error to raise.
        what: The feature that needs it, as the subject of a sentence.

    Raises:
        FewestError: The package is not installed; of the class `error`.
    """
    if importlib.util.find_spec(module) is None:
        raise error(_missing(module, extra, what))


def load(module: str, extra: str, error: type[FewestError], *, what: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: The module's full name.
        extra: Our extra that installs it.
        error: The class of the error to raise.
        what: The feature that needs it, as the subject of a sentence.

    Raises:
        FewestError: The module cannot be imported; of the class `error`.
    """
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise error(_missing(module, extra, what)) from missing


def install_command(extra: str, root: Path | None = None) -> str:
    """Return the command that installs one of our extras: from the checkout, else from the package index.

    Args:
        extra: The extra's name in pyproject.toml.
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
