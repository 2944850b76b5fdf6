"""JSON lines: an object a line, whose names are those of the columns. A name that a line lacks is a missing value.

Python's own reader parses the lines: Arrow's, which would be faster, crashes on a line `null`.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any, Final

__all__ = ["read_json_lines"]

LINES_AT_ONCE: Final = 10_000
"""Lines that are Python objects at the same time."""


def read_json_lines(stream: IO[bytes]) -> Any:
    """Read lines as an Arrow table, with the columns in the order in which their names first appear.

    Raises:
        ValueError: A line is no object, or a column holds values of several types; Arrow's errors are such, too.
    """
    import pyarrow as arrow

    lines = enumerate(stream, 1)
    tables = []
    while some := list(islice(lines, LINES_AT_ONCE)):
        rows = list(_objects(some))
        names = dict.fromkeys(name for row in rows for name in row)
        columns = [_column([row.get(name) for row in rows], name) for name in names]
        tables.append(arrow.Table.from_arrays(columns, list(names)))
    try:
        return arrow.concat_tables(tables, promote_options="permissive") if tables else arrow.table({})
    except arrow.ArrowTypeError as error:
        raise ValueError("a column must hold values of one type in all lines") from error


def _objects(lines: list[tuple[int, bytes]]) -> Iterator[dict[str, Any]]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:  # lists in thousands of lists
            raise ValueError(f"line {number} must be a JSON object and is no JSON") from error
        if not isinstance(found, dict):
            raise ValueError(f"line {number} must be a JSON object, got another value")
        yield found


def _column(values: list[Any], name: str) -> Any:
    import pyarrow as arrow

    try:
        return arrow.array(values)
    except (arrow.ArrowException, OverflowError, UnicodeError) as error:
        raise ValueError(f"column {name[:100]!r} must hold values of one type that fit 64 bits, or text") from error
