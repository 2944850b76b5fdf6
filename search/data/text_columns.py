"""Columns of text at the speed of Arrow: numbers among them, blanks around values, categories and their places."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.threads import in_threads

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LOOKED_AT", "MISSING", "distinct", "encoded", "places", "release_memory", "trimmed"]

MISSING: Final = ("", "?", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "-")
"""Text that stands for a missing value."""

LOOKED_AT: Final = 1_000
"""Rows that are tried before all are."""


def encoded(columns: dict[str, "pd.Series[Any]"]) -> dict[str, "pd.Series[Any]"]:
    """Make columns of text short: float64 if every value is a number or stands for a missing one, else categories.

    Only a file's own columns may be converted to numbers so, training and test rows alike: what a column holds, its
    training rows decide. If all rows are numbers, these are, too, and each number is the same. Text such as `nan`
    beside numbers is left to a closer look. Categories are those of all rows: only values of a part's own rows may be
    looked at (see `distinct`).
    """
    return dict(zip(columns, in_threads(_encoded, columns.values()), strict=True))


def _encoded(column: "pd.Series[Any]") -> "pd.Series[Any]":
    try:
        import pyarrow as arrow
    except ImportError:  # A data frame may come from Python without it.
        return column
    import pandas as pd

    if column.dtype.kind != "O":
        return column
    try:
        text = arrow.array(column, from_pandas=True)
    except (arrow.ArrowException, OverflowError):
        return column
    if not arrow.types.is_string(text.type) and not arrow.types.is_large_string(text.type):
        return column
    numbers = _floats(text)
    return pd.Series(text.dictionary_encode().to_pandas() if numbers is None else numbers)


def _floats(text: Any) -> NDArray[np.float64] | None:
    """Convert Arrow's text to numbers, NaN where one is missing; None if not all are numbers."""
    import pyarrow as arrow
    from pyarrow import compute

    try:
        for part in (text[:LOOKED_AT], text):  # Most columns that are no numbers show it at once.
            missing = compute.is_in(part, value_set=arrow.array(MISSING, part.type))
            present = compute.if_else(missing, arrow.scalar(None, part.type), part)
            numbers = compute.cast(present, arrow.float64())
    except arrow.ArrowException:
        return None
    found = np.asarray(numbers.to_numpy(zero_copy_only=False))
    return found if int(np.isnan(found).sum()) == present.null_count else None


def distinct(column: "pd.Series[Any]") -> tuple[NDArray[np.intp], "pd.Series[Any]"]:
    """Return the place of each row's value among those that these rows hold, -1 where one is missing, and these."""
    import pandas as pd

    codes, values = pd.factorize(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = values.astype(column.dtype.categories.dtype)
    return codes, pd.Series(values)


def trimmed(column: Any) -> Any:
    """Return an Arrow column of text without blanks around its values; the same one if there are none."""
    from pyarrow import compute

    return compute.utf8_trim_whitespace(column) if any(map(_has_blank_edges, column.chunks)) else column


def _has_blank_edges(chunk: Any) -> bool:
    """Say whether a value may begin or end with a blank: with a byte up to 32, or one that is no ASCII."""
    _, offsets, content = chunk.buffers()
    offsets, content = np.frombuffer(offsets or b"", "i4"), np.frombuffer(content or b"", "u1")
    if not len(content):
        return False
    offsets = offsets[chunk.offset : chunk.offset + len(chunk) + 1]
    first, last = offsets[:-1], offsets[1:] - 1
    whole = last >= first
    edges = content[first[whole]], content[last[whole]]
    return any(bool(((edge <= 32) | (edge >= 128)).any()) for edge in edges)


def places(column: "pd.Series[Any]", values: Sequence[str | None]) -> NDArray[np.int64]:
    """Return the place of each row's value among `values`, -1 where it is none of them.

    Args:
        column: Text, or other values to be compared as text.
        values: Text without repetitions, and perhaps None for a missing value.
    """
    codes, different = distinct(column)
    place = {value: index for index, value in enumerate(values)}
    found = [place.get(None if value in MISSING else str(value), -1) for value in different]
    return np.asarray(np.array([*found, place.get(None, -1)])[codes])


def release_memory() -> None:
    """Give the system back what Arrow and malloc hold of freed memory: after a large text, as much as its values."""
    try:
        import pyarrow as arrow
    except ImportError:
        return
    for pool in (arrow.default_memory_pool(), arrow.system_memory_pool()):  # The second is malloc's.
        pool.release_unused()
