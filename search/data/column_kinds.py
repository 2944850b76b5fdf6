"""What a column of a table holds, as its training rows decide, and its values as numbers."""

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, reason
from fewest.search.data.tables import NUMBER
from fewest.search.data.text_columns import LOOKED_AT, MISSING, distinct
from fewest.search.settings.config import shown
from fewest.search.settings.spelling import setting

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ColumnKind", "as_numbers", "as_times", "kind_of", "odd_type", "without_missing"]

MOST_CATEGORIES: Final = 100
"""Values of a category beyond which its column is taken for text."""

NUMBERS_SHARE: Final = 0.9
"""Share of a text column's values that are numbers, above which the others are taken for faults."""

LEAST_NUMBERED: Final = 20
"""In so few rows, whole numbers that all differ are not taken for row numbers."""

BOOLEANS: Final = {"true": 1.0, "false": 0.0}

_NUMBER = rf"{NUMBER}|[+-]?inf(?:inity)?"
_COMMA_NUMBER = r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?"
_THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+"
_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ].*)?"

ColumnKind: TypeAlias = Literal["number", "decimal comma", "boolean", "date", "category"]


def kind_of(column: "pd.Series[Any]", rows: NDArray[np.intp] | None, label: str, name: str) -> ColumnKind:
    """Say what the training rows of a column hold, which have these positions in their file; None for all.

    Raises:
        DataError: The column cannot be an input.
    """
    from pandas.api import types

    if odd := odd_type(column):
        raise _refused(label, name, f"holds values of the type {odd}")
    values = without_missing(column)
    if values.empty:
        raise _refused(label, name, "has no value in any training row")
    kind: ColumnKind
    if values.dtype.kind == "O":
        kind = _kind_of_text(values, label, name)
    elif types.is_datetime64_any_dtype(values.dtype):
        return "date"
    elif types.is_bool_dtype(values.dtype) or (types.is_numeric_dtype(values.dtype) and values.dtype.kind != "c"):
        kind = "number"
    else:
        raise _refused(label, name, f"holds values of the type {values.dtype}")
    whole = kind == "number" and not types.is_bool_dtype(values.dtype)
    if whole and _counts_rows(_numbers(column, kind), rows):
        raise _refused(label, name, "numbers its rows")
    return kind


def as_numbers(column: "pd.Series[Any]", label: str, kind: ColumnKind, name: str) -> NDArray[np.float64]:
    """Return a column as finite numbers, NaN where one is missing.

    Raises:
        DataError: It holds something else.
    """
    try:
        numbers = _numbers(column, kind)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"Column {shown(label)} of {name} must hold a {kind} in every row, as in the training rows: "
            f"{reason(error)[:100]}."
        ) from error
    if np.isinf(numbers).any():
        raise DataError(f"Column {shown(label)} of {name} must hold finite numbers, got infinite ones.")
    return numbers


def as_times(column: "pd.Series[Any]", label: str, name: str) -> NDArray[np.float64]:
    """Read a column of times: numbers, or dates as their seconds since 1970; errors name the setting `data.order`.

    Raises:
        DataError: A row has no time, or the values are neither numbers nor dates.
    """
    from pandas.api import types

    values = without_missing(column)
    if len(values) < len(column):
        raise DataError(
            f"Every row of {name} must have a time, but column {shown(label)} has none in "
            f"{len(column) - len(values):,} of {len(column):,} rows; take those rows out."
        )
    kind: ColumnKind | None = None
    if types.is_datetime64_any_dtype(values.dtype):
        kind = "date"
    elif types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype):
        kind = "number"
    elif odd_type(values) is None and values.dtype.kind == "O":
        with contextlib.suppress(DataError):
            kind = _kind_of_text(values, label, name)
    times = None if kind not in ("number", "decimal comma", "date") else _numbers(values, kind)
    if times is None or not np.isfinite(times).all():
        raise DataError(
            setting("data.order"),
            f" must name a column of finite numbers or of dates such as 2024-12-31, but {shown(label)} of "
            f"{name} holds values such as {shown(str(values.iloc[0])[:40])}.",
        )
    return times


def odd_type(column: "pd.Series[Any]") -> str | None:
    """Name the type of the first value that is neither a number, a date nor text; None if there is none."""
    import pandas as pd
    from pandas.api import types

    if isinstance(column.dtype, pd.CategoricalDtype):  # Our own, of text; others became plain values.
        categories = pd.Series(column.dtype.categories)
        return odd_type(categories) if categories.dtype.kind == "O" else str(categories.dtype)
    if column.dtype.kind != "O" or isinstance(column.dtype, pd.StringDtype):
        return None
    values = column.dropna().infer_objects()
    if types.infer_dtype(values) in ("string", "empty"):
        return None
    odd = (type(value).__name__ for value in values if not isinstance(value, str))
    return next(odd, None) if values.dtype.kind == "O" else None


def without_missing(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the values that are there: neither empty nor text that stands for a missing one."""
    missing = column.isna()
    if column.dtype.kind == "O":
        missing |= column.isin(MISSING)
    return (column[~missing] if missing.any() else column).infer_objects()


def _kind_of_text(values: "pd.Series[Any]", label: str, name: str) -> ColumnKind:
    everything, values = values, distinct(values)[1]
    if values.str.fullmatch(_NUMBER, flags=re.IGNORECASE).all():
        return "number"
    if values.str.fullmatch(_THOUSANDS).any() and values.str.fullmatch(rf"{_THOUSANDS}|[+-]?\d{{1,3}}").all():
        example = values[values.str.contains(",")].iloc[0]
        fault = f"holds {shown(example)}, which may be thousands or a decimal"
        raise _refused(label, name, fault, "write its numbers without commas, or ")
    if values.str.fullmatch(_COMMA_NUMBER).all():
        return "decimal comma"
    if values.str.fullmatch(_DATE).all() and _seconds(values).notna().all():
        return "date"
    if values.str.lower().isin(BOOLEANS).all():
        return "boolean"
    faults = values[~values.str.fullmatch(_NUMBER)]
    n_values, n_rows = len(values), len(everything)
    n_faults = int(everything.isin(faults).sum()) if len(faults) < n_values else n_rows
    if n_faults < (1 - NUMBERS_SHARE) * n_rows:
        words = listed([shown(str(value)[:40]) for value in faults[:3]])
        raise _refused(label, name, f"holds numbers but for {n_faults:,} values such as {words}", "mend them, or ")
    if n_values > MOST_CATEGORIES or (n_values > 10 and n_values > n_rows / 2):
        raise _refused(label, name, f"holds text: {n_values:,} different values in {n_rows:,} rows")
    return "category"


def _refused(label: str, name: str, fault: str, otherwise: str = "") -> DataError:
    return DataError(
        f"Column {shown(label)} of {name} cannot be an input: it {fault}. Therefore {otherwise}leave it out with ",
        setting("data.ignore", [label]),
        ".",
    )


def _counts_rows(numbers: NDArray[np.float64], rows: NDArray[np.intp] | None) -> bool:
    """Whether numbers are whole, all different, and either grow from row to row of the file or lie close together."""
    if not _whole(numbers[:LOOKED_AT]) or not _whole(numbers):  # Most columns of fractions show it at once.
        return False
    n = int(np.isfinite(numbers).sum())
    if n <= LEAST_NUMBERED:
        return False
    if rows is not None:
        in_file_order = np.full(rows.max() + 1, np.nan)
        in_file_order[rows] = numbers
        numbers = in_file_order
    numbers = numbers[~np.isnan(numbers)]
    return bool(np.all(np.diff(numbers) > 0) or (n - 1 <= np.ptp(numbers) < 2 * n and len(np.unique(numbers)) == n))


def _whole(numbers: NDArray[np.float64]) -> bool:
    return bool(np.all((numbers == np.rint(numbers)) == np.isfinite(numbers)))


def _numbers(column: "pd.Series[Any]", kind: ColumnKind) -> NDArray[np.float64]:
    """Convert a column to float64, NaN where a value is missing.

    Raises:
        ValueError: It holds something else.
    """
    import pandas as pd

    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return np.asarray(column.to_numpy(np.float64))
    if column.dtype.kind == "M":
        return np.asarray(_seconds(column))
    if column.dtype.kind != "O" and kind != "date":
        return np.asarray(column.astype("Float64").to_numpy(np.float64, na_value=np.nan))
    present = without_missing(column)
    if kind == "number" and not isinstance(column.dtype, pd.CategoricalDtype):
        converted = present.astype(float)
    else:
        codes, different = distinct(present)
        converted = pd.Series(_each(different, kind).to_numpy()[codes], present.index)
    unknown = present[converted.isna()]
    if len(unknown):
        raise ValueError(f"got {shown(str(unknown.iloc[0])[:40])}")
    return np.asarray(converted.reindex(column.index).to_numpy(np.float64))


def _each(different: "pd.Series[Any]", kind: ColumnKind) -> "pd.Series[Any]":
    """Convert different values of text or of dates to numbers, NaN where one is none."""
    if kind == "date":
        return _seconds(different)
    if kind == "number":
        return different.astype(float)
    if kind == "boolean":
        return different.astype(str).str.lower().map(BOOLEANS).astype(float)
    return different.str.replace(",", ".", regex=False).astype(float)


def _seconds(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Convert dates to seconds since 1970, NaN where one is missing or is none."""
    import pandas as pd

    times = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    return (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
