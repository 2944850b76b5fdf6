"""ARFF, as WEKA and OpenML write it: a header that names the columns, and rows like those of a CSV file.

The header is read here, the rows by Arrow as text: what a column holds, its training rows decide, as for CSV. SciPy's
reader refuses attributes of text and quoted names with blanks, which many files of OpenML have.
"""

import re
from typing import Final, NamedTuple

__all__ = ["MISSING", "Header", "header_of"]

MISSING: Final = "?"
"""A value that is not there."""

_ATTRIBUTE: Final = re.compile(r"""@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s{]+))\s*(.*)""", re.I)

_QUOTED: Final = re.compile(r"""(?:^|,)[ \t]*(['"])""", re.MULTILINE)


class Header(NamedTuple):
    """What stands above the rows.

    Attributes:
        names: The names of the columns.
        n_lines: Lines up to and with `@data`.
        quote: The character around values of several words.
    """

    names: tuple[str, ...]
    n_lines: int
    quote: str


def header_of(lines: list[str]) -> Header:
    """Read the header.

    Args:
        lines: The file's beginning, which must hold the whole header.

    Raises:
        ValueError: It is no such header, or the rows are written in a way that is not read.

    Example:
        >>> header_of(["@relation x", "@attribute 'the size' numeric", "@attribute c {a, b}", "@data", "1, a"])
        Header(names=('the size', 'c'), n_lines=4, quote="'")
    """
    names = []
    for number, line in enumerate(map(str.strip, lines), 1):
        word = line.split(maxsplit=1)[0].lower() if line else ""
        if word == "@data":
            break
        if word == "@attribute":
            names.append(_name_of(line, number))
        elif line and not line.startswith("%") and word not in ("@relation", "@end"):
            raise ValueError(f"line {number} must be a comment, @relation, @attribute or @data")
    else:
        raise ValueError("the line @data is missing, or far down")
    if not names:
        raise ValueError("there is no @attribute")
    return Header(tuple(names), number, _quote_in(lines[number:]))


def _name_of(line: str, number: int) -> str:
    found = _ATTRIBUTE.fullmatch(line)
    if not found or not found[4]:
        raise ValueError(f"line {number} must name an attribute and its type")
    if found[4].lower().startswith("relational"):
        raise ValueError(f"line {number} has an attribute that is a table itself, which is not read")
    return re.sub(r"\\(.)", r"\1", next(name for name in found.groups() if name is not None))


def _quote_in(rows: list[str]) -> str:
    first = next((row for row in rows if row.strip() and not row.startswith("%")), "")
    if first.lstrip().startswith("{"):
        raise ValueError("rows that leave out zeros, as {1 5, 3 2}, are not read; write all values")
    found = _QUOTED.search("\n".join(rows))
    return found[1] if found else "'"
