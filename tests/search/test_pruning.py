"""The pruning rule, by hand and by its properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.pruning import FinishedCurve, bar, expected_final, reason_to_prune

ACCURACY = st.floats(0.05, 0.99)


def finished(size: int, first: float, final: float) -> FinishedCurve:
    return FinishedCurve(size, [first, (first + final) / 2, final], final)


EIGHT = [finished(size, 0.80, 0.90) for size in range(1, 9)]
"""Each halves its error after the first epoch."""

HISTORIES = st.lists(st.builds(finished, st.integers(1, 20), ACCURACY, ACCURACY), max_size=20)


def test_a_trial_that_halving_its_error_would_not_save_is_pruned():
    assert reason_to_prune(5, 0, 0.79, EIGHT, 0.01) == (
        "at epoch 0 accuracy 0.7900; 0.8000 is the least that could still win at size 5"
    )


def test_a_trial_that_halving_its_error_would_lift_over_the_bar_goes_on():
    assert reason_to_prune(5, 0, 0.81, EIGHT, 0.01) is None


def test_nothing_is_pruned_before_eight_networks_have_finished():
    assert reason_to_prune(5, 0, 0.1, EIGHT[:7], 0.01) is None


def test_what_to_expect_of_a_network_follows_the_median():
    assert expected_final(0, 0.6, EIGHT) == pytest.approx(0.8)
    assert expected_final(0, 0.6, []) == 0.6


@given(HISTORIES, ACCURACY, st.integers(0, 2))
def test_the_smallest_network_is_never_pruned(history, accuracy, epoch):
    assert reason_to_prune(0, epoch, accuracy, history, 0.01) is None


@given(HISTORIES, ACCURACY, st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_order_of_the_history_changes_nothing(history, accuracy, size, random):
    shuffled = random.sample(history, len(history))
    assert reason_to_prune(size, 1, accuracy, history, 0.01) == reason_to_prune(size, 1, accuracy, shuffled, 0.01)


@given(HISTORIES, ACCURACY, ACCURACY, st.integers(1, 20))
def test_a_worse_curve_is_pruned_whenever_a_better_one_is(history, one, other, size):
    worse, better = (reason_to_prune(size, 1, accuracy, [*EIGHT, *history], 0.01) for accuracy in sorted((one, other)))
    assert worse is not None or better is None


@given(HISTORIES, st.integers(0, 20))
def test_the_bar_is_the_best_of_those_no_larger(history, size):
    assert bar(size, history) == max((other.final for other in history if other.size <= size), default=None)
