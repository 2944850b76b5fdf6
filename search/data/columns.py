"""A table's columns -> inputs of a network, fitted on the training rows alone.

Numbers stay numbers: a missing one becomes the median of its column, and a column that lacks some gets a second input
that says so. A category becomes one input for each of its values; a value that no training row has sets none of them.
True and false become 1 and 0, a date its seconds since 1970. Row numbers, free text and columns without values are
refused by name, since a network that is given them learns nothing that holds for other rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.column_kinds import ColumnKind, as_numbers, kind_of, without_missing
from fewest.search.data.errors import DataError, listed, one_line
from fewest.search.data.npz import require_memory
from fewest.search.data.samples import InputRule, Preparation
from fewest.search.data.scaling import Scaling, features, flag_scaling, joined
from fewest.search.data.text_columns import places
from fewest.search.data.threads import in_threads
from fewest.search.settings.config import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Column",
    "Inputs",
    "Part",
    "as_inputs",
    "read_columns",
    "require_columns",
]

T = TypeVar("T", bound=np.floating[Any])

LATER: Final = {"date": 1, "missing": 2, "category": 3}
"""Kinds of columns and of inputs that stand behind numbers, and in which order."""

BLOCK_ROWS: Final = 4_096
"""Rows of inputs that are written at a time."""


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
        return self.filled(as_numbers(column, self.label, self.kind, name))

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
    found = in_threads(lambda label: _read(label, train, test), list(train.columns))
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


def _read(label: str, train: Part, test: Part) -> Column:
    """Decide what a column holds, and turn both parts of it into inputs."""
    column, column_test = train.take(label), test.take(label)
    kind = kind_of(column, train.rows, label, train.name)
    if kind == "category":
        fitted = Fitted(label, kind, values=_values_of(column))
        parts = fitted.inputs(column, train.name), fitted.inputs(column_test, test.name)
        return Column(fitted, list(zip(*parts, strict=True)), [flag_scaling(flags) for flags in parts[0]])
    numbers = as_numbers(column, label, kind, train.name)
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

    def write(start: int) -> None:
        rows = slice(start, start + BLOCK_ROWS)
        for index, values in enumerate(inputs):
            x[rows, index] = values[rows]

    in_threads(write, range(0, len(x), BLOCK_ROWS))
    return x


def _values_of(column: "pd.Series[Any]") -> list[str | None]:
    """Return a category's values in order, and None at the end if some row has none."""
    present = without_missing(column)
    return [*sorted(map(str, present.unique())), *([None] if len(present) < len(column) else [])]


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
