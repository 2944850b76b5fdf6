"""Rows that a split keeps on one side: those of one group, or of one time.

Groups are drawn, so that both parts have about the same shares of the classes. Times are cut: the later part is set
aside, and rows of one time stay together, at whichever of the two cuts is nearer to the share.
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.column_kinds import as_times, odd_type
from fewest.search.data.errors import DataError, one_line
from fewest.search.data.samples import Blocks
from fewest.search.settings.config import DataConfig, shown
from fewest.search.settings.spelling import setting

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_blocks", "split_blocks", "words_of"]

DRAWS: Final = 100
"""Draws of groups, of which the one with the most even classes is taken."""

Parts = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Positions of the rows that stay, and of those that are set aside, both in the file's order."""


def read_blocks(frame: "pd.DataFrame", choice: DataConfig, name: str) -> Blocks | None:
    """Read which rows of a table stay together; None if no column says it.

    Raises:
        DataError: A row has no group or no time, or the values are no times.
    """
    if choice.order is not None:
        times = as_times(frame[choice.order], choice.order, name)
        return Blocks(choice.order, np.unique(times, return_inverse=True)[1].astype(np.int64), ordered=True)
    if choice.group is None:
        return None
    column = frame[choice.group]
    if odd := odd_type(column):
        raise DataError(setting("data.group"), f" must name a column of text or numbers, got values of the type {odd}.")
    n_missing = int((column.isna() | (column == "")).sum())
    if n_missing:
        raise DataError(
            f"Every row of {name} must have a group, but column {shown(choice.group)} has none in {n_missing:,} of "
            f"{len(column):,} rows; take those rows out, or give each a group of its own."
        )
    values = column.to_numpy() if column.dtype.kind in "biuf" else column.astype(str).to_numpy(dtype=str)
    return Blocks(choice.group, np.unique(values, return_inverse=True)[1].astype(np.int64), ordered=False)


def split_blocks(
    blocks: Blocks, y: NDArray[Any], classes: NDArray[Any], share: float, *, seed: int, part: str, then: int, name: str
) -> Parts:
    """Set a part of the rows aside without tearing a block apart.

    Args:
        blocks: The rows that stay together.
        y: Positions in `classes`, `(rows,)`.
        classes: Labels, for errors.
        share: Share of the rows to set aside, above 0 and below 1.
        seed: What groups are drawn from; times need none.
        part: What is set aside, for errors: `test` or `validation`.
        then: Parts into which the other rows are split later, 1 for none; each must be able to hold every class.
        name: The data set's name, for errors.

    Raises:
        DataError: A class would be missing on one side.
    """
    cut = _later(blocks, share, name) if blocks.ordered else _drawn(blocks, y, classes, share, seed, then, name)
    second = np.flatnonzero(cut)
    first = np.flatnonzero(~cut)
    for rows, where in ((first, "others"), (second, f"{part} rows")):
        absent = np.setdiff1d(np.arange(len(classes)), y[rows])
        if len(absent):
            how = "ordered" if blocks.ordered else "grouped"
            raise DataError(
                f"Every class of {name} must be among the {part} rows and among the others, but class "
                f"{one_line(classes[absent[0]])} is missing among the {where} when the rows are {how} by "
                f"{shown(blocks.column)}. Another share may help, or take that class out."
            )
    return first, second


def words_of(blocks: Blocks, *, tested_elsewhere: bool) -> str:
    """Say how the rows were split, and that their column is no input.

    >>> words_of(Blocks("patient", np.array([0, 1, 1, 2]), ordered=False), tested_elsewhere=False)
    'Groups: patient, no input; all rows of one train, validate or test. 3 groups train and validate.'
    >>> words_of(Blocks("day", np.array([0, 1]), ordered=True), tested_elsewhere=False)
    'Order: day, no input; the last rows are the test, and the end of the others validates.'
    """
    column = one_line(blocks.column)
    if blocks.ordered:
        ends = "the last rows are the test, and the end of the others validates"
        return f"Order: {column}, no input; {'the last rows validate' if tested_elsewhere else ends}."
    where = "train or validate" if tested_elsewhere else "train, validate or test"
    n_groups = int(blocks.ids.max()) + 1
    return f"Groups: {column}, no input; all rows of one {where}. {n_groups:,} groups train and validate."


def _later(blocks: Blocks, share: float, name: str) -> NDArray[np.bool_]:
    """Say which rows are later than the cut between two times that is nearest to the share."""
    times, counts = np.unique(blocks.ids, return_counts=True)
    if len(times) == 1:
        raise DataError(f"Column {shown(blocks.column)} of {name} must hold different times, got one for all rows.")
    n_earlier = np.cumsum(counts)[:-1]
    return np.asarray(blocks.ids > times[np.abs(n_earlier - (1 - share) * len(blocks.ids)).argmin()])


def _drawn(
    blocks: Blocks, y: NDArray[Any], classes: NDArray[Any], share: float, seed: int, then: int, name: str
) -> NDArray[np.bool_]:
    """Say which rows are of the groups drawn: of many draws, those whose classes are nearest to the share of each."""
    from sklearn.model_selection import GroupShuffleSplit

    n_blocks = int(blocks.ids.max()) + 1
    class_of, block_of = np.divmod(np.unique(y.astype(np.int64) * n_blocks + blocks.ids), n_blocks)
    n_blocks_of = np.bincount(class_of, minlength=len(classes))
    if n_blocks_of.min() <= then:
        raise DataError(
            f"Every class of {name} must lie in at least {then + 1} groups of {shown(blocks.column)}, one for each "
            f"part; class {one_line(classes[n_blocks_of.argmin()])} lies in {n_blocks_of.min()}."
        )
    wanted = share * np.bincount(y, minlength=len(classes))

    def unlikeness(drawn: NDArray[np.bool_]) -> tuple[int, float]:
        n_drawn = np.bincount(class_of[drawn[block_of]], minlength=len(classes))
        n_lacking = np.count_nonzero(n_drawn == 0) + np.count_nonzero(n_blocks_of - n_drawn < then)
        counts = np.bincount(y[drawn[blocks.ids]], minlength=len(classes))
        return int(n_lacking), float(np.abs(counts - wanted).sum())

    def draws() -> list[NDArray[np.bool_]]:
        groups = np.arange(n_blocks)
        n_drawn = min(max(round(share * n_blocks), 1), n_blocks - 1)
        splitter = GroupShuffleSplit(DRAWS, test_size=n_drawn, random_state=seed % 2**32)
        return [np.isin(groups, second) for _, second in splitter.split(groups, groups=groups)]

    return np.asarray(min(draws(), key=unlikeness)[blocks.ids])
