"""Targets between what softmax and what a wide network reach."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.look import ASKED, MOST_TARGETS, sensible_targets

SHARES = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("softmax", "wide", "guessing", "n", "targets"),
    [
        (0.92, 0.985, 0.1, 10_000, (0.95, 0.97, 0.98)),
        (0.57, 0.93, 0.2, 8_000, (0.6, 0.75, 0.9)),
        (0.90, 0.951, 0.1, 100_000, (0.95,)),  # What softmax reaches exactly is no question.
        (0.97, 0.97, 0.3, 24, (0.9,)),  # Nothing between: what both reach.
        (math.nan, 0.8, 0.5, 1000, (0.55, 0.65, 0.75)),
        (math.nan, math.nan, 0.5, 1000, (0.5,)),
        (0.5, 0.5, 0.99, 100, (0.99,)),  # Never less than guessing.
        (0.01, 0.02, 0.001, 100, (0.05,)),
    ],
)
def test_targets_lie_between_softmax_and_a_wide_network(
    softmax: float, wide: float, guessing: float, n: int, targets: Any
) -> None:
    assert sensible_targets(softmax, wide, guessing, n) == targets


@given(softmax=SHARES, wide=SHARES, guessing=SHARES, n=st.integers(1, 100_000))
def test_there_are_always_a_few_targets_that_a_study_accepts(
    softmax: float, wide: float, guessing: float, n: int
) -> None:
    targets = sensible_targets(softmax, wide, guessing, n)
    assert 1 <= len(targets) <= MOST_TARGETS
    assert set(targets) <= set(ASKED)
    assert list(targets) == sorted(set(targets))
