"""The terminal: results go to stdout, all else to stderr, and what users named is shown as it is.

No text is taken for markup or emoji codes. Control characters are shown as escapes, so that a name cannot steer the
terminal. Lines are left for the terminal to wrap, and a table is as wide as its content.

    say(out(), "Study 'a[b]' is finished.")
    show(out(), table)
"""

import re
from typing import Any

from rich.console import Console, ConsoleDimensions
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["err", "one_line", "out", "say", "show", "visible"]

_LEAST_COLUMNS = 20
"""A terminal that claims to be narrower says nothing useful: `COLUMNS=0` means that nobody knows."""

_USUAL_COLUMNS = 80
_UNBOUNDED_COLUMNS = 100_000

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but the line feed, marks that turn the direction of writing, and bytes that were not UTF-8."""


class _PlainConsole(Console):
    """A console through whose one gate for text, `render_str`, every string passes."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Render text with all that the terminal must or can not print as escapes."""
        printable = visible(text).encode(self.encoding, "backslashreplace").decode(self.encoding)
        return super().render_str(printable, **options)


def out() -> Console:
    """Make the console for results, on stdout."""
    return _console(stderr=False)


def err() -> Console:
    """Make the console for progress, warnings and errors, on stderr."""
    return _console(stderr=True)


def say(console: Console, line: str) -> None:
    """Print one line, which only the terminal wraps.

    Args:
        console: The terminal.
        line: The text; line feeds in it are shown as escapes.
    """
    console.print(one_line(line), soft_wrap=True)


def show(console: Console, table: Table) -> None:
    """Print a table, beyond the terminal's edge if need be: Rich would cut off what does not fit.

    Args:
        console: The terminal.
        table: The table, with any text in it.
    """
    options = console.options.update(max_width=_UNBOUNDED_COLUMNS)
    needed, size = Measurement.get(console, options, table).maximum, console.size
    console.size = ConsoleDimensions(max(needed, size.width), size.height)  # Both: a dumb terminal ignores one.
    try:
        console.print(table)
    finally:
        console.size = size


def visible(text: str) -> str:
    r"""Show control characters as escapes; line feeds stay.

    Args:
        text: From anywhere.

    >>> visible("a\x1b[31mb\u202e\n")
    'a\\x1b[31mb\\u202e\n'
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    r"""Show line feeds as escapes, too.

    Args:
        text: From anywhere.

    >>> one_line("two\nlines")
    'two\\nlines'
    """
    return visible(text).replace("\n", r"\n")


def _console(*, stderr: bool) -> Console:
    console = _PlainConsole(stderr=stderr, markup=False, emoji=False, highlight=False)
    if console.width < _LEAST_COLUMNS:
        console.width = _USUAL_COLUMNS
    return console
