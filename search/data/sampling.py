"""A sample of the rows where all are too many, in the same shares of every class, and what fits into memory.

The sample is drawn once from a fixed seed, before any row is set aside: the same file gives the same sample.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data import npz
from fewest.search.data.errors import DataError
from fewest.search.data.npz import Arrays
from fewest.search.data.splitting import LEAST_SAMPLES, MOST_FEW_CLASSES
from fewest.search.data.tables import Extent, extent_of
from fewest.search.settings.config import shown
from fewest.search.settings.spelling import LABEL, setting

__all__ = ["require_table_fits", "sample_of", "sampled"]

VALUE_BYTES: Final = 120
"""Approximate bytes at the peak for each value of a table that is used, of its text and of its inputs."""

READING_FACTOR: Final = 5
"""Approximate bytes at the peak for each byte of a file that is read, before a sample is taken."""


def sample_of(labels: NDArray[Any], n: int, name: str) -> NDArray[np.intp]:
    """Draw a sample of rows with the same share of every class, and of a rare class at least three rows if it has them.

    Args:
        labels: A label of any type for each row, `(rows,)` or `(rows, ...)`.
        n: Rows to draw; all rows if there are no more.
        name: The data set's name, for errors.

    Returns:
        Positions of the rows, ascending.

    Raises:
        DataError: There are too many classes for so few rows.
    """
    if n >= len(labels):
        return np.arange(len(labels))
    values = labels.reshape(len(labels), -1)
    found = np.unique(values[:, 0] if values.shape[1] == 1 else values, return_inverse=True, axis=0)
    classes = found[1].reshape(-1)
    counts = np.bincount(classes)
    if n < LEAST_SAMPLES * len(counts):
        hint = (" Is the column one of classes? ", LABEL, " names another.") if len(counts) > MOST_FEW_CLASSES else ()
        raise DataError(
            setting("data.rows"),
            f" must be at least {LEAST_SAMPLES} for each class, and the labels of {name} have {len(counts):,} "
            f"values; got {n:,}.",
            *hint,
        )
    order = np.random.default_rng(0).permutation(len(classes))
    by_class = order[np.argsort(classes[order], kind="stable")]
    place = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[place < np.repeat(_apportioned(counts, n), counts)])


def sampled(arrays: Arrays, n: int | None, name: str) -> Arrays:
    """Return arrays with a sample of `n` training samples; None keeps all. The test part stays whole."""
    y = arrays.y_train
    if n is None or y.ndim == 0 or len(arrays.x_train) != len(y):  # Loading says what is wrong with arrays.
        return arrays
    rows = sample_of(y, n, name)
    return arrays._replace(x_train=arrays.x_train[rows], y_train=y[rows])


def require_table_fits(path: Path, n: int | None) -> None:
    """Refuse a table that will not fit into memory, before it is read.

    Args:
        path: The table's file.
        n: Rows to sample; None takes all.

    Raises:
        DataError: It would not fit. The line says what was estimated, and how many rows would fit.
    """
    extent, available = extent_of(path), npz.available_memory()
    needed = _bytes_needed(extent, n)
    if needed <= available:
        return
    fitting = rows_that_fit(extent, available)
    advice = (
        f"Take a sample with `--rows {fitting}`" if fitting else "Not even its text fits; write fewer columns or rows"
    )
    raise DataError(
        f"{shown(path.name)} must fit into memory: {min(n or extent.n_rows, extent.n_rows):,} of its about "
        f"{extent.n_rows:,} rows of {extent.n_columns:,} columns are estimated to take {needed / 1e9:,.1f} GB, and "
        f"{available / 1e9:,.1f} GB are free. {advice}."
    )


def rows_that_fit(extent: Extent, available: int) -> int:
    """Return a round number of rows of a table that fit into memory with a tenth to spare; 0 if none do.

    >>> rows_that_fit(Extent(n_rows=10_000_000, n_columns=50, n_bytes=1_000_000_000), 8_000_000_000)
    360000
    """
    spare = 0.9 * available - READING_FACTOR * extent.n_bytes
    return npz.rounded_down(min(extent.n_rows, max(0.0, spare / (VALUE_BYTES * extent.n_columns))))


def _bytes_needed(extent: Extent, n: int | None) -> int:
    n_used = extent.n_rows if n is None else min(n, extent.n_rows)
    return READING_FACTOR * extent.n_bytes + VALUE_BYTES * extent.n_columns * n_used


def _apportioned(counts: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Share `n` rows out to classes by their counts, largest remainders first, and at least three to each.

    >>> _apportioned(np.array([900, 90, 10]), 20).tolist()
    [14, 3, 3]
    """
    shares = counts * (n / counts.sum())
    given: NDArray[np.int64] = np.floor(shares).astype(np.int64)
    given[np.argsort(given - shares, kind="stable")[: n - given.sum()]] += 1
    given = np.maximum(given, np.minimum(counts, LEAST_SAMPLES))
    while given.sum() > n:
        given[given.argmax()] -= 1
    return given
