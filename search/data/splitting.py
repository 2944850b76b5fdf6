"""Samples -> those that train and those that validate, every class on both sides."""

from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.blocks import split_blocks
from fewest.search.data.errors import DataError, one_line
from fewest.search.data.samples import Blocks

__all__ = ["LEAST_SAMPLES", "MOST_FEW_CLASSES", "Validation", "refuse_numbers", "split", "stratified_split"]

Validation: TypeAlias = Literal["stratified", "tail"]
"""How validation samples are chosen: at random from every class alike, or the end of the training file."""

MOST_FEW_CLASSES: Final = 20
"""So many classes, or fewer, are never taken for numbers to predict."""

LEAST_SAMPLES: Final = 3
"""Samples of a class: one to train on, one to validate, one to test."""

LEAST_PER_CLASS: Final = 4
"""Samples that a class has on average, below which integer labels look like numbers to predict."""


def split(
    y: NDArray[np.int32],
    classes: NDArray[Any],
    name: str,
    validation: Validation,
    share: float,
    seed: int,
    blocks: Blocks | None = None,
) -> tuple[slice | NDArray[np.intp], slice | NDArray[np.intp]]:
    """Say which samples train and which validate; errors as for `loading.load`. Blocks, if any, decide how."""
    if blocks is not None:
        return split_blocks(blocks, y, classes, share, seed=seed, part="validation", then=1, name=name)
    n_validation = round(len(y) * share)
    least = 1 if validation == "tail" else len(classes)
    if n_validation < least or len(y) - n_validation < least:
        refuse_numbers(y, classes, name)
        raise DataError(
            f"Training and validation part of {name} must hold at least {least} samples each, "
            f"got {len(y) - n_validation} and {n_validation}; change `validation_share` or add samples."
        )
    if validation == "tail":
        first = len(y) - n_validation
        absent = np.setdiff1d(np.arange(len(classes)), y[:first])
        if len(absent):
            refuse_numbers(y, classes, name)
            raise DataError(
                f"The training part of {name} must hold every class, but class {one_line(classes[absent[0]])} is only "
                f"among its last {n_validation:,} samples; use the 'stratified' validation."
            )
        return slice(None, first), slice(first, None)
    counts = np.bincount(y, minlength=len(classes))
    if counts.min() < 2:
        refuse_numbers(y, classes, name)
        raise DataError(
            f"Every class of {name} must have at least 2 training samples for a stratified split, "
            f"class {one_line(classes[counts.argmin()])} has {counts.min()}; add some, or use the 'tail' validation."
        )
    return stratified_split(y, n_validation, seed)


def refuse_numbers(y: NDArray[Any], classes: NDArray[Any], name: str) -> None:
    """Refuse labels that look like numbers to predict; asked only where they cannot be used as classes anyway.

    Raises:
        DataError: They are integers, of many different values, each of which few samples have.
    """
    if classes.dtype.kind in "iu" and len(classes) > MOST_FEW_CLASSES and len(y) < LEAST_PER_CLASS * len(classes):
        raise DataError(
            f"`y_train` of {name} must hold classes, got {len(classes):,} different integers in {len(y):,} samples: "
            "these look like numbers to predict, which fewest does not. Group them into a few classes first, "
            "for example with `numpy.digitize`."
        )


def stratified_split(y: NDArray[Any], n_second: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw positions of two parts that hold every class in the same shares, `n_second` of them in the second.

    Each class must have two samples, and each part room for every class: then both parts hold every class. Apart from
    that, the draw is that of scikit-learn's `train_test_split`, whose lists take three times as long.
    """
    from sklearn.utils.extmath import _approximate_mode

    random = np.random.RandomState(seed % 2**32)
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    n_of_first = _approximate_mode(counts, len(y) - n_second, random)
    n_of_second = _approximate_mode(counts - n_of_first, n_second, random)
    parts: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    by_class = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    for rows, n_first, n_then in zip(by_class, n_of_first, n_of_second, strict=True):
        drawn = rows[random.permutation(len(rows))]
        parts.append((drawn[:n_first], drawn[n_first : n_first + n_then]))
    first, second = (random.permutation(np.concatenate(part)) for part in zip(*parts, strict=True))
    _exchange(codes, first, second)
    _exchange(codes, second, first)
    return first, second


def _exchange(codes: NDArray[np.intp], poor: NDArray[np.intp], rich: NDArray[np.intp]) -> None:
    """Give `poor` the first sample in `rich` of each class that it lacks, for its last one of the class it has most."""
    for absent in np.flatnonzero(np.bincount(codes[poor], minlength=codes.max() + 1) == 0):
        given = np.flatnonzero(codes[poor] == np.bincount(codes[poor]).argmax())[-1]
        taken = np.flatnonzero(codes[rich] == absent)[0]
        poor[given], rich[taken] = rich[taken], poor[given]
