"""The data as the two sides of a study see it: what the search may look at, and a test set that stays sealed.

`SearchData` has no way to the test set. `SealedTest` gives its arrays up only through `unseal`, which
verification and export call and nothing before them does; `tests/search/data/test_samples.py` holds that.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.metrics import steps
from fewest.search.settings.config import Metric
from fewest.search.settings.space import Architecture, n_parameters

__all__ = [
    "Blocks",
    "Images",
    "InputRule",
    "Preparation",
    "SealedTest",
    "SearchData",
    "TableInputs",
    "TestData",
    "flat",
]

Images = NDArray[np.uint8] | NDArray[np.float32]
"""Inputs: uint8 pixels or float32 features, `(samples, *input_shape)`."""


def flat(x: NDArray[Any]) -> NDArray[Any]:
    """Reshape samples to rows, `(samples, features)`: a view where `x` is contiguous."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


class InputRule(NamedTuple):
    """How one input follows from a column of a table.

    Attributes:
        column: The column's name.
        kind: `number` takes the value, 1 for yes and 0 for no; `date` takes its seconds since 1970, in UTC; `missing`
            is 1 where there is no value, else 0; `category` is 1 where the value is `value`, else 0.
        value: For `number` and `date` what stands for a missing value. For `category` its value; None is a missing one.
    """

    column: str
    kind: Literal["number", "date", "missing", "category"]
    value: float | str | None = None


Preparation: TypeAlias = Callable[[Any, str], NDArray[np.float64]]
"""Turns the rows of a data frame into inputs; the text names their file in errors."""


class Blocks(NamedTuple):
    """Rows of a table that no split tears apart.

    Attributes:
        column: The column that says so.
        ids: int64 `(rows,)` from 0: rows with the same number stay together.
        ordered: Whether the numbers are ranks in time, and parts are cut from their end; else they are groups.
    """

    column: str
    ids: NDArray[np.int64]
    ordered: bool

    def of(self, rows: NDArray[np.intp]) -> "Blocks":
        """Return the blocks of some rows."""
        return self._replace(ids=np.unique(self.ids[rows], return_inverse=True)[1].astype(np.int64))


@dataclass(frozen=True)
class TableInputs:
    """A table's columns as inputs.

    Attributes:
        rules: How each input follows from a column, in the inputs' order.
        classes: The label of each class, as integer or text.
        words: What was found and made of the columns, in sentences for the user.
        label: The column of the labels.
        prepare: Turns other rows into inputs in the same way.
        blocks: Training rows that stay together when some of them validate; None if any may part.
    """

    rules: tuple[InputRule, ...]
    classes: tuple[int | str, ...]
    words: tuple[str, ...]
    label: str
    prepare: Preparation = field(compare=False, repr=False)
    blocks: Blocks | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, eq=False)
class SearchData:
    """Training and validation samples of one data set.

    Inputs are standardised once, in one of two places. A network multiplies by `scale` and adds `offset`, in float32.
    Where a cast to float32 leaves too little of a feature (fewer than 256 steps to a standard deviation, as of times
    around 1e9 or values around 1e-40), the loader takes `shift` away and divides by `divisor`, in float64. The network
    then leaves the feature as it is. An exported network takes it as `(x - shift) / divisor`, too.

    Attributes:
        name: The data set's name, or its file's.
        x_train: `(n_train, *input_shape)`, uint8 or float32: `(x - shift) / divisor` of the file's numbers.
        y_train: int32 `(n_train,)`, classes 0..n_classes-1.
        x_validation: Like `x_train`.
        y_validation: Like `y_train`.
        n_classes: Distinct labels in the training file.
        scale: What a network multiplies its input by: a number, or float32 `input_shape`.
        offset: What a network adds after scaling: a number, or float32 `input_shape`.
        fingerprint: SHA-256, hexadecimal, of the training file's arrays before the split, and of `shift` and
            `divisor` where they change a feature.
        shift: What the loader took away: 0 where it changed nothing, else float64 `input_shape`.
        divisor: What the loader then divided by: 1 where it changed nothing, else float64 `input_shape`.
        table: What was made of a table's columns; None for arrays.
        metric: What an accuracy of these data is.
        notes: What was found of arrays and images, in sentences for the user.
    """

    name: str
    x_train: Images
    y_train: NDArray[np.int32]
    x_validation: Images
    y_validation: NDArray[np.int32]
    n_classes: int
    scale: float | NDArray[np.float32]
    offset: float | NDArray[np.float32]
    fingerprint: str
    shift: float | NDArray[np.float64] = 0.0
    divisor: float | NDArray[np.float64] = 1.0
    table: TableInputs | None = None
    metric: Metric = "accuracy"
    notes: tuple[str, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, e.g. `(28, 28)`."""
        return tuple(self.x_train.shape[1:])

    @property
    def n_features(self) -> int:
        """Numbers in one sample."""
        return int(np.prod(self.input_shape))

    @property
    def resolution(self) -> float:
        """The least by which one validation sample more raises an accuracy."""
        return steps(self.metric, self.y_validation)[0]

    @cached_property
    def whole(self) -> "SearchData":
        """The same data without a split: all samples of the training file train, none validates."""
        return replace(
            self,
            x_train=np.concatenate([self.x_train, self.x_validation]),
            y_train=np.concatenate([self.y_train, self.y_validation]),
            x_validation=self.x_validation[:0],
            y_validation=self.y_validation[:0],
        )

    def n_parameters(self, architecture: Architecture) -> int:
        """Count the trainable weights and biases of an architecture on these data."""
        return n_parameters(architecture, self.n_features, self.n_classes)


class TestData(NamedTuple):
    """The test set, out of its seal: `x` like `SearchData.x_train`, `y` like `SearchData.y_train`."""

    x: Images
    y: NDArray[np.int32]


TestData.__test__ = False  # type: ignore[attr-defined]  # its name would make pytest collect it


@dataclass(frozen=True, eq=False)
class SealedTest:
    """A test set that exists but cannot be read by accident: it has no arrays until `unseal` is called.

    What guessing scores and how many samples a class has is told without opening it: counts of labels, which no input
    and no network decides, and on which nothing in the search depends.

    Attributes:
        n_samples: Number of samples.
        guessing: What each metric gives to guessing, see `metrics.guessing`; empty where nobody has counted.
        class_counts: Samples of each class where the metric weighs classes; empty where it weighs samples alike.
    """

    n_samples: int
    _open: Callable[[], TestData] = field(repr=False)
    guessing: Mapping[Metric, float] = field(default_factory=dict)
    class_counts: tuple[int, ...] = ()

    def unseal(self) -> TestData:
        """Return the test set; only for scoring networks after their training."""
        return self._open()
