"""What training costs, roughly, for a forecast of the time left; results never depend on it.

The figures are of two x86-64 cores with nothing else running. `slowdown` compares the machine at hand with them.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

__all__ = ["Cost", "slowdown"]

PROBE_SECONDS: Final = 8e-3
"""Seconds of `_probe` on the machine that the figures are of."""


class Cost(NamedTuple):
    """Seconds of training, without rounding: what they are multiplied by is a guess, too.

    Attributes:
        start: What the first cohort of a process costs besides.
        cohort: What each cohort costs: its model is built and traced, and its networks scored.
        epoch: What an epoch costs, however few networks train.
        network_epoch: What each network adds to an epoch.
    """

    start: float
    cohort: float
    epoch: float
    network_epoch: float

    def times(self, factor: float) -> "Cost":
        """Return the cost on a machine that is slower by a factor."""
        return Cost(*(factor * seconds for seconds in self))


def slowdown(clock: Callable[[], float] = time.perf_counter) -> float:
    """Measure in a moment how much slower this machine is now than the one that the figures are of.

    Returns:
        Above 1 on a slower machine, or one that others use.
    """
    _probe()
    started = clock()
    for _ in range(5):
        _probe()
    return (clock() - started) / 5 / PROBE_SECONDS


def _probe() -> None:
    """Multiply large matrices, as training mostly does."""
    large = np.ones((1024, 1024), np.float32)
    large @ large
