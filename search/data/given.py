"""Data that a program gives -> what a search may see, a sealed test set, and how other samples become inputs.

Arrays, sparse matrices, data frames, and the tensors of other libraries pass the same checks as files. Labels may be of
any type that NumPy sorts; networks see their class numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, reason
from fewest.search.data.held_out import split_off
from fewest.search.data.labelled import labelled
from fewest.search.data.labels import flat_labels
from fewest.search.data.loading import assembled
from fewest.search.data.npz import Arrays, require_memory
from fewest.search.data.samples import Images, SealedTest, SearchData
from fewest.search.data.sampling import sampled
from fewest.search.data.scaling import standardised
from fewest.search.data.tables import Table
from fewest.search.settings.config import IN_MEMORY, StudyConfig, did_you_mean, shown
from fewest.search.settings.seeds import split_seed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Given", "given", "n_given", "taken"]

Test: TypeAlias = float | tuple[Any, Any]
"""Test samples: a share of each class, or other samples and their labels."""

OF_COLUMNS: Final = ("group", "order", "ignore")
"""Settings of the data that name columns."""

LABEL: Final = "label"
"""Column of a data frame's labels where they come apart from it."""


@dataclass(frozen=True)
class Given:
    """Data from a program, ready for a study.

    Attributes:
        data: Training and validation samples.
        sealed: The test set.
        classes: Label of each class number, as the program has them.
        prepare: Turns other samples into what a network of the study takes, uint8 or float32 `(samples, ...)`.
    """

    data: SearchData
    sealed: SealedTest
    classes: NDArray[Any]
    prepare: Callable[[Any], Images]


def taken(x: Any) -> Any:
    """Return samples as an array, but data frames and sparse matrices as they are; an array is not copied.

    Raises:
        DataError: They are no samples.
    """
    if _is_frame(x) or hasattr(x, "toarray"):
        return x
    array = _as_array(x, "x")
    if array.ndim == 0:
        raise DataError(f"`x` must be an array or a data frame of samples, got {type(x).__name__}.")
    return array


def n_given(x: Any) -> int:
    """Count what `taken` returned."""
    return int(x.shape[0])


def given(x: Any, y: Any, config: StudyConfig, test: Test) -> Given:
    """Check data from a program, and part them into training, validation and test samples.

    The settings' sample of rows is drawn as from a file: of a data frame before the test is set aside, of arrays
    afterwards.

    Args:
        x: Samples: an array `(samples, features, ...)`, a sparse matrix, a data frame, or what `numpy.asarray` takes.
        y: Labels `(samples,)`; of a data frame also the name of a column.
        config: The study's settings, which say how samples are split.
        test: Share of each class for the test, or `(x_test, y_test)`.

    Raises:
        DataError: The data cannot be what they are asked to be.
    """
    if isinstance(test, tuple) and len(test) != 2:
        raise DataError(f"`test` must be a share or a pair `(x_test, y_test)`, got {len(test)} values in a tuple.")
    if not isinstance(test, tuple) and (isinstance(test, bool) or not isinstance(test, Real)):
        raise DataError(f"`test` must be a share or a pair `(x_test, y_test)`, got {type(test).__name__}.")
    if not isinstance(test, tuple) and not 0 < test < 1:
        raise DataError(f"`test`, the share of each class for the test, must be between 0 and 1, got {test:g}.")
    return _given_frame(x, y, config, test) if _is_frame(x) else _given_array(x, y, config, test)


def _given_array(x: Any, y: Any, config: StudyConfig, test: Test) -> Given:
    for option in OF_COLUMNS:
        if named := getattr(config.data, option):
            raise DataError(
                f"`data.{option}` is for data frames, whose columns have names; got {named!r} for an array."
            )
    samples, given_labels = _array(x, "x"), _labels(y, "y")
    labels = _countable(given_labels)
    if isinstance(test, tuple):
        arrays = Arrays(samples, labels, _array(test[0], "x_test"), _countable(_labels(test[1], "y_test")))
    else:
        if len(samples) != len(labels):
            raise DataError(
                f"`x` and `y` must be equally long, got {len(samples):,} samples and {len(labels):,} labels."
            )
        kept, held_out = split_off(labels, test, IN_MEMORY)
        arrays = Arrays(samples[kept], labels[kept], samples[held_out], labels[held_out])
    data, sealed = _assembled(sampled(arrays, config.data.rows, IN_MEMORY), None, config)

    def prepare(others: Any) -> Images:
        return _prepared(_array(others, "x"), data)

    return Given(data, sealed, np.unique(given_labels), prepare)


def _prepared(x: NDArray[Any], data: SearchData) -> Images:
    """Turn other samples into what the networks take; they must have the shape and the kind of the first."""
    if x.shape[1:] != data.input_shape:
        raise DataError(f"Samples must have the shape {data.input_shape} of the first ones, got {x.shape[1:]}.")
    if data.x_train.dtype != np.uint8:
        return standardised(x, data, "x")
    pixels = x.astype(np.uint8)
    if not np.array_equal(pixels, x):
        raise DataError(f"Samples must hold whole numbers in 0..255 as the first ones do, got {x.dtype}.")
    return pixels


def _given_frame(x: "pd.DataFrame", y: Any, config: StudyConfig, test: Test) -> Given:
    frame, label, classes = _with_labels(x, y)
    test_table = None
    if isinstance(test, tuple):
        if not _is_frame(test[0]):
            raise DataError(f"The test samples must be a data frame as `x` is, got {type(test[0]).__name__}.")
        test_table = Table(_with_labels(test[0], label if isinstance(y, str) else test[1])[0], ())
    share = config.data.test if isinstance(test, tuple) else float(test)
    choice = config.data.model_copy(update={"label": label, "test": share})
    made = labelled(Table(frame, ()), choice, IN_MEMORY, test_table, "the test rows")
    data, sealed = _assembled(made.arrays, made.table, config)

    def prepare(others: Any) -> Images:
        if not _is_frame(others):
            raise DataError(f"Samples must be a data frame as the first ones were, got {type(others).__name__}.")
        return standardised(made.table.prepare(_plain(others), "x"), data, "x")

    return Given(data, sealed, classes, prepare)


def _with_labels(x: "pd.DataFrame", y: Any) -> tuple["pd.DataFrame", str, NDArray[Any]]:
    """Return a frame with a column of labels, that column's name, and the classes as they were given."""
    frame = _plain(x)
    if isinstance(y, str):
        if y not in frame.columns:
            columns = list(frame.columns)
            hint = did_you_mean(y, columns) or "."
            raise DataError(f"`y` must name a column of `x`, got {shown(y)}{hint} It has {listed(columns)}.")
        label, y = y, frame[y].to_numpy()
    else:
        label = LABEL if LABEL not in frame.columns else f"{LABEL} of fewest"
    labels = _labels(y, "y")
    if len(labels) != len(frame):
        raise DataError(f"`x` and `y` must be equally long, got {len(frame):,} rows and {len(labels):,} labels.")
    return frame.assign(**{label: _countable(labels)}), label, np.unique(labels)


def _assembled(arrays: Arrays, table: Any, config: StudyConfig) -> tuple[SearchData, SealedTest]:
    return assembled(IN_MEMORY, arrays, table, config.data, split_seed(config.seed))


def _is_frame(x: Any) -> bool:
    return hasattr(x, "columns") and hasattr(x, "iloc")


def _plain(x: "pd.DataFrame") -> "pd.DataFrame":
    """Return a frame whose columns have text as names, its rows numbered from 0; categories and decimals are plain."""
    frame = x.reset_index(drop=True).rename(columns=str)
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise DataError(f"The columns of `x` must have names of their own, got {listed(twice)} twice.")
    names = {column: frame[column].dtype.name for column in frame.columns}
    categories = [column for column, name in names.items() if name.startswith(("category", "dictionary"))]
    decimals = [column for column, name in names.items() if name.startswith("decimal")]
    return frame.astype({**dict.fromkeys(categories, object), **dict.fromkeys(decimals, float)})


def _array(x: Any, which: str) -> NDArray[Any]:
    """Return samples as an array. Whole numbers in rows are features, not pixels, unless they are bytes."""
    if hasattr(x, "toarray"):
        require_memory(3 * 8 * int(np.prod(x.shape)), f"`{which}`")
        x = x.toarray()
    array = _as_array(x, which)
    is_features = array.ndim == 2 and array.dtype.kind in "iu" and array.dtype != np.uint8
    return array.astype(np.float64) if is_features else array


def _as_array(x: Any, which: str) -> NDArray[Any]:
    try:
        array = np.asarray(x)
        return array.astype(np.float64) if array.dtype.kind == "O" and array.ndim else array
    except Exception as error:  # Another library's tensor may refuse in any way.
        raise DataError(f"`{which}` must hold numbers in samples of one shape, got: {reason(error)}.") from error


def _labels(y: Any, which: str) -> NDArray[Any]:
    """Return labels as integers, booleans or text, `(samples,)`."""
    try:
        labels = np.asarray(y)
        if labels.dtype.kind == "O":
            labels = np.array(labels.tolist())
        of_text = (isinstance(label, str) for label in np.asarray(y, object).ravel())
        unlike = labels.dtype.kind == "U" and not all(of_text)
    except Exception as error:  # Another library's tensor may refuse in any way.
        raise DataError(f"`{which}` must hold a label a sample, got: {reason(error)}.") from error
    if labels.ndim == 2 and labels.size:
        labels = labels[:, 0] if labels.shape[1] == 1 else flat_labels(labels, which, IN_MEMORY)[0]
    if labels.ndim != 1 or not labels.size:
        raise DataError(f"`{which}` must be (samples,) and not empty, got shape {labels.shape}.")
    if unlike or labels.dtype.kind not in "biufU":
        raise DataError(f"`{which}` must hold labels of one type, numbers or text, got {_types_of(y)}.")
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        raise DataError(
            f"`{which}` must hold classes, got fractions or NaN: to predict numbers is not what fewest does."
        )
    return labels


def _types_of(y: Any) -> str:
    """Name the types of labels."""
    labels = np.asarray(y)
    if labels.dtype.kind not in "OU":
        return str(labels.dtype)
    types = sorted({type(label).__name__ for label in np.asarray(y, object).ravel()})
    return " and ".join([listed(types[:-1]), types[-1]] if len(types) > 1 else types)


def _countable(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels as files have them, integers or text, in the same order."""
    return labels.astype(np.int64) if labels.dtype.kind in "bf" else labels
