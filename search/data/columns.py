"""A table's columns -> inputs of a network, fitted on the training rows alone.

Numbers stay numbers: a missing one becomes the median of its column, and a column that lacks some gets a second input
that says so. A category becomes one input for each of its values; a value that no training row has sets none of them.
True and false become 1 and 0, a date its seconds since 1970. Row numbers, free text and columns without values are
refused by name, since a network that is given them learns nothing that holds for other rows.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import joblib
import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, one_line, reason
from fewest.search.data.npz import require_memory
from fewest.search.data.samples import InputRule, Preparation
from fewest.search.data.scaling import Scaling, features, flag_scaling, joined
from fewest.search.data.tables import NUMBER
from fewest.search.data.text_columns import LOOKED_AT, MISSING, distinct, places
from fewest.search.settings.config import shown
from fewest.search.settings.spelling import setting

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MISSING",
    "Column",
    "Inputs",
    "Part",
    "as_inputs",
    "as_times",
    "odd_type",
    "read_columns",
    "require_columns",
]

T = TypeVar("T", bound=np.floating[Any])

MOST_CATEGORIES: Final = 100
"""Values of a category beyond which its column is taken for text."""

NUMBERS_SHARE: Final = 0.9
"""Share of a text column's values that are numbers, above which the others are taken for faults."""

LEAST_NUMBERED: Final = 20
"""In so few rows, whole numbers that all differ are not taken for row numbers."""

BOOLEANS: Final = {"true": 1.0, "false": 0.0}

LATER: Final = {"date": 1, "missing": 2, "category": 3}
"""Kinds of columns and of inputs that stand behind numbers, and in which order."""

BLOCK_ROWS: Final = 4_096
"""Rows of inputs that are written at a time."""

_NUMBER = rf"{NUMBER}|[+-]?inf(?:inity)?"
_COMMA_NUMBER = r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?"
_THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+"
_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ].*)?"

ColumnKind: TypeAlias = Literal["number", "decimal comma", "boolean", "date", "category"]


class Part(NamedTuple):
    """Rows of a table, whose columns can be taken once: none is kept in memory longer than it is needed.

    Attributes:
        columns: Columns of a table with these rows, and perhaps others.
        rows: Positions of the rows; None for all.
        name: The file's name, for errors.
    """

    columns: dict[str, "pd.Series[Any]"]
    rows: NDArray[np.intp] | None
    name: str

    def take(self, label: str) -> "pd.Series[Any]":
        """Remove a column, and return these rows of it, indexed from 0."""
        import pandas as pd

        column = self.columns.pop(label)
        return column.reset_index(drop=True) if self.rows is None else pd.Series(column.array.take(self.rows))


class Fitted(NamedTuple):
    """How a column becomes inputs, as its training rows decided.

    Attributes:
        label: The column's name.
        kind: What it holds.
        n_missing: Training rows without a value.
        median: What stands for a missing number or date.
        values: Values of a category; None is a missing one.
    """

    label: str
    kind: ColumnKind
    n_missing: int = 0
    median: float = 0.0
    values: Sequence[str | None] = ()

    def rules(self) -> list[InputRule]:
        """List the inputs."""
        if self.kind == "category":
            return [InputRule(self.label, "category", value) for value in self.values]
        number = InputRule(self.label, "date" if self.kind == "date" else "number", self.median)
        return [number, *[InputRule(self.label, "missing")] * bool(self.n_missing)]

    def inputs(self, column: "pd.Series[Any]", name: str) -> list[NDArray[Any]]:
        """Turn rows of the column into its inputs, each float64 or boolean `(rows,)`; errors as for `read_columns`."""
        if self.kind == "category":
            found = places(column, self.values)
            return [found == place for place in range(len(self.values))]
        return self.filled(_converted(column, self.label, self.kind, name))

    def filled(self, numbers: NDArray[np.float64]) -> list[NDArray[Any]]:
        """Return numbers with the median where one is missing, and, if training rows lack some, where that is."""
        missing = np.isnan(numbers)
        filled = np.where(missing, self.median, numbers) if missing.any() else numbers
        return [filled, *[missing] * bool(self.n_missing)]


class Column(NamedTuple):
    """A column of both parts of a table as inputs.

    Attributes:
        fitted: How it became inputs.
        inputs: A pair for each, float32 or boolean `(rows,)`: the training rows and the test rows.
        scaling: Of each input.
    """

    fitted: Fitted
    inputs: Sequence[tuple[NDArray[Any], NDArray[Any]]]
    scaling: Sequence[Scaling]


class Inputs(NamedTuple):
    """Both parts of a table as inputs.

    Attributes:
        x_train: float32 `(rows, inputs)`, after what `scaling` says that the loader does.
        x_test: Like `x_train`.
        scaling: What is done to the inputs.
        rules: How each input follows from a column.
        words: What was made of the columns, a line for each kind; for the user.
        prepare: Turns other rows into inputs in the same way, before any scaling; errors as for `read_columns`.
    """

    x_train: NDArray[np.float32]
    x_test: NDArray[np.float32]
    scaling: Scaling
    rules: tuple[InputRule, ...]
    words: tuple[str, ...]
    prepare: Preparation


def read_columns(train: Part, test: Part) -> list[Column]:
    """Decide what the columns of a table hold, and turn each into inputs.

    Args:
        train: The training rows, without the labels; they alone decide.
        test: The test rows, with the same columns.

    Raises:
        DataError: A column cannot be an input, or the test rows hold what it cannot take.
    """
    with ThreadPoolExecutor(joblib.cpu_count()) as threads:  # NumPy and Arrow let other threads run.
        found = list(threads.map(lambda label: _read(label, train, test), list(train.columns)))
    return sorted(found, key=lambda column: LATER.get(column.fitted.kind, 0))


def as_inputs(columns: Sequence[Column], name: str) -> Inputs:
    """Put columns side by side: numbers, dates, what says that one is missing, categories.

    Raises:
        DataError: They do not fit into memory.
    """
    fitted = [column.fitted for column in columns]
    inputs = [pair for column in columns for pair in column.inputs]
    n_rows = sum(map(len, inputs[0]))
    require_memory(2 * 4 * n_rows * len(inputs), name, n_rows)
    order = _order(fitted)
    x_train, x_test = (_side_by_side([inputs[index][part] for index in order], np.float32) for part in (0, 1))
    scalings = [scaling for column in columns for scaling in column.scaling]

    def prepare(rows: "pd.DataFrame", file_name: str) -> NDArray[np.float64]:
        require_columns(rows, [column.label for column in fitted], file_name)
        made = [values for column in fitted for values in column.inputs(rows[column.label], file_name)]
        return _side_by_side([made[index] for index in order], np.float64)

    rules = [rule for column in fitted for rule in column.rules()]
    rules = [rules[index] for index in order]
    scaling = joined([scalings[index] for index in order])
    return Inputs(x_train, x_test, scaling, tuple(rules), tuple(_words(rules, fitted)), prepare)


def require_columns(frame: "pd.DataFrame", columns: Iterable[str], name: str) -> None:
    """Refuse other rows that lack columns of the training rows.

    Raises:
        DataError: A column is missing.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(f"{name} must have the columns of the training rows; {listed(missing)} missing.")


def as_times(column: "pd.Series[Any]", label: str, name: str) -> NDArray[np.float64]:
    """Read a column of times: numbers, or dates as their seconds since 1970; errors name the setting `data.order`.

    Raises:
        DataError: A row has no time, or the values are neither numbers nor dates.
    """
    from pandas.api import types

    values = _present(column)
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

    if column.dtype.kind != "O" or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype):
        return None
    values = column.dropna().infer_objects()
    if types.infer_dtype(values) in ("string", "empty"):
        return None
    odd = (type(value).__name__ for value in values if not isinstance(value, str))
    return next(odd, None) if values.dtype.kind == "O" else None


def _read(label: str, train: Part, test: Part) -> Column:
    """Decide what a column holds, and turn both parts of it into inputs."""
    column, column_test = train.take(label), test.take(label)
    kind = _kind_of(column, train.rows, label, train.name)
    if kind == "category":
        fitted = Fitted(label, kind, values=_values_of(column))
        parts = fitted.inputs(column, train.name), fitted.inputs(column_test, test.name)
        return Column(fitted, list(zip(*parts, strict=True)), [flag_scaling(flags) for flags in parts[0]])
    numbers = _converted(column, label, kind, train.name)
    present = numbers[~np.isnan(numbers)]
    fitted = Fitted(label, kind, len(numbers) - len(present), _median(present))
    (x, *missing), (x_test, *missing_test) = fitted.filled(numbers), fitted.inputs(column_test, test.name)
    made = features(x[:, None], x_test[:, None], f"column {shown(label)} of {train.name}")
    return Column(
        fitted,
        [(made.x_train[:, 0], made.x_test[:, 0]), *zip(missing, missing_test, strict=True)],
        [made.scaling, *map(flag_scaling, missing)],
    )


def _median(numbers: NDArray[np.float64]) -> float:
    """Return the median of numbers without NaN; `numpy.median` takes several times as long to look for some."""
    half = len(numbers) // 2
    parted = np.partition(numbers, half)
    return float(parted[half] if len(numbers) % 2 else np.mean([parted[:half].max(), parted[half]]))


def _order(fitted: Sequence[Fitted]) -> list[int]:
    """Return the places of the inputs: values first, then what says that one is missing, then categories."""
    ranks = [LATER.get(rule.kind, 0) for column in fitted for rule in column.rules()]
    return sorted(range(len(ranks)), key=ranks.__getitem__)


def _side_by_side(inputs: Sequence[NDArray[Any]], dtype: type[T]) -> NDArray[T]:
    """Stack inputs `(rows,)` to `(rows, inputs)`, some rows at a time so that these stay in the processor's cache."""
    x = np.empty((len(inputs[0]), len(inputs)), dtype)
    for start in range(0, len(x), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        for index, values in enumerate(inputs):
            x[rows, index] = values[rows]
    return x


def _values_of(column: "pd.Series[Any]") -> list[str | None]:
    """Return a category's values in order, and None at the end if some row has none."""
    present = _present(column)
    return [*sorted(map(str, present.unique())), *([None] if len(present) < len(column) else [])]


def _kind_of(column: "pd.Series[Any]", rows: NDArray[np.intp] | None, label: str, name: str) -> ColumnKind:
    """Say what the training rows of a column hold, which have these positions in their file."""
    from pandas.api import types

    if odd := odd_type(column):
        raise _refused(label, name, f"holds values of the type {odd}")
    values = _present(column)
    if values.empty:
        raise _refused(label, name, "has no value in any training row")
    kind: ColumnKind
    if values.dtype.kind == "O":
        kind = _kind_of_text(values, label, name)
    elif types.is_datetime64_any_dtype(values.dtype):
        return "date"
    elif types.is_numeric_dtype(values.dtype) or types.is_bool_dtype(values.dtype):
        kind = "number"
    else:
        raise _refused(label, name, f"holds values of the type {values.dtype}")
    whole = kind == "number" and not types.is_bool_dtype(values.dtype)
    if whole and _counts_rows(_numbers(column, kind), rows):
        raise _refused(label, name, "numbers its rows")
    return kind


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


def _present(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the values that are there."""
    missing = column.isna()
    if column.dtype.kind == "O":
        missing |= column.isin(MISSING)
    return (column[~missing] if missing.any() else column).infer_objects()


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
    present = _present(column)
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


def _converted(column: "pd.Series[Any]", label: str, kind: ColumnKind, name: str) -> NDArray[np.float64]:
    """Return a column as finite numbers, NaN where one is missing."""
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


def _words(rules: Sequence[InputRule], fitted: Sequence[Fitted]) -> Iterator[str]:
    """Yield a line for each kind of column."""
    n_missing = {column.label: column.n_missing for column in fitted}
    for kind, plural in (("number", "Numbers"), ("date", "Dates, as seconds")):
        columns = [rule.column for rule in rules if rule.kind == kind]
        lacking = [f"{one_line(label)} ({n_missing[label]:,})" for label in columns if n_missing[label]]
        filled = f"; missing ones are the median, and an input says so: {listed(lacking)}" if lacking else ""
        if columns:
            yield f"{plural}: {listed(columns)}{filled}."
    if commas := [column.label for column in fitted if column.kind == "decimal comma"]:
        yield f"Decimal commas: {listed(commas)}."
    categories = [f"{one_line(column.label)} ({len(column.values)})" for column in fitted if column.values]
    if categories:
        yield f"Categories, one input a value: {listed(categories)}."
