"""Target accuracies: numbers, and those relative to the best, such as "best - 0.01".

The best is what the study's most accurate network typically reaches; `verification` measures it when the search has
ended. Until then a relative target has no value. `docs/decisions/0038-relative-targets.md` says why it is measured so.
"""

import math
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = ["Asked", "Target", "in_order", "mean_rounded_down", "parsed", "unvalued", "valued"]

Asked: TypeAlias = float | str
"""A target as a study's settings have it: an accuracy in 0..1, "best", or "best - 0.01"."""

_RELATIVE: Final = re.compile(r"best\s*(?:-\s*(\d+(?:\.\d*)?|\.\d+))?", re.IGNORECASE)

_DECIMALS: Final = 4


class Target(NamedTuple):
    """A target that has a value.

    Attributes:
        accuracy: The test accuracy to reach, in 0..1.
        asked: What was asked where that is not the accuracy itself, such as "best - 0.01"; else None.
    """

    accuracy: float
    asked: str | None = None


def parsed(asked: Any, name: str = "`budget.targets`") -> Asked:
    """Check one target, and write it in one way.

    Raises:
        ValueError: It is neither an accuracy nor relative to the best.

    >>> parsed("0.9"), parsed("Best-.010"), parsed("best")
    (0.9, 'best - 0.01', 'best')
    """
    if (
        isinstance(asked, str)
        and (match := _RELATIVE.fullmatch(asked.strip()))
        and (less := round(float(match[1] or 0), 10)) < 1
    ):
        return f"best - {less:.10f}".rstrip("0").rstrip(".") if less else "best"
    try:
        accuracy = math.nan if isinstance(asked, bool) else float(asked)
    except (TypeError, ValueError):
        accuracy = math.nan
    for wrong, limit in ((accuracy <= 0, "greater than 0.0"), (accuracy >= 1, "less than 1.0")):
        if wrong:
            raise ValueError(f"{name} must be {limit}, got {asked!r}.")
    if math.isnan(accuracy):
        raise ValueError(f"{name} must be an accuracy such as 0.95, or relative such as 'best - 0.01', got {asked!r}.")
    return accuracy


def in_order(targets: Iterable[Asked]) -> tuple[Asked, ...]:
    """List each target once: numbers rising, then relative ones rising.

    >>> in_order(["best", 0.9, "best - 0.01", 0.8, 0.9])
    (0.8, 0.9, 'best - 0.01', 'best')
    """
    numbers = {asked for asked in targets if not isinstance(asked, str)}
    relative = {asked for asked in targets if isinstance(asked, str)}
    return (*sorted(numbers), *sorted(relative, key=_less, reverse=True))


def valued(targets: Iterable[Asked], best: float | None) -> list[Target]:
    """Return the targets that have a value, rising; of equal ones the relative one stands for both.

    Args:
        targets: Targets as settings have them.
        best: What relative ones are relative to; None leaves them out. A target below 0 is one of 0.

    >>> valued([0.9, 0.95, "best - 0.01"], 0.96)
    [Target(accuracy=0.9, asked=None), Target(accuracy=0.95, asked='best - 0.01')]
    """
    found: dict[float, Target] = {}
    for asked in in_order(targets):
        if not isinstance(asked, str):
            found[asked] = Target(asked)
        elif best is not None:
            accuracy = max(0.0, round(best - _less(asked), 10))
            found[accuracy] = Target(accuracy, asked)
    return [found[accuracy] for accuracy in sorted(found)]


def unvalued(targets: Iterable[Asked], best: float | None) -> tuple[str, ...]:
    """Return the targets that have no value yet, rising."""
    return tuple(asked for asked in in_order(targets) if isinstance(asked, str) and best is None)


def mean_rounded_down(accuracies: Iterable[float]) -> float:
    """Return the best that accuracies of one architecture stand for: their mean, rounded down to four decimals.

    Rounded up, the best of networks that all reach 0.99999 would be a 1 that none reaches.

    >>> mean_rounded_down([0.9712, 0.9713, 0.9717])
    0.9714
    """
    known = [*accuracies]
    return math.floor(math.fsum(known) / len(known) * 10**_DECIMALS + 1e-6) / 10**_DECIMALS


def _less(asked: str) -> float:
    """Return the distance from the best that a relative target, as `parsed` writes it, allows."""
    _, _, less = asked.partition("-")
    return float(less or 0)
