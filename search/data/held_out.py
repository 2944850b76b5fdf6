"""Samples without a test part: a share of each class is set aside, always the same samples of the same data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.blocks import split_blocks
from fewest.search.data.errors import DataError, listed
from fewest.search.data.labels import flat_labels
from fewest.search.data.npz import Arrays
from fewest.search.data.samples import Blocks
from fewest.search.data.splitting import LEAST_SAMPLES, refuse_numbers, stratified_split
from fewest.search.settings.config import DataConfig, shown
from fewest.search.settings.spelling import LABEL
from fewest.storage.errors import MisuseError

__all__ = ["require_no_test", "share_asked", "split_off", "with_test_part"]


def with_test_part(x: NDArray[Any], y: NDArray[Any], share: float, name: str) -> Arrays:
    """Set a share of each class aside as the test set.

    Args:
        x: Samples, `(samples, ...)`.
        y: Their labels, as `flat_labels` takes them.
        share: Share of the samples to set aside, above 0 and below 1; each class gives at least one.
        name: The data set's name, for errors.

    Raises:
        DataError: These are no labels, they are not as many as the samples, or a class has too few samples.
    """
    y, said = flat_labels(y, "y", name)
    if len(x) != len(y):
        raise DataError(f"`x` and `y` of {name} must be equally long, got {len(x):,} samples and {len(y):,} labels.")
    train, test = split_off(y, share, name)
    return Arrays(x[train], y[train], x[test], y[test], (said,) if said else ())


def split_off(
    y: NDArray[Any], share: float, name: str, blocks: Blocks | None = None, *, of_table: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the training samples and of those that are set aside.

    Args:
        y: Labels, as text or whole numbers, `(samples,)`.
        share: As for `with_test_part`.
        name: The data set's name, for errors.
        blocks: Rows that stay together and decide how to split; None draws a share of each class.
        of_table: Whether the labels are a table's column, for errors.

    Raises:
        DataError: A class has too few samples, or would be missing on one side.
    """
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    rare, samples = classes[counts < LEAST_SAMPLES], "rows" if of_table else "samples"
    if len(rare):
        if not of_table:
            refuse_numbers(y, classes, name)
        is_odd = of_table and len(classes) > len(y) / 4
        hint = (" Is the column one of classes? ", LABEL, " names another.") if is_odd else ()
        raise DataError(
            f"Every class of {name} must have at least {LEAST_SAMPLES} {samples}, one each to train, validate and "
            f"test; too few have {listed(list(map(str, rare)), 4)}.",
            *hint,
        )
    if blocks is not None:
        return split_blocks(blocks, codes, classes, share, seed=0, part="test", then=2, name=name)
    n_test = max(round(len(y) * share), len(classes))
    if len(y) - n_test < 2 * len(classes):
        raise DataError(
            f"{name} must have more {samples} for {len(classes):,} classes, got {len(y):,}; a smaller test share helps."
        )
    return stratified_split(codes, n_test, seed=0)


def share_asked(choice: DataConfig, name: str) -> float:
    """Return the share of the samples to set aside.

    Raises:
        MisuseError: A path was given.
    """
    if isinstance(choice.test, str):
        raise MisuseError(f"`data.test` must be a share such as 0.2 for {name}, got {shown(choice.test)}.")
    return choice.test


def require_no_test(choice: DataConfig, name: str) -> None:
    """Refuse a choice of test samples for data that have some.

    Raises:
        MisuseError: A share or a path was given.
    """
    if choice.test != DataConfig(name=choice.name).test:
        raise MisuseError(f"`data.test` is for data without test samples; {name} has some of its own.")
