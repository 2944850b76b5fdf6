"""The check of enqueued trials: their parameters, set through Optuna's own interface, must lie in the study's space.

`study.enqueue_trial` takes any parameters. A request that cannot be trained as it stands is refused, never changed.
"""

from collections.abc import Mapping
from typing import Any

from fewest.search.settings.space import Architecture, SearchSpace, architecture_of, width_name
from fewest.search.settings.stored import shortened

__all__ = ["is_whole", "requested_architecture"]


def requested_architecture(parameters: Mapping[str, Any], space: SearchSpace) -> Architecture | str:
    """Read an architecture from a trial's parameters.

    Args:
        parameters: All or some of `depth` and `width_1` to `width_N`, of any type.
        space: Search space of the study.

    Returns:
        The architecture, or a sentence that says why there is none. Widths beyond the depth are ignored. If the
        parameters name only a part of an architecture, it is `()`; see `is_whole`.

    Example:
        >>> requested_architecture({"depth": 1, "width_1": 5}, space=SearchSpace(2, 1, 8))
        (5,)
        >>> requested_architecture({"depth": 1, "width_1": 0}, space=SearchSpace(2, 1, 8))
        '`width_1` must be a whole number in 1..8, got 0.'
    """
    ranges = {"depth": (0, space.max_depth)}
    ranges |= {width_name(layer): (space.min_width, space.max_width) for layer in range(1, space.max_depth + 1)}
    for name, value in parameters.items():
        if name not in ranges:
            return f"Parameters must be among {', '.join(ranges)}, got {shortened(name)}."
        least, most = ranges[name]
        if type(value) is not int or not least <= value <= most:
            return f"`{name}` must be a whole number in {least}..{most}, got {shortened(value)}."
    return architecture_of(parameters) if is_whole(parameters) else ()


def is_whole(parameters: Mapping[str, Any]) -> bool:
    """Say whether valid parameters name a whole architecture, so that the sampler need not suggest any."""
    return "depth" in parameters and all(width_name(layer) in parameters for layer in range(1, parameters["depth"] + 1))
