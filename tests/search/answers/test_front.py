"""The front's rules: hand-computed numbers, and brute force over random points."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.answers.front import (
    FrontPoint,
    hypervolume,
    levelled_off,
    pareto_front,
    points_of,
    smallest_reaching,
    staircase,
)
from fewest.storage.trials.records import TrialRecord, TrialState

sizes = st.integers(0, 12)
accuracies = st.one_of(st.sampled_from([0.1, 0.5, 0.9]), st.floats(0, 1), st.just(math.nan))
clouds = st.lists(st.tuples(sizes, accuracies), max_size=25).map(
    lambda pairs: [FrontPoint(number, *pair) for number, pair in enumerate(pairs)]
)


def record(number: int, state: TrialState = "complete", accuracy: float | None = 0.5, neurons: int | None = 3):
    """A trial of one layer with 100 parameters."""
    widths = None if neurons is None else (neurons,)
    return TrialRecord(
        trial_id=number + 1,
        number=number,
        state=state,
        widths=widths,
        neurons=neurons,
        parameters=100,
        seed=0,
        epochs=5,
        best_epoch=4,
        seconds=1.0,
        validation_accuracy=accuracy,
        reason=None,
        started=None,
        completed=None,
    )


def test_only_complete_trials_with_a_size_and_a_finite_accuracy_count() -> None:
    trials = [
        record(0),
        record(1, "pruned"),
        record(2, accuracy=None),
        record(3, accuracy=math.nan),
        record(4, neurons=None),
        record(5, "running"),
        record(6, accuracy=math.inf),
    ]
    assert points_of(trials) == [FrontPoint(0, 3, 0.5)]


def test_a_front_by_hand() -> None:
    points = [FrontPoint(0, 8, 0.95), FrontPoint(1, 0, 0.92), FrontPoint(2, 4, 0.85), FrontPoint(3, 6, 0.93)]
    assert [point.trial for point in pareto_front(points)] == [1, 3, 0]


def test_of_equals_the_lowest_trial_number_is_on_the_front() -> None:
    assert pareto_front([FrontPoint(7, 4, 0.9), FrontPoint(2, 4, 0.9)]) == [FrontPoint(2, 4, 0.9)]


@given(clouds)
def test_the_front_is_what_brute_force_finds(points: list[FrontPoint]) -> None:
    def beats(one: FrontPoint, other: FrontPoint) -> bool:
        no_worse = one.size <= other.size and one.accuracy >= other.accuracy
        equal = (one.size, one.accuracy) == (other.size, other.accuracy)
        return no_worse and (not equal or one.trial < other.trial)

    known = [point for point in points if not math.isnan(point.accuracy)]
    expected = {point for point in known if not any(beats(other, point) for other in known)}
    assert set(pareto_front(points)) == expected


@given(clouds)
def test_size_and_accuracy_rise_strictly_along_the_front(points: list[FrontPoint]) -> None:
    for left, right in itertools.pairwise(pareto_front(points)):
        assert left.size < right.size and left.accuracy < right.accuracy


@given(clouds, st.randoms())
def test_the_order_of_trials_does_not_matter(points: list[FrontPoint], random) -> None:
    shuffled = list(points)
    random.shuffle(shuffled)
    assert pareto_front(shuffled) == pareto_front(points)


@given(clouds, st.floats(0, 1))
def test_smallest_reaching_is_the_smallest_that_reaches_the_target(points: list[FrontPoint], target: float) -> None:
    reaching = [point.size for point in points if point.accuracy >= target]
    found = smallest_reaching(pareto_front(points), target)
    assert (found.size if found else None) == min(reaching, default=None)


def test_a_staircase_by_hand() -> None:
    front = [FrontPoint(0, 0, 0.9), FrontPoint(1, 4, 0.95)]
    assert staircase(front, 8) == [(0, 0.9), (4, 0.9), (4, 0.95), (8, 0.95)]
    assert staircase(front, 2) == [(0, 0.9), (4, 0.9), (4, 0.95)]
    assert staircase([], 8) == []


def test_a_hypervolume_by_hand() -> None:
    """From log2(1) = 0 to log2(8) = 3: 3 x 0.9 under softmax alone, 2 x 0.05 more from one neuron on."""
    points = [FrontPoint(0, 0, 0.9), FrontPoint(1, 1, 0.95)]
    assert hypervolume(points, max_size=7) == pytest.approx(3 * 0.9 + 2 * 0.05)
    assert hypervolume([], max_size=7) == 0.0


@given(clouds, st.integers(0, 15))
def test_a_hypervolume_is_the_area_under_the_staircase(points: list[FrontPoint], max_size: int) -> None:
    """Column by column between the sizes that occur, each as high as the best point no larger."""
    edges = sorted({p.size for p in points if p.size < max_size} | {max_size})
    area = 0.0
    for left, right in itertools.pairwise(edges):
        best = max((p.accuracy for p in points if p.size <= left and p.accuracy > 0), default=0.0)
        area += (math.log2(right + 1) - math.log2(left + 1)) * best
    assert hypervolume(points, max_size=max_size) == pytest.approx(area)


@given(clouds, st.tuples(sizes, accuracies))
def test_one_more_trial_never_lowers_the_hypervolume(points: list[FrontPoint], extra) -> None:
    more = [*points, FrontPoint(99, *extra)]
    assert hypervolume(more, max_size=12) >= hypervolume(points, max_size=12) - 1e-12


def test_a_front_levels_off_when_the_last_trials_hardly_improve_it():
    points = [FrontPoint(0, 1, 0.5), FrontPoint(1, 3, 0.75), FrontPoint(2, 3, 0.75 + 1e-6)]
    assert not levelled_off(points[:1], points[:2], max_size=7)
    assert levelled_off(points[:2], points, max_size=7)


def test_a_study_whose_trials_all_fail_levels_off():
    assert levelled_off([], [], max_size=7)
