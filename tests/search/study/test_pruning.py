"""The pruning rule, by hand and by its properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.study.pruning import LATEST, FinishedCurve, PruningRule, expected_final

ACCURACY = st.floats(0.05, 0.99)
RESOLUTION = 0.001


def finished(size: int, first: float, final: float) -> FinishedCurve:
    return FinishedCurve(size, [first, (first + final) / 2, final], final)


def rule(history: list[FinishedCurve], risk: float = 0.01) -> PruningRule:
    return PruningRule(history, 3, risk, RESOLUTION)


TEN = [finished(size, 0.80 + 0.001 * size, 0.90 + 0.001 * size) for size in range(1, 11)]
"""All alike: after the first epoch each has about twice the error it ends with."""

HISTORIES = st.lists(st.builds(finished, st.integers(1, 20), ACCURACY, ACCURACY), max_size=20)


def test_a_trial_far_behind_where_winners_were_is_pruned_and_told_what_would_do():
    reason = rule(TEN).reason(10, 0, 0.6)
    assert reason is not None
    assert reason.startswith("at epoch 0 accuracy 0.6000; 0.8")
    assert reason.endswith("is the least that could still win at 10 neurons")


def test_a_trial_where_winners_were_goes_on():
    assert rule(TEN).reason(10, 0, 0.812) is None


def test_nothing_is_pruned_before_eight_networks_have_ended_near_the_bar():
    far = [finished(size, 0.2, 0.3) for size in range(1, 9)]
    assert rule(TEN[:7]).reason(10, 0, 0.1) is None
    assert rule([*far, *TEN[:7]]).reason(10, 0, 0.21) is None


def test_the_wider_winners_scatter_the_later_a_trial_is_pruned():
    scattered = [finished(size, 0.80 + 0.01 * (size % 3), curve.final) for size, curve in enumerate(TEN, start=1)]
    assert rule(scattered).needed(10)[0] < rule(TEN).needed(10)[0]


def test_more_risk_prunes_more():
    least, more, most = (rule(TEN, risk).needed(10)[0] for risk in (0.005, 0.05, 0.2))
    assert least < more < most


def test_of_a_schedule_of_one_epoch_nothing_is_pruned():
    short = [FinishedCurve(c.size, [c.final], c.final) for c in TEN]
    assert PruningRule(short, 1, 0.01, RESOLUTION).reason(10, 0, 0.1) is None


def test_nothing_is_pruned_after_the_last_epoch():
    assert rule(TEN).reason(10, 2, 0.1) is None


def test_a_curve_that_is_short_or_broken_counts_as_far_as_it_goes():
    broken = [FinishedCurve(c.size, [c.curve[0], math.nan, c.final], c.final) for c in TEN]
    short = [FinishedCurve(c.size, [c.curve[0]], c.final) for c in TEN]
    assert rule(broken).needed(10)[1] == pytest.approx(rule(short).needed(10)[1])
    assert np.isfinite(rule(short).needed(10)).all()
    assert rule(TEN).reason(10, 0, math.nan) is None


def test_of_many_networks_the_latest_teach_and_all_set_bars():
    latest = TEN * (LATEST // len(TEN))
    best, other = finished(9, 0.1, 0.95), finished(20, 0.2, 0.3)
    assert rule([best, other, *latest]).bar(10) == 0.95
    assert (rule([other, other, *latest]).needed(10) == rule(latest).needed(10)).all()


def test_what_to_expect_of_a_network_follows_the_median():
    halved = [finished(size, 0.80, 0.90) for size in range(1, 9)]
    assert expected_final(0, 0.6, halved) == pytest.approx(0.8)
    assert expected_final(0, 0.6, []) == 0.6


@given(HISTORIES, ACCURACY, st.integers(0, 1))
def test_the_smallest_network_is_never_pruned(history, accuracy, epoch):
    assert rule(history).reason(0, epoch, accuracy) is None


@given(HISTORIES, st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_order_of_the_history_changes_nothing(history, size, random):
    history = [*TEN, *history]
    shuffled = random.sample(history, len(history))
    assert rule(history).needed(size) == pytest.approx(rule(shuffled).needed(size), abs=1e-6)


@given(HISTORIES, ACCURACY, ACCURACY, st.integers(1, 20))
def test_a_worse_curve_is_pruned_whenever_a_better_one_is(history, one, other, size):
    learned = rule([*TEN, *history])
    worse, better = (learned.reason(size, 1, accuracy) for accuracy in sorted((one, other)))
    assert worse is not None or better is None


@given(HISTORIES, st.integers(1, 20), st.integers(1, 20))
def test_better_networks_no_larger_never_spare_a_trial(history, one, other):
    """Of two trials the larger one has all the rivals of the smaller one, and maybe better ones."""
    learned = rule([*TEN, *history])
    fewer, more = (learned.needed(size) for size in sorted((one, other)))
    assert (fewer <= more).all()


@given(HISTORIES, st.integers(0, 20))
def test_the_bar_is_the_best_of_those_no_larger(history, size):
    assert rule(history).bar(size) == max((other.final for other in history if other.size <= size), default=None)
