"""Labels as they come -> one label for each sample: numbers, text, true and false, or one-hot rows."""

import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError

__all__ = ["LARGEST_LABEL", "flat_labels"]

LARGEST_LABEL: Final = 2**53
"""Whole numbers beyond it are not all different as float64."""


def flat_labels(y: NDArray[Any], which: str, name: str) -> tuple[NDArray[Any], str]:
    """Return one label for each sample, and a sentence for the user where they were written in another way.

    One-hot rows become the position of their 1, and floats that are whole numbers become integers.

    Args:
        y: Labels, `(samples,)` or `(samples, 1)`; or one-hot rows of 0 and 1, `(samples, classes)`.
        which: The array's name, for errors.
        name: The data set's name, for errors.

    Returns:
        Integers, booleans or text, `(samples,)`; and the sentence, which may be empty.

    Raises:
        DataError: They are no labels.

    Example:
        >>> flat_labels(np.array([[0, 1, 0], [1, 0, 0]]), "y", "it")
        (array([1, 0]), 'One-hot labels of 3 classes: each is the position of its 1, counted from 0.')
    """
    if y.ndim == 2 and y.shape[1] > 1 and len(y):
        return _of_one_hot(y, which, name)
    if y.ndim == 0 or y.size == 0 or y.size != len(y):
        raise DataError(f"`{which}` of {name} must be (samples,) and not empty, got shape {y.shape}.")
    y = y.reshape(-1)
    if y.dtype.kind == "f":
        return _whole(y, which, name), ""
    if y.dtype.kind not in "biuUS":
        raise DataError(f"`{which}` of {name} must hold whole numbers or text, got dtype {y.dtype}.")
    if y.dtype.kind == "U" and np.ascontiguousarray(y).view(y.dtype.str[0] + "u4").max() > sys.maxunicode:
        raise DataError(f"`{which}` of {name} must hold text, got what is no Unicode; the file may be damaged.")
    if y.dtype.kind == "S":  # compared with text later; the order of the labels stays
        y = np.char.decode(y, "utf-8", "surrogateescape")
    return y, ""


def _of_one_hot(y: NDArray[Any], which: str, name: str) -> tuple[NDArray[np.intp], str]:
    if y.dtype.kind not in "biuf" or not (np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1)):
        raise DataError(
            f"`{which}` of {name} must hold one label for each sample, or one-hot rows with a single 1 and else 0, "
            f"got other values of shape {y.shape}."
        )
    said = f"One-hot labels of {y.shape[1]:,} classes: each is the position of its 1, counted from 0."
    return y.argmax(axis=1), said


def _whole(y: NDArray[Any], which: str, name: str) -> NDArray[np.int64]:
    with np.errstate(all="ignore"):  # bytes from a stranger may be no numbers at all
        bad = y[~(np.isfinite(y) & (y == np.rint(y)))].astype(np.float64)
        large = np.abs(y.astype(np.float64)).max() > LARGEST_LABEL
    if len(bad):
        raise DataError(
            f"`{which}` of {name} must hold classes, got numbers such as {bad[0]:g}: to predict numbers is not what "
            "fewest does. Group them into a few classes first, for example with `numpy.digitize`."
        )
    if large:
        raise DataError(f"`{which}` of {name} must hold classes, got numbers beyond 2**53. Store them as text.")
    return y.astype(np.int64)
