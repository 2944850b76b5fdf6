"""A table's columns -> inputs of a network, fitted on the training rows alone.

Numbers stay numbers: a missing one becomes the median of its column, and a column that lacks some gets a second input
that says so. A category becomes one input for each of its values; a value that no training row has sets none of them.
Yes and no become 1 and 0, a date its seconds since 1970. Row numbers, free text and columns without values are refused
by name, since a network that is given them learns nothing that holds for other rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, one_line
from fewest.search.data.samples import InputRule
from fewest.search.settings.config import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Inputs", "as_inputs"]

ColumnKind: TypeAlias = Literal["number", "category", "date"]

MOST_CATEGORIES: Final = 100
"""Values of a category beyond which its column is taken for text."""

NUMBERS_SHARE: Final = 0.9
"""Share of a text column's values that are numbers, above which the others are taken for faults."""


class Inputs(NamedTuple):
    """Both parts of a table as inputs.

    Attributes:
        x_train: float64 `(rows, inputs)`.
        x_test: Like `x_train`.
        rules: How each input follows from a column.
        words: What was made of the columns, a line for each kind; for the user.
    """

    x_train: NDArray[np.float64]
    x_test: NDArray[np.float64]
    rules: tuple[InputRule, ...]
    words: tuple[str, ...]


def as_inputs(train: "pd.DataFrame", test: "pd.DataFrame", name: str) -> Inputs:
    """Turn the columns of a table into inputs.

    Args:
        train: The training rows, without the labels; they alone decide.
        test: The test rows, with the same columns.
        name: The data set's name, for errors.

    Raises:
        DataError: A column cannot be an input, or the test rows hold what it cannot take.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    kinds = {column: _kind_of(train[column], column, name) for column in train.columns}
    by_kind = {kind: [c for c, found in kinds.items() if found == kind] for kind in ("number", "date", "category")}
    median = SimpleImputer(strategy="median", add_indicator=True)
    transformer = ColumnTransformer(
        [
            ("numbers", median, [*by_kind["number"], *by_kind["date"]]),
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float64),
                by_kind["category"],
            ),
        ],
        sparse_threshold=0,
    )
    x_train = transformer.fit_transform(_converted(train, kinds, name))
    x_test = transformer.transform(_converted(test, kinds, name))
    rules = tuple(_rules(transformer, kinds))
    return Inputs(np.asarray(x_train), np.asarray(x_test), rules, tuple(_words(train, by_kind)))


def _rules(transformer: Any, kinds: Mapping[str, ColumnKind]) -> Iterator[InputRule]:
    """List the inputs of a fitted transformer, in its order."""
    fitted = {name: (step, columns) for name, step, columns in transformer.transformers_}
    imputer, columns = fitted["numbers"]
    if columns:
        for column, median in zip(columns, imputer.statistics_, strict=True):
            yield InputRule(column, "date" if kinds[column] == "date" else "number", float(median))
        for index in imputer.indicator_.features_:
            yield InputRule(columns[index], "missing")
    encoder, columns = fitted["categories"]
    if columns:
        for column, values in zip(columns, encoder.categories_, strict=True):
            for value in values:
                yield InputRule(column, "category", value if isinstance(value, str) else None)


def _kind_of(column: "pd.Series[Any]", label: str, name: str) -> ColumnKind:
    import pandas as pd
    from pandas.api import types

    values = column.dropna()
    if values.empty:
        raise _refused(label, name, "has no value in any training row")
    if types.is_bool_dtype(values.dtype) or types.is_numeric_dtype(values.dtype):
        if types.is_integer_dtype(values.dtype) and _counts_rows(values.to_numpy()):
            raise _refused(label, name, "numbers its rows")
        return "number"
    if types.is_datetime64_any_dtype(values.dtype) or all(hasattr(value, "toordinal") for value in values[:100]):
        return "date"
    text = values.astype(str)
    if pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).notna().all() and text.str.contains("-").all():
        return "date"
    faults = text[pd.to_numeric(text, errors="coerce").isna()]
    if len(faults) < (1 - NUMBERS_SHARE) * len(text):
        words = listed([shown(value) for value in faults.unique()[:3]])
        raise _refused(label, name, f"holds numbers but for {len(faults):,} values such as {words}", "mend them, or ")
    n_values = text.nunique()
    if n_values > MOST_CATEGORIES or (n_values > 10 and n_values > len(text) / 2):
        raise _refused(label, name, f"holds text: {n_values:,} different values in {len(text):,} rows")
    return "category"


def _refused(label: str, name: str, fault: str, otherwise: str = "") -> DataError:
    return DataError(
        f"Column {shown(label)} of {name} cannot be an input: it {fault}. Therefore {otherwise}leave it out with "
        f"`--ignore {one_line(label)}`."
    )


def _counts_rows(values: NDArray[Any]) -> bool:
    """Whether integers are all different and close together, as row numbers are, even where some rows are set aside."""
    n = len(values)
    return n > 20 and len(np.unique(values)) == n and int(values.max()) - int(values.min()) < 2 * n


def _converted(frame: "pd.DataFrame", kinds: Mapping[str, ColumnKind], name: str) -> "pd.DataFrame":
    """Return the columns as float64 numbers, or as text for categories."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for label, kind in kinds.items():
        column = frame[label]
        if kind == "category":
            columns[label] = np.array(
                [None if missing else str(v) for v, missing in zip(column, column.isna(), strict=True)], object
            )
            continue
        try:
            columns[label] = (
                _seconds(column) if kind == "date" else column.astype("Float64").to_numpy(float, na_value=np.nan)
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"Column {shown(label)} of {name} must hold {kind}s in every row, as in the training rows: "
                f"{one_line(str(error))[:100]}."
            ) from error
        if np.isinf(columns[label]).any():
            raise DataError(f"Column {shown(label)} of {name} must hold finite numbers, got infinite ones.")
    return pd.DataFrame(columns)


def _seconds(column: "pd.Series[Any]") -> NDArray[np.float64]:
    import pandas as pd

    times = pd.to_datetime(column, format="ISO8601", utc=True)
    since = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    return np.asarray(since.to_numpy(np.float64, na_value=np.nan))


def _words(train: "pd.DataFrame", by_kind: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a line for each kind of column."""
    words = []
    for kind, plural in (("number", "Numbers"), ("date", "Dates, as seconds")):
        if by_kind[kind]:
            lacking = [f"{one_line(c)} ({n:,})" for c in by_kind[kind] if (n := int(train[c].isna().sum()))]
            filled = f"; missing ones are the median, and an input says so: {listed(lacking)}" if lacking else ""
            words.append(f"{plural}: {listed(list(by_kind[kind]))}{filled}.")
    if by_kind["category"]:
        values = [f"{one_line(c)} ({train[c].nunique(dropna=False)})" for c in by_kind["category"]]
        words.append(f"Categories, one input a value: {listed(values)}.")
    return words
