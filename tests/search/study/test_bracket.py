"""The bracket follows from the ladder's accuracies alone, lies in the space, and holds the crossing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.settings.space import SearchSpace, n_neurons
from fewest.search.study.bracket import bracket, crossing_width

SPACE = SearchSpace(3, 1, 128)


def accuracy(width: int) -> float:
    """An error that falls as a power of the width: 5 % at 13."""
    return 1.0 - 0.05 * (13 / width) ** 0.7


LADDER = {(): 0.8, **{(2**k,): accuracy(2**k) for k in range(8)}}


def test_it_surrounds_the_crossing() -> None:
    assert crossing_width(LADDER, 0.95) == pytest.approx(13)
    assert bracket(LADDER, [0.95], SPACE, deeper=False) == [(11,), (12,), (13,), (14,)]


def test_targets_that_cross_together_share_widths() -> None:
    assert bracket(LADDER, [0.95, 0.951], SPACE, deeper=False) == [(11,), (12,), (13,), (14,)]


def test_steps_grow_with_the_crossing() -> None:
    assert bracket(LADDER, [accuracy(60)], SPACE, deeper=False) == [(52,), (56,), (60,), (64,)]


def test_deeper_networks_have_the_crossings_size() -> None:
    found = bracket(LADDER, [0.95], SPACE, deeper=True)
    deeper = [widths for widths in found if len(widths) > 1]
    assert {n_neurons(widths) for widths in deeper} == {13}
    assert [len(widths) for widths in deeper] == [2, 2, 3, 3]


def test_what_the_ladder_does_not_reach_has_no_bracket() -> None:
    assert bracket(LADDER, [0.9999], SPACE, deeper=True) == []
    assert bracket({}, [0.5], SPACE, deeper=True) == []


def test_what_the_smallest_reaches_crosses_there() -> None:
    assert crossing_width(LADDER, 0.01) == 1.0
    assert bracket(LADDER, [0.01], SPACE, deeper=True) == [(1,), (2,)]


@given(
    accuracies=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    targets=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=3),
    deeper=st.booleans(),
)
def test_it_lies_in_the_space_without_repeats(accuracies: list[float], targets: list[float], deeper: bool) -> None:
    ladder = {(2**k,): value for k, value in enumerate(accuracies)}
    found = bracket(ladder, targets, SPACE, deeper=deeper)
    assert len(set(found)) == len(found)
    assert all(widths in SPACE and min(widths) >= 1 for widths in found)
    for target in targets:
        width = crossing_width(ladder, target)
        assert width is None or (1 <= width <= 128 and not math.isnan(width))
