"""The bracket: trials around each target's crossing in one hidden layer, which follow the ladder.

The ladder's widths double, so it leaves a target's crossing between two of them. A few widths between narrow it down
enough for a first verification. A study whose goal is the answer alone searches no further. So it also tries deeper
networks of the crossing's size: they are what could beat one layer.

Pure: the ladder's accuracies in, architectures out. Only what is stored decides a bracket, so it is the same whenever
and by whomever it is worked out.
"""

import math
from collections.abc import Iterable, Mapping

from fewest.search.settings.space import Architecture, SearchSpace

__all__ = ["OFFSETS", "bracket", "crossing_width"]

OFFSETS = (-2, -1, 0, 1)
"""Widths tried, as steps from the crossing. Accuracy rises ever slower with width, so it lies rather below."""

LEAST_ERROR = 1e-4
"""Least error, so that an accuracy of 1 has a level."""


def bracket(
    ladder: Mapping[Architecture, float], targets: Iterable[float], space: SearchSpace, *, deeper: bool
) -> list[Architecture]:
    """Return the architectures to try after the ladder, by depth and then from small to large.

    Args:
        ladder: Validation accuracies of the ladder's networks; those that failed are left out.
        targets: Accuracies asked for. A target that the ladder does not reach has no crossing.
        space: The study's search space.
        deeper: Whether deeper networks of the crossing's size are tried as well.

    Example:
        >>> ladder = {(): 0.5, (1,): 0.3, (2,): 0.5, (4,): 0.7, (8,): 0.84}
        >>> bracket(ladder, [0.78], SearchSpace(2, 1, 8), deeper=True)
        [(4,), (5,), (6,), (7,), (3, 3), (4, 2)]
    """
    chosen: set[Architecture] = set()
    for target in targets:
        crossing = crossing_width(ladder, target)
        if crossing is None:
            continue
        step = max(1, round(crossing / 15))
        widths = (round(crossing) + offset * step for offset in OFFSETS)
        chosen |= {(width,) for width in widths if (width,) in space}
        if deeper:
            chosen |= {
                shape
                for depth in range(2, space.max_depth + 1)
                for shape in _shapes(round(crossing), depth)
                if shape in space
            }
    return sorted(chosen, key=lambda architecture: (len(architecture), sum(architecture), architecture))


def crossing_width(ladder: Mapping[Architecture, float], target: float) -> float | None:
    """Interpolate the width at which one hidden layer first reaches a target; None if the ladder does not.

    The error's logarithm is taken to fall evenly with the width's.

    >>> round(crossing_width({(8,): 0.9, (16,): 0.96, (4,): 0.8}, 0.95), 1)
    13.5
    """
    steps = sorted((widths[0], accuracy) for widths, accuracy in ladder.items() if len(widths) == 1)
    for place, (width, accuracy) in enumerate(steps):
        if accuracy < target:
            continue
        if place == 0:
            return float(width)
        narrower, below = steps[place - 1]
        start, end, goal = (math.log(max(1.0 - value, LEAST_ERROR)) for value in (below, accuracy, target))
        share = (goal - start) / (end - start) if end < start else 1.0
        return float(narrower * (width / narrower) ** share)
    return None


def _shapes(size: int, depth: int) -> list[Architecture]:
    """Return two shapes of a size: equal layers, and layers that shrink evenly; none for fewer neurons than layers.

    >>> _shapes(13, 2), _shapes(13, 3), _shapes(1, 2)
    ([(7, 6), (9, 4)], [(5, 4, 4), (7, 4, 2)], [])
    """
    return [_split(size, weights) for weights in ([1] * depth, range(depth, 0, -1)) if size >= depth]


def _split(size: int, weights: Iterable[int]) -> Architecture:
    """Deal neurons to layers in proportion to weights, at least one each, the first layer taking the remainder."""
    parts = list(weights)
    widths = [max(1, size * part // sum(parts)) for part in parts]
    left = size - sum(widths)
    return tuple(width + (left // len(parts)) + (layer < left % len(parts)) for layer, width in enumerate(widths))
