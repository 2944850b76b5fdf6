"""The intervals between a worker's checkpoints, heartbeats and looks at the storage."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from fewest.storage.files.checkpoints import is_due
from fewest.storage.trials.leases import LEASE_SECONDS

__all__ = ["USUAL", "Pace"]


@dataclass(frozen=True)
class Pace:
    """The intervals of a worker's costly actions.

    Attributes:
        checkpoint_due: Function that says whether to save again, from the seconds since the last checkpoint and the
            seconds that it cost.
        lease_seconds: Seconds without a heartbeat after which other workers take the trials.
        poll_seconds: Seconds between two looks while other workers train.
        idle_seconds: Seconds between two looks while no study has work.
        sleep: Function that waits for a number of seconds while no study has work.
    """

    checkpoint_due: Callable[[float, float], bool] = is_due
    lease_seconds: float = LEASE_SECONDS
    poll_seconds: float = 1.0
    idle_seconds: float = 2.0
    sleep: Callable[[float], None] = time.sleep


USUAL = Pace()
