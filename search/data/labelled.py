"""A table -> the four arrays of a data set: the column of labels, rows set aside for the test, and inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.blocks import read_blocks, words_of
from fewest.search.data.column_kinds import odd_type
from fewest.search.data.columns import Part, as_inputs, read_columns, require_columns
from fewest.search.data.errors import DataError, listed, one_line, reason
from fewest.search.data.held_out import split_off
from fewest.search.data.labels import LARGEST_LABEL
from fewest.search.data.npz import Arrays
from fewest.search.data.samples import TableInputs
from fewest.search.data.sampling import require_table_fits, sample_of
from fewest.search.data.tables import NUMBER, Table, is_table, read_table
from fewest.search.data.text_columns import encoded, release_memory
from fewest.search.settings.config import DataConfig, did_you_mean, shown
from fewest.search.settings.spelling import LABEL, setting

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Labelled", "labelled", "read_labelled"]

LONGEST_LABEL: Final = 200
"""Characters of a label, beyond which it is taken for text."""

_NUMBER = rf"{NUMBER}|[+-]?inf"


@dataclass(frozen=True)
class Labelled:
    """A table's arrays.

    Attributes:
        arrays: Inputs, float32 and scaled, and labels of both parts.
        table: What was made of the table's columns.
    """

    arrays: Arrays
    table: TableInputs


def read_labelled(path: Path, choice: DataConfig) -> Labelled:
    """Read a table and choose its labels, its test rows and its inputs.

    The test rows are a share of each class, always the same rows of the same file, or another file's.

    Args:
        path: A regular file.
        choice: The column of the labels, the columns to leave out, and the test rows.

    Raises:
        DataError: The file is no table, or a column cannot be what it is asked to be.
    """
    require_table_fits(path, choice.rows)
    if not isinstance(choice.test, str):
        return labelled(_table(path, choice), choice, path.name)
    other = Path(choice.test).expanduser()
    return labelled(_table(path, choice), choice, path.name, _test_table(other, path), other.name)


def labelled(
    table: Table, choice: DataConfig, file_name: str, test_table: Table | None = None, test_name: str = ""
) -> Labelled:
    """Choose a table's labels, its test rows and its inputs.

    Args:
        table: The rows to train on; without `test_table` some of them are set aside as the test rows.
        choice: The column of the labels, the columns to leave out, and the share of the test rows.
        file_name: The table's name, for errors.
        test_table: The test rows, with the columns of `table`; None for a share.
        test_name: The name of the test rows, for errors.

    Raises:
        DataError: A column cannot be what it is asked to be.
    """
    name, test_name = one_line(file_name), one_line(test_name)
    label, said = _label_of(table.frame, choice, name)
    frame, drawn = _sampled(table.frame, label, choice.rows, name)
    columns, labels = _parted(frame, label, choice, name)
    train = Part(encoded(columns), None, name)
    y_train = _as_labels(labels, label, name)
    blocks = read_blocks(frame, choice, name)
    if test_table is not None:
        require_columns(test_table.frame, [*train.columns, label], test_name)
        columns, labels = _parted(test_table.frame, label, choice, test_name)
        test, y_test = Part(columns, None, test_name), _as_labels(labels, label, test_name, like=y_train)
    else:
        kept, held_out = split_off(y_train, float(choice.test), name, blocks, of_table=True)
        train, test = train._replace(rows=kept), Part(dict(train.columns), held_out, name)
        y_train, y_test = y_train[kept], y_train[held_out]
        blocks = blocks and blocks.of(kept)
    kept_together = (words_of(blocks, tested_elsewhere=test_table is not None),) if blocks else ()
    words = (*table.notes, *drawn, f"{said} {_classes(y_train)}", *kept_together)
    del table, test_table, frame, columns, labels  # They take more memory than the inputs.
    try:
        release_memory()
        read = read_columns(train, test)
        release_memory()
        inputs = as_inputs(read, name)
    except MemoryError as error:
        raise DataError(f"{shown(file_name)} does not fit into memory ({reason(error)}).") from error
    classes = tuple(np.unique(y_train).tolist())
    made = TableInputs(inputs.rules, classes, (*words, *inputs.words), label, inputs.prepare, blocks)
    return Labelled(Arrays(inputs.x_train, y_train, inputs.x_test, y_test, scaling=inputs.scaling), made)


def _label_of(frame: "pd.DataFrame", choice: DataConfig, name: str) -> tuple[str, str]:
    """Return the column of the labels, and a sentence that says which it is."""
    columns = list(map(str, frame.columns))
    splitting = ((choice.group, setting("data.group")), (choice.order, setting("data.order")))
    ignoring = ((ignored, setting("data.ignore")) for ignored in choice.ignore)
    for wanted, option in ((choice.label, LABEL), *ignoring, *splitting):
        if wanted is not None and wanted not in columns:
            hint = did_you_mean(wanted, columns) or "."
            raise DataError(
                option, f" must name a column of {name}, got {shown(wanted)}{hint} It has {listed(columns)}."
            )
        if wanted is not None and wanted == choice.label and (wanted, option) in splitting:
            raise DataError(option, f" must name another column than the labels, got {shown(wanted)} for both.")
    if choice.label is not None:
        return choice.label, f"Label: {one_line(choice.label)}."
    last = _last(columns, choice)
    if not last:
        raise DataError(f"A column of {name} must be left for the labels, but other options name all of them.")
    return last[0], f"Label: {one_line(last[0])}, the last column, since `--label` names none."


def _last(columns: Sequence[str], choice: DataConfig) -> list[str]:
    """Return the last column that has no other use, in a list that may be empty."""
    return [column for column in columns if column not in (*choice.ignore, choice.group, choice.order)][-1:]


def _sampled(frame: "pd.DataFrame", label: str, n: int | None, name: str) -> tuple["pd.DataFrame", tuple[str, ...]]:
    """Return a sample of the rows, and a sentence that says so; None takes all."""
    if n is None or n >= len(frame) or odd_type(frame[label]):
        return frame, ()
    rows = sample_of(frame[label].astype(str).to_numpy(dtype=str), n, name)
    return frame.iloc[rows], (f"Rows: a sample of {n:,} of {len(frame):,}, with every class's share.",)


def _parted(
    frame: "pd.DataFrame", label: str, choice: DataConfig, name: str
) -> tuple[dict[str, "pd.Series[Any]"], "pd.Series[Any]"]:
    """Return the columns that become inputs, and that of the labels."""
    others = {*choice.ignore, choice.group, choice.order, label}
    inputs = {column: frame[column] for column in frame.columns if column not in others}
    if not inputs:
        raise DataError(f"A column of {name} besides the labels must be left as an input.")
    return inputs, frame[label]


def _as_labels(column: "pd.Series[Any]", label: str, name: str, like: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return labels as integers where all are whole numbers, or else as text.

    Args:
        column: The labels as the file holds them. Only an empty value is a missing one: `NA` and `-` may be classes.
        label: The column's name.
        name: The data set's name, for errors.
        like: Labels whose type these must have; None lets the column decide.
    """
    import pandas as pd
    from pandas.api import types

    if odd := odd_type(column):
        raise DataError(
            f"Column {shown(label)} of {name} must hold classes, got values of the type {odd}. "
            "Name another column with ",
            LABEL,
            ".",
        )
    n_missing = int((column.isna() | (column == "")).sum())
    if n_missing:
        raise DataError(
            f"Every row of {name} must have a label, but column {shown(label)} has none in {n_missing:,} of "
            f"{len(column):,} rows; take those rows out."
        )
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        return _whole(column.to_numpy(), label, name)
    codes, values = pd.factorize(column)
    different = pd.Series(values) if column.dtype.kind == "O" else pd.Series(values).astype(str)
    if different.str.fullmatch(_NUMBER).all() and (like is None or like.dtype.kind in "iu"):
        return np.asarray(_whole(different.astype(float).to_numpy(), label, name)[codes])
    longest = int(different.str.len().max())
    if longest > LONGEST_LABEL:
        raise DataError(
            f"Column {shown(label)} of {name} must hold classes, got text of up to {longest:,} characters. Name "
            "another column with ",
            LABEL,
            ".",
        )
    return np.asarray(different.to_numpy(dtype=str)[codes])


def _whole(numbers: NDArray[Any], label: str, name: str) -> NDArray[np.int64]:
    """Return numbers as integers."""
    wide = np.asarray(numbers, np.float64)
    fractions = wide[~(np.isfinite(wide) & (wide == np.rint(wide)))]
    if len(fractions):
        raise DataError(
            f"Column {shown(label)} of {name} must hold classes, got numbers such as {fractions[0]:g}: to predict "
            "numbers is not what fewest does. Name another column with ",
            LABEL,
            ".",
        )
    if np.abs(wide).max() > LARGEST_LABEL:
        raise DataError(
            f"Column {shown(label)} of {name} must hold classes, got numbers of up to {np.abs(wide).max():g}: beyond "
            "2**53 they run together. Write them as text."
        )
    return wide.astype(np.int64)


def _table(path: Path, choice: DataConfig) -> Table:
    """Read the table with the training rows; what labels and groups are as numbers may be another text."""
    return read_table(path, lambda columns: [choice.label, choice.group, choice.order, *_last(columns, choice)])


def _test_table(path: Path, training: Path) -> Table:
    if not is_table(path.name) or not path.is_file():
        raise DataError(f"The test rows must be the path of a table or a share such as 0.2, got {shown(str(path))}.")
    if path.samefile(training):
        raise DataError(f"The test rows must be others than the training rows, got {shown(str(path))} for both.")
    return read_table(path)


def _classes(y: NDArray[Any]) -> str:
    counts = np.unique(y, return_counts=True)[1]
    return f"{len(counts)} classes; the largest has {counts.max() / len(y):.1%} of the rows."
