"""A test part is set aside in one way for tables and for arrays, and refused in the words of each."""

import numpy as np
import pytest

from fewest.search.data.errors import DataError
from fewest.search.data.held_out import split_off

LABELS = np.repeat(["a", "b", "c"], [30, 12, 5])


def test_each_class_gives_its_share_and_the_same_samples_whoever_asks():
    kept, held_out = split_off(LABELS, 0.2, "x")
    assert sorted([*kept, *held_out]) == list(range(47))
    assert np.unique(LABELS[held_out], return_counts=True)[1].tolist() == [6, 2, 1]
    assert all(map(np.array_equal, split_off(LABELS, 0.2, "x", of_table=True), (kept, held_out)))


REFUSED = {
    "rare classes of arrays": (np.array([*"aaaabbcdefgh"]), False, "3 samples, .* too few have b, c, d, e, 3 more"),
    "rare classes of a table": (np.array([*"aaaabbc"]), True, "3 rows, .* too few have b, c. Is the column one of"),
    "numbers": (np.arange(60), False, "these look like numbers to predict"),
    "too few samples": (np.repeat([*"ab"], 3), False, "must have more samples for 2 classes, got 6"),
    "too few rows": (np.repeat([*"ab"], 3), True, "must have more rows for 2 classes, got 6"),
}


@pytest.mark.parametrize(("labels", "of_table", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_split_is_refused_in_one_line(labels, of_table, said):
    with pytest.raises(DataError, match=said):
        split_off(labels, 0.5, "x", of_table=of_table)
