"""How often a worker saves, tells that it is alive, and looks again."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from fewest.storage.files.checkpoints import is_due
from fewest.storage.trials.leases import LEASE_SECONDS

__all__ = ["USUAL", "Pace"]


@dataclass(frozen=True)
class Pace:
    """How often a worker does what costs time.

    Attributes:
        checkpoint_due: Says from the seconds since the last checkpoint and from its cost whether to save another.
        lease_seconds: How long the worker may be silent before others take its trials.
        poll_seconds: How long it waits, while others train, before it looks again.
        idle_seconds: How long it waits, while no study has work, before it looks for a new one.
        sleep: Waits so many seconds, while no study has work.
    """

    checkpoint_due: Callable[[float, float], bool] = is_due
    lease_seconds: float = LEASE_SECONDS
    poll_seconds: float = 1.0
    idle_seconds: float = 2.0
    sleep: Callable[[float], None] = time.sleep


USUAL = Pace()
