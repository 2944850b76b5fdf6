"""How programs and shells spell what an error advises: a setting or an argument, with or without a value."""

import shlex
from typing import Any

from fewest.search.settings.config import shown
from fewest.storage.errors import Spelled

__all__ = ["LABEL", "argument", "setting"]

LABEL = Spelled("`y`", "`--label`")
"""What names the column of labels."""


def argument(name: str) -> Spelled:
    """Spell what is an argument for a program and an option in a shell.

    >>> argument("trial")
    Spelled(program='`trial`', shell='`--trial`')
    """
    return Spelled(f"`{name}`", f"`--{name}`")


def setting(name: str, value: Any = None) -> Spelled:
    """Spell a setting that has an option of its own, which is called as the last part of the setting's name.

    Args:
        name: The setting's dotted name.
        value: What to set it to, a list for an option that is repeated; None for its name alone.

    >>> setting("data.group").shell, setting("data.ignore", ["a b"]).shell
    ('`--group`', "`--ignore 'a b'`")
    >>> setting("data.group").program, setting("data.ignore", ["a b"]).program
    ('`data.group`', "`settings={'data.ignore': ['a b']}`")
    """
    option = f"--{name.rpartition('.')[2]}"
    if value is None:
        return Spelled(f"`{name}`", f"`{option}`")
    typed = " ".join(f"{option} {_quoted(str(item))}" for item in (value if isinstance(value, list) else [value]))
    return Spelled(f"`settings={{{name!r}: {value!r}}}`", f"`{typed}`")


def _quoted(text: str) -> str:
    return shlex.quote(text) if text.isprintable() else shown(text)
