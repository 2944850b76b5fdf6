"""Samples -> those that train and those that validate, every class on both sides."""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, one_line

__all__ = ["Validation", "split", "stratified_split"]

Validation: TypeAlias = Literal["stratified", "tail"]
"""How validation samples are chosen: at random from every class alike, or the end of the training file."""


def split(
    y: NDArray[np.int32], classes: NDArray[Any], name: str, validation: Validation, share: float, seed: int
) -> tuple[slice | NDArray[np.intp], slice | NDArray[np.intp]]:
    """Which samples train and which validate."""
    n_validation = round(len(y) * share)
    least = 1 if validation == "tail" else len(classes)
    if n_validation < least or len(y) - n_validation < least:
        raise DataError(
            f"Training and validation part of {name} must hold at least {least} samples each, "
            f"got {len(y) - n_validation} and {n_validation}; change `validation_share` or add samples."
        )
    if validation == "tail":
        first = len(y) - n_validation
        absent = np.setdiff1d(np.arange(len(classes)), y[:first])
        if len(absent):
            raise DataError(
                f"The training part of {name} must hold every class, but class {one_line(classes[absent[0]])} is only "
                f"among its last {n_validation:,} samples; use the 'stratified' validation."
            )
        return slice(None, first), slice(first, None)
    counts = np.bincount(y, minlength=len(classes))
    if counts.min() < 2:
        raise DataError(
            f"Every class of {name} must have at least 2 training samples for a stratified split, "
            f"class {one_line(classes[counts.argmin()])} has {counts.min()}; add some, or use the 'tail' validation."
        )
    return stratified_split(y, n_validation, seed)


def stratified_split(y: NDArray[Any], n_second: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw positions of two parts that hold every class in the same shares, `n_second` of them in the second."""
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(
        np.arange(len(y)), test_size=n_second, stratify=y, shuffle=True, random_state=seed % 2**32
    )
    return first, second
