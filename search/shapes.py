"""The same shape of another size."""

import math
from collections.abc import Mapping

from search.space import Architecture, SearchSpace, n_neurons

__all__ = ["shape_of_size"]


def shape_of_size(size: int, depth: int, known: Mapping[int, Architecture], space: SearchSpace) -> Architecture:
    """The shape that stands for a size: the known one, or the nearest known one scaled in proportion.

    Scaling gives each layer its share rounded down, and what is left over to the layers that lost most, the
    first ones on a tie; widths outside the space hand their excess on to the others.

    >>> space = SearchSpace(max_depth=2, min_width=1, max_width=16)
    >>> shape_of_size(20, 2, {20: (12, 8)}, space), shape_of_size(10, 2, {20: (12, 8)}, space)
    ((12, 8), (6, 4))
    >>> shape_of_size(7, 1, {}, space), shape_of_size(31, 2, {20: (12, 8)}, space)
    ((7,), (16, 15))
    """
    if size in known:
        return known[size]
    model = known[min(known, key=lambda other: (abs(other - size), other))] if known else (1,) * depth
    exact = [width * size / n_neurons(model) for width in model]
    widths = [min(max(math.floor(width), space.min_width), space.max_width) for width in exact]
    while (missing := size - sum(widths)) != 0:
        step = 1 if missing > 0 else -1
        movable = [layer for layer in range(depth) if space.min_width <= widths[layer] + step <= space.max_width]
        layer = max(movable, key=lambda layer: (step * (exact[layer] - widths[layer]), -layer))
        widths[layer] += step
    return tuple(widths)
