"""A table's columns -> inputs of a network, fitted on the training rows alone.

Numbers stay numbers: a missing one becomes the median of its column, and a column that lacks some gets a second input
that says so. A category becomes one input for each of its values; a value that no training row has sets none of them.
True and false become 1 and 0, a date its seconds since 1970. Row numbers, free text and columns without values are
refused by name, since a network that is given them learns nothing that holds for other rows.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, one_line, reason
from fewest.search.data.npz import require_memory
from fewest.search.data.samples import InputRule, Preparation
from fewest.search.data.tables import NUMBER
from fewest.search.data.text_columns import MISSING, places
from fewest.search.settings.config import shown
from fewest.search.settings.spelling import setting

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MISSING", "Inputs", "as_inputs", "as_times", "odd_type", "require_columns"]

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


class Inputs(NamedTuple):
    """Both parts of a table as inputs.

    Attributes:
        x_train: float64 `(rows, inputs)`.
        x_test: Like `x_train`.
        rules: How each input follows from a column.
        words: What was made of the columns, a line for each kind; for the user.
        prepare: Turns other rows into inputs in the same way; errors as for `as_inputs`.
    """

    x_train: NDArray[np.float64]
    x_test: NDArray[np.float64]
    rules: tuple[InputRule, ...]
    words: tuple[str, ...]
    prepare: Preparation


def as_inputs(train: "pd.DataFrame", test: "pd.DataFrame", name: str, test_name: str | None = None) -> Inputs:
    """Turn the columns of a table into inputs.

    Args:
        train: The training rows, without the labels, indexed by their place in the file; they alone decide.
        test: The test rows, with the same columns.
        name: The data set's name, for errors.
        test_name: The name of the test rows' file, for errors; None if it is the same.

    Raises:
        DataError: A column cannot be an input, or the test rows hold what it cannot take.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    kinds = {column: _kind_of(train[column], column, name) for column in train.columns}
    categories = [column for column, kind in kinds.items() if kind == "category"]
    numbers = [column for column, kind in kinds.items() if kind not in ("category", "date")]
    dates = [column for column, kind in kinds.items() if kind == "date"]
    n_inputs = 2 * len(numbers + dates) + sum(train[column].nunique() + 1 for column in categories)
    require_memory(3 * 8 * (len(train) + len(test)) * n_inputs, name, len(train) + len(test))
    values = {column: _values_of(train[column]) for column in categories}
    coded = [np.arange(len(values[column])) for column in categories]
    encoder = OneHotEncoder(categories=coded, handle_unknown="ignore", sparse_output=False, dtype=np.float64)
    # The strategy "median" sorts masked arrays, which takes ten times as long.
    median = SimpleImputer(strategy=np.median, add_indicator=True, copy=False)
    n_numbers = len(numbers) + len(dates)
    kinds = {column: kinds[column] for column in (*numbers, *dates, *categories)}
    steps = [("numbers", median, slice(n_numbers))] * bool(n_numbers)
    steps += [("categories", encoder, slice(n_numbers, None))] * bool(categories)
    transformer = ColumnTransformer(steps, sparse_threshold=0)
    x_train = transformer.fit_transform(_converted(train, kinds, values, name))

    def prepare(rows: "pd.DataFrame", file_name: str) -> NDArray[np.float64]:
        require_columns(rows, kinds, file_name)
        return np.asarray(transformer.transform(_converted(rows, kinds, values, file_name)))

    x_test = prepare(test, test_name or name)
    rules = tuple(_rules(transformer.named_transformers_.get("numbers"), kinds, values))
    return Inputs(np.asarray(x_train), x_test, rules, tuple(_words(rules, train, kinds)), prepare)


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
    from pandas.api import types

    values = column.dropna().infer_objects()
    if types.infer_dtype(values) in ("string", "empty"):
        return None
    odd = (type(value).__name__ for value in values if not isinstance(value, str))
    return next(odd, None) if values.dtype.kind == "O" else None


def _rules(
    imputer: Any, kinds: Mapping[str, ColumnKind], values: Mapping[str, Sequence[str | None]]
) -> Iterator[InputRule]:
    """List the inputs in their order: numbers and dates with the imputer's medians, gaps, then categories."""
    columns = [column for column in kinds if column not in values]
    if imputer is not None:
        for column, median in zip(columns, imputer.statistics_, strict=True):
            yield InputRule(column, "date" if kinds[column] == "date" else "number", float(median))
        for index in imputer.indicator_.features_:
            yield InputRule(columns[index], "missing")
    for column, different in values.items():
        for value in different:
            yield InputRule(column, "category", value)


def _values_of(column: "pd.Series[Any]") -> list[str | None]:
    """Return a category's values in order, and None at the end if some row has none."""
    present = _present(column)
    return [*sorted(map(str, present.unique())), *([None] if len(present) < len(column) else [])]


def _kind_of(column: "pd.Series[Any]", label: str, name: str) -> ColumnKind:
    """Say what the training rows of a column hold."""
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
    if whole and _counts_rows(_numbers(values, kind), values.index):
        raise _refused(label, name, "numbers its rows")
    return kind


def _kind_of_text(values: "pd.Series[Any]", label: str, name: str) -> ColumnKind:
    import pandas as pd

    everything, values = values, pd.Series(values.unique())
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
    n_faults, n_values, n_rows = int(everything.isin(faults).sum()), len(values), len(everything)
    if n_faults < (1 - NUMBERS_SHARE) * n_rows:
        words = listed([shown(str(value)[:40]) for value in faults[:3]])
        raise _refused(label, name, f"holds numbers but for {n_faults:,} values such as {words}", "mend them, or ")
    if n_values > MOST_CATEGORIES or (n_values > 10 and n_values > n_rows / 2):
        raise _refused(label, name, f"holds text: {n_values:,} different values in {n_rows:,} rows")
    return "category"


def _present(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the values that are there."""
    values = column.dropna().infer_objects()
    return values[~values.isin(MISSING)] if values.dtype.kind == "O" else values


def _refused(label: str, name: str, fault: str, otherwise: str = "") -> DataError:
    return DataError(
        f"Column {shown(label)} of {name} cannot be an input: it {fault}. Therefore {otherwise}leave it out with ",
        setting("data.ignore", [label]),
        ".",
    )


def _counts_rows(numbers: NDArray[np.float64], index: Any) -> bool:
    """Whether numbers are whole, all different, and either grow from row to row of the file or lie close together."""
    n = len(numbers)
    if n <= LEAST_NUMBERED or not np.all(numbers == np.rint(numbers)) or len(np.unique(numbers)) < n:
        return False
    in_file_order = numbers[np.argsort(np.asarray(index))]
    return bool(np.all(np.diff(in_file_order) > 0) or np.ptp(numbers) < 2 * n)


def _numbers(column: "pd.Series[Any]", kind: ColumnKind) -> NDArray[np.float64]:
    """Convert a column to float64, NaN where a value is missing.

    Raises:
        ValueError: It holds something else.
    """
    import pandas as pd

    if column.dtype.kind != "O" and kind != "date":
        return np.asarray(column.astype("Float64").to_numpy(np.float64, na_value=np.nan))
    present = _present(column)
    if kind == "number":
        converted = present.astype(float)
    else:
        codes, different = pd.factorize(present)
        converted = pd.Series(_each(pd.Series(different), kind).to_numpy()[codes], present.index)
    unknown = present[converted.isna()]
    if len(unknown):
        raise ValueError(f"got {shown(str(unknown.iloc[0])[:40])}")
    return np.asarray(converted.reindex(column.index).to_numpy(np.float64))


def _each(different: "pd.Series[Any]", kind: ColumnKind) -> "pd.Series[Any]":
    """Convert different values of text or of dates to numbers, NaN where one is none."""
    if kind == "date":
        return _seconds(different)
    if kind == "boolean":
        return different.astype(str).str.lower().map(BOOLEANS).astype(float)
    return different.str.replace(",", ".", regex=False).astype(float)


def _seconds(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Convert dates to seconds since 1970, NaN where one is missing or is none."""
    import pandas as pd

    times = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    return (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()


def _converted(
    frame: "pd.DataFrame", kinds: Mapping[str, ColumnKind], values: Mapping[str, Sequence[str | None]], name: str
) -> NDArray[np.float64]:
    """Return the columns as numbers: of categories the places among their values, -1 for others."""
    columns = np.empty((len(frame), len(kinds)), order="F")  # So that a column, and some beside, are no copies.
    for index, (label, kind) in enumerate(kinds.items()):
        column = frame[label]
        if kind == "category":
            present = _present(column)
            columns[:, index] = places(present.astype(str).reindex(column.index), values[label])
            continue
        try:
            numbers = _numbers(column, kind)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"Column {shown(label)} of {name} must hold a {kind} in every row, as in the training rows: "
                f"{reason(error)[:100]}."
            ) from error
        if np.isinf(numbers).any():
            raise DataError(f"Column {shown(label)} of {name} must hold finite numbers, got infinite ones.")
        columns[:, index] = numbers
    return columns


def _words(rules: Sequence[InputRule], train: "pd.DataFrame", kinds: Mapping[str, ColumnKind]) -> Iterator[str]:
    """Yield a line for each kind of column."""
    missing = {rule.column for rule in rules if rule.kind == "missing"}
    for kind, plural in (("number", "Numbers"), ("date", "Dates, as seconds")):
        columns = [rule.column for rule in rules if rule.kind == kind]
        lacking = [f"{one_line(c)} ({len(train) - len(_present(train[c])):,})" for c in columns if c in missing]
        filled = f"; missing ones are the median, and an input says so: {listed(lacking)}" if lacking else ""
        if columns:
            yield f"{plural}: {listed(columns)}{filled}."
    if commas := [column for column, kind in kinds.items() if kind == "decimal comma"]:
        yield f"Decimal commas: {listed(commas)}."
    categories = [rule.column for rule in rules if rule.kind == "category"]
    if categories:
        counted = [f"{one_line(column)} ({categories.count(column)})" for column in dict.fromkeys(categories)]
        yield f"Categories, one input a value: {listed(counted)}."
