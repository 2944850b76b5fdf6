"""Shapes of deeper networks: the shape that reaches a target with the fewest neurons, scaled to other sizes.

One trial's accuracy says little about its shape, since small networks vary much with their seed. All trials of a depth
together say more: accuracy changes smoothly with the widths. So a response surface is fitted (Box & Wilson 1951),

    -log(1 - accuracy) = quadratic in the layers' log2 widths + noise,

and the smallest size is sought from which on the best shape of every size is predicted to reach the target.

*Nearness to the target.* A quadratic fits near the target, but not over the whole space. So trials are weighted by the
distance of their fitted level from the target. By their own accuracy, lucky trials of too small networks would count
most.
*Failed trainings* do not bend the surface: Tukey's bisquare of the residuals also weights trials (Beaton & Tukey
1974). Both weights follow from a fit, so fits and weights alternate, as in Cleveland (1979).
*Few trials* suffice for so many terms through a ridge (Hoerl & Kennard 1970). It draws terms not to zero but to a prior
for layered networks: all layers matter alike, and at one size equal widths do best, since a bottleneck costs accuracy.

Ridge and curvature were chosen on replays of recorded searches: `docs/measurements/shapes.md`.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.settings.space import Architecture, SearchSpace, n_neurons

__all__ = ["crossing_shape", "shape_of_size"]

Array = NDArray[np.float64]

NEAR = 0.7
"""Difference from the target's level at which a trial weighs exp(-1/2): half or twice the target's error."""

ROUNDS = 6
"""Number of fits, each with weights from the one before."""

OUTLIER = 4.685
"""Standard deviations beyond which a residual has no weight; 95 % efficient for normal residuals."""

LEAST_SPREAD = 0.01
"""Smallest spread of the residuals, as a level: a hundredth of the error."""

RIDGE = 32.0
"""Strength of the prior on each term, in trials near the target at a factor of two from the middle."""

CURVATURE = 0.2
"""Level that the prior subtracts for each squared factor of two between a width and the layers' mean."""

LEAST_ERROR = 1e-4
"""Smallest error that counts: larger accuracies have this error's level."""

PARTS = 16
"""Equal parts of a network's size; each layer has a whole number of them: Scheffé's simplex lattice (1958)."""

N_SIZES = 256
"""Most sizes compared, equally far apart in their logarithm where they are not neighbours."""

DECIMALS = 6
"""Decimals of the compared predictions, so that all machines choose alike."""


def crossing_shape(trials: Iterable[tuple[Architecture, float]], target: float, space: SearchSpace) -> Architecture:
    """Return the smallest network that is predicted to reach a target, in the best shape of its size.

    Args:
        trials: Architectures of one depth, at least one and all in the space, and the validation accuracy of each; in
            any order.
        target: The accuracy to reach, 0..1.
        space: The search space, which bounds the widths.

    Returns:
        A network within the sizes tried. If none is predicted to reach the target, it is the one predicted best.
        With fewer trials than the surface has terms, it is the smallest trial that reached the target, else the
        best one.
    """
    found = sorted(trials)
    widths = np.array([architecture for architecture, _ in found], np.float64)
    depth = widths.shape[1]
    if len(found) < 1 + depth + depth * (depth + 1) // 2:
        return _smallest_that_reached(found, target)
    goal = float(_level(np.float64(target)))
    surface = _fit(np.log2(widths), _level(np.array([accuracy for _, accuracy in found])), goal)
    size, shares = _smallest_predicted(surface, widths, goal)
    return _scaled(shares, size, space)


def shape_of_size(size: int, depth: int, known: Mapping[int, Architecture], space: SearchSpace) -> Architecture:
    """Return the shape for a size: the known one, or the nearest known one scaled in proportion.

    Scaling rounds each layer's share down. The neurons left over go to the layers that lost most, the first ones on a
    tie. Widths outside the space are cut, and their excess goes to the other layers.

    >>> space = SearchSpace(max_depth=2, min_width=1, max_width=16)
    >>> shape_of_size(20, 2, {20: (12, 8)}, space), shape_of_size(10, 2, {20: (12, 8)}, space)
    ((12, 8), (6, 4))
    >>> shape_of_size(7, 1, {}, space), shape_of_size(31, 2, {20: (12, 8)}, space)
    ((7,), (16, 15))
    """
    if size in known:
        return known[size]
    model = known[min(known, key=lambda other: (abs(other - size), other))] if known else (1,) * depth
    return _scaled(model, size, space)


class _Surface(NamedTuple):
    """A fitted quadratic.

    Attributes:
        centre: The log2 width that is subtracted from every layer's.
        coefficients: Coefficients of `_terms`, `(terms,)`.
    """

    centre: float
    coefficients: Array

    def level(self, logs: Array) -> Array:
        """Predict levels, `(networks,)`, from log2 widths, `(networks, layers)`."""
        return _terms(logs - self.centre) @ self.coefficients


def _scaled(model: Architecture, size: int, space: SearchSpace) -> Architecture:
    exact = [width * size / n_neurons(model) for width in model]
    widths = [min(max(math.floor(width), space.min_width), space.max_width) for width in exact]
    while (missing := size - sum(widths)) != 0:
        step = 1 if missing > 0 else -1
        movable = [layer for layer, width in enumerate(widths) if space.min_width <= width + step <= space.max_width]
        layer = max(movable, key=lambda layer: (step * (exact[layer] - widths[layer]), -layer))
        widths[layer] += step
    return tuple(widths)


def _smallest_that_reached(found: Sequence[tuple[Architecture, float]], target: float) -> Architecture:
    ranked = sorted(found, key=lambda one: (n_neurons(one[0]), -one[1], one[0]))
    reached = (architecture for architecture, accuracy in ranked if accuracy >= target)
    return next(reached, max(ranked, key=lambda one: one[1])[0])


def _smallest_predicted(surface: _Surface, widths: Array, goal: float) -> tuple[int, Architecture]:
    """Return the smallest size from which on all reach the goal, up to the best one, and its best shape.

    The shape is in parts of `PARTS`. A layer wider than any tried counts as the widest tried.
    """
    lattice = _lattice(widths.shape[1])
    smallest, largest = widths.sum(axis=1).min(), widths.sum(axis=1).max()
    sizes = np.unique(np.rint(np.geomspace(smallest, largest, N_SIZES)).astype(int)).tolist()
    scaled = (np.minimum(np.array(lattice) * (size / PARTS), widths.max(axis=0)) for size in sizes)
    levels = np.round([surface.level(np.log2(shapes)) for shapes in scaled], DECIMALS)
    best = levels.max(axis=1)
    short = np.flatnonzero(best[: int(np.argmax(best))] < goal)
    place = int(short[-1]) + 1 if short.size else 0
    return sizes[place], lattice[int(np.argmax(levels[place]))]


def _lattice(depth: int) -> list[Architecture]:
    """List all ways to deal `PARTS` parts to the layers, at least one each; the most equal come first.

    >>> _lattice(2)[:3], len(_lattice(3))
    ([(8, 8), (7, 9), (9, 7)], 105)
    """
    cuts = itertools.combinations(range(1, PARTS), depth - 1)
    shapes = (tuple(b - a for a, b in itertools.pairwise((0, *cut, PARTS))) for cut in cuts)
    return sorted(shapes, key=lambda shape: (math.hypot(*shape), shape))


def _fit(logs: Array, levels: Array, goal: float) -> _Surface:
    """Fit the surface near the goal; if no fitted level reaches as far, near the closest one.

    Args:
        logs: log2 widths, `(trials, layers)`.
        levels: Levels of the trials' accuracies, `(trials,)`.
        goal: The target's level.
    """
    near = sound = np.ones(len(levels))
    for _ in range(ROUNDS):
        surface = _ridge(logs, levels, near * sound)
        fitted = surface.level(logs)
        near = np.exp(-0.5 * ((fitted - np.clip(goal, fitted.min(), fitted.max())) / NEAR) ** 2)
        sound = _bisquare(levels - fitted, near)
    return surface


def _ridge(logs: Array, levels: Array, weights: Array) -> _Surface:
    """Fit by least squares with a ridge to the prior; the ridge leaves level and mean slope almost free.

    Args:
        logs: log2 widths, `(trials, layers)`.
        levels: Levels of the trials' accuracies, `(trials,)`.
        weights: Weights of the trials, `(trials,)`, not negative.
    """
    depth = logs.shape[1]
    centre = float(np.average(logs.mean(axis=1), weights=weights + 1e-9))
    terms = _terms(logs - centre)
    first, second = np.triu_indices(depth)
    # Projects on differences between layers: the prior and the slopes' penalty leave their mean alone.
    unlike = np.eye(depth) - 1.0 / depth
    prior = np.concatenate([np.zeros(1 + depth), -CURVATURE * unlike[first, second] * np.where(first == second, 1, 2)])
    penalty = RIDGE * np.eye(len(prior))
    penalty[0, 0], penalty[1 : 1 + depth, 1 : 1 + depth] = 0.0, RIDGE * unlike
    # Keeps the level and the mean slope determined when all weights are tiny.
    penalty += 1e-6 * np.eye(len(prior))
    weighted = terms.T * weights
    return _Surface(centre, np.linalg.solve(weighted @ terms + penalty, weighted @ levels + penalty @ prior))


def _terms(offsets: Array) -> Array:
    """Return `(networks, terms)`: one, each layer's offset, and all products of two, squares included.

    >>> _terms(np.array([[2.0, 3.0]])).tolist()
    [[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]
    """
    first, second = np.triu_indices(offsets.shape[1])
    return np.hstack([np.ones((len(offsets), 1)), offsets, offsets[:, first] * offsets[:, second]])


def _bisquare(residuals: Array, weights: Array) -> Array:
    """Return Tukey's weights of residuals; their spread comes from their median size, weighted by `weights`."""
    sizes = np.abs(residuals)
    order = np.argsort(sizes, kind="stable")
    mass = np.cumsum(weights[order])
    median = float(sizes[order][np.searchsorted(mass, mass[-1] / 2)])
    limit = OUTLIER * max(1.4826 * median, LEAST_SPREAD)  # 1.4826 makes it a normal sd
    return (1.0 - np.minimum(sizes / limit, 1.0) ** 2) ** 2


def _level(accuracies: Array | np.float64) -> Array:
    """Return `-log(1 - accuracy)`: equal steps are equal shares of the error."""
    return np.asarray(-np.log(np.maximum(1.0 - accuracies, LEAST_ERROR)))
