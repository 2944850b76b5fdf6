"""The Pareto front of size against validation accuracy: pure rules over trials, no arrays, no Optuna.

Size is the number of hidden neurons. Of trials of one size only the most accurate can be on the front; of equals, the
one with the lowest number. A larger network is on it only when it is strictly more accurate than every smaller one. So
along the front size and accuracy both rise strictly.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fewest.storage.trials.records import TrialRecord

__all__ = [
    "FrontPoint",
    "hypervolume",
    "levelled_off",
    "pareto_front",
    "points_of",
    "smallest_reaching",
    "staircase",
]

LEAST_GAIN = 1e-4
"""Share by which the hypervolume has to grow for a front to count as improved."""


class FrontPoint(NamedTuple):
    """A trial as a point of size and accuracy."""

    trial: int
    """The trial's number."""
    size: int
    """Hidden neurons, at least 0."""
    accuracy: float
    """Validation accuracy, a share in 0..1."""


def points_of(trials: Iterable[TrialRecord]) -> list[FrontPoint]:
    """Pick the trials that can be on a front: complete, with a size and a finite accuracy; in the order given."""
    points = []
    for trial in trials:
        neurons, accuracy = trial.neurons, trial.validation_accuracy
        if trial.state == "complete" and neurons is not None and accuracy is not None and math.isfinite(accuracy):
            points.append(FrontPoint(trial.number, neurons, accuracy))
    return points


def pareto_front(points: Iterable[FrontPoint]) -> list[FrontPoint]:
    """Pick the Pareto optimal points, from small to large.

    Args:
        points: In any order. Points whose accuracy is NaN are ignored.

    Returns:
        At most one point a size, sizes and accuracies strictly rising. Of equals, the lowest trial number.

    Example:
        >>> a, b, c = FrontPoint(0, 4, 0.90), FrontPoint(1, 8, 0.95), FrontPoint(2, 8, 0.95)
        >>> [point.trial for point in pareto_front([c, b, a, FrontPoint(3, 16, 0.94)])]
        [0, 1]
    """
    front: list[FrontPoint] = []
    known = (point for point in points if not math.isnan(point.accuracy))
    for point in sorted(known, key=lambda point: (point.size, -point.accuracy, point.trial)):
        if not front or point.accuracy > front[-1].accuracy:
            front.append(point)
    return front


def smallest_reaching(front: Sequence[FrontPoint], target: float) -> FrontPoint | None:
    """Find the smallest point of a front that reaches an accuracy; None when none does.

    Args:
        front: As `pareto_front` returns it.
        target: Accuracy to reach, in 0..1; an equal accuracy reaches it.

    Example:
        >>> front = [FrontPoint(0, 4, 0.90), FrontPoint(1, 8, 0.95)]
        >>> smallest_reaching(front, 0.95), smallest_reaching(front, 0.96)
        (FrontPoint(trial=1, size=8, accuracy=0.95), None)
    """
    return next((point for point in front if point.accuracy >= target), None)


def staircase(front: Sequence[FrontPoint], max_size: int) -> list[tuple[int, float]]:
    """List the corners of the best accuracy known at each size, for a line to be drawn through them.

    Args:
        front: As `pareto_front` returns it.
        max_size: Size at which the last step ends; a front that goes further ends at its last point.

    Returns:
        `(size, accuracy)` pairs, from the smallest point on: level to the next size, then up.

    Example:
        >>> staircase([FrontPoint(0, 4, 0.90), FrontPoint(1, 8, 0.95)], max_size=10)
        [(4, 0.9), (8, 0.9), (8, 0.95), (10, 0.95)]
    """
    corners: list[tuple[int, float]] = []
    for point in front:
        if corners:
            corners.append((point.size, corners[-1][1]))
        corners.append((point.size, point.accuracy))
    if corners and corners[-1][0] < max_size:
        corners.append((max_size, corners[-1][1]))
    return corners


def hypervolume(points: Iterable[FrontPoint], *, max_size: int) -> float:
    """Measure the hypervolume of points: the area that they dominate up to a reference point.

    The plane is `(log2(size + 1), accuracy)`, so that halving a network counts the same at every size and
    softmax alone, with no hidden neurons, has a place. The reference point is
    `(log2(max_size + 1), 0)`. The measure is Zitzler & Thiele's (PPSN 1998, section 3).

    Args:
        points: In any order; dominated points and NaN add nothing.
        max_size: The reference size: points that large or larger add nothing.

    Returns:
        The area, at least 0; divide by `log2(max_size + 1)` for a share.

    Example:
        >>> hypervolume([FrontPoint(0, 1, 0.5), FrontPoint(1, 3, 0.75)], max_size=7)
        1.25
    """
    area, floor, right = 0.0, 0.0, math.log2(max_size + 1)
    for point in pareto_front(points):
        if point.size < max_size and point.accuracy > floor:
            area += (right - math.log2(point.size + 1)) * (point.accuracy - floor)
            floor = point.accuracy
    return area


def levelled_off(before: Iterable[FrontPoint], now: Iterable[FrontPoint], *, max_size: int) -> bool:
    """Say whether a front has gained less than `LEAST_GAIN` of its hypervolume.

    Args:
        before: The front as it was.
        now: The front as it is.
        max_size: Reference size of `hypervolume`.

    Example:
        >>> before = [FrontPoint(0, 1, 0.5), FrontPoint(1, 3, 0.75)]
        >>> levelled_off(before, before, max_size=7), levelled_off(before[:1], before, max_size=7)
        (True, False)
    """
    return hypervolume(now, max_size=max_size) <= hypervolume(before, max_size=max_size) * (1 + LEAST_GAIN)
