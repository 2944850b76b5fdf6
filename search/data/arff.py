"""ARFF, as WEKA and OpenML write it -> an Arrow table of text: a header names the columns, rows are like those of CSV.

What a column holds, its training rows decide, as for CSV. SciPy's reader refuses attributes of text, and quoted names
and values with blanks, which many files of OpenML have. Arrow's CSV reader knows no blank before a quote; the csv
module does.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

__all__ = ["read_arff"]

MISSING: Final = "?"
"""A value that is not there."""

LOOKED_AT: Final = 1_000
"""Lines below the header in which the character around quoted values is looked for."""

ROWS_AT_ONCE: Final = 10_000
"""Rows that are Python objects at the same time."""

_ATTRIBUTE: Final = re.compile(r"""@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s{]+))\s*(.*)""", re.I)

_QUOTED: Final = re.compile(r"""(?:^|,)[ \t]*(['"])""", re.MULTILINE)


def read_arff(lines: Iterable[str]) -> Any:
    """Read a file's lines as an Arrow table, null where a value is missing.

    Raises:
        ValueError: It is no ARFF, its rows are ragged or leave out zeros, or an attribute is a table itself.
    """
    import pyarrow as arrow

    numbered = ((number, line) for number, line in enumerate(map(str.strip, lines), 1) if line and line[0] != "%")
    names = _names_in(numbered)
    below = (line for _, line in numbered)
    start = list(islice(below, LOOKED_AT))
    if start and start[0].startswith("{"):
        raise ValueError("rows that leave out zeros, as {1 5, 3 2}, are not read; write all values")
    quoted = _QUOTED.search("\n".join(start))
    rows = _rows(chain(start, below), quoted[1] if quoted else "'", len(names))
    tables = []
    while some := list(islice(rows, ROWS_AT_ONCE)):
        columns = [arrow.array(column, arrow.string()) for column in zip(*some, strict=True)]
        tables.append(arrow.Table.from_arrays(columns, names))
    empty = arrow.Table.from_arrays([arrow.array([], arrow.string())] * len(names), names)
    return arrow.concat_tables(tables or [empty])


def _names_in(numbered: Iterator[tuple[int, str]]) -> list[str]:
    """Read the header, up to and with `@data`."""
    names = []
    for number, line in numbered:
        word = line.split(maxsplit=1)[0].lower()
        if word == "@data":
            break
        if word == "@attribute":
            names.append(_name_of(line, number))
        elif word != "@relation":
            raise ValueError(f"line {number} must be a comment, @relation, @attribute or @data")
    else:
        raise ValueError("the line @data is missing")
    if not names:
        raise ValueError("there is no @attribute")
    return names


def _name_of(line: str, number: int) -> str:
    found = _ATTRIBUTE.fullmatch(line)
    if not found or not found[4]:
        raise ValueError(f"line {number} must name an attribute and its type")
    if found[4].lower().startswith("relational"):
        raise ValueError(f"line {number} has an attribute that is a table itself, which is not read")
    return re.sub(r"\\(.)", r"\1", next(name for name in found.groups() if name is not None))


def _rows(lines: Iterator[str], quote: str, n_columns: int) -> Iterator[list[str | None]]:
    reader = csv.reader(lines, quotechar=quote, escapechar="\\", skipinitialspace=True)
    try:
        for row in reader:
            if len(row) != n_columns:
                raise ValueError(
                    f"row {reader.line_num:,} below @data must have {n_columns:,} values, got {len(row):,}"
                )
            values = map(str.strip, row)
            yield [None if value in ("", MISSING) else value for value in values]
    except csv.Error as error:
        raise ValueError(str(error)) from error
