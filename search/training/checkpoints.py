"""Checkpoints of a cohort: saved after epochs as often as is cheap, loaded when its training continues.

A checkpoint is valid only for the exact networks that it was taken of. One left over from another database under the
same name is ignored. Without a valid checkpoint the cohort starts again.
"""

import time
from collections.abc import Callable, Sequence

from fewest.search.settings.space import Network
from fewest.search.training.snapshot import Snapshot
from fewest.storage.files.checkpoints import CheckpointStore, is_due
from fewest.storage.files.places import Place

__all__ = ["CohortCheckpoints"]


class CohortCheckpoints:
    """The checkpoints of one cohort.

    Args:
        place: The folder or bucket of the files.
        key: The cohort's name within the place.
        networks: The cohort's networks, in order.
        fence: The fence of the cohort's trials; makes a former owner's checkpoints invalid.
        due: Says whether to save another, from the seconds since the last checkpoint and the seconds it took.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        place: Place,
        key: str,
        networks: Sequence[Network],
        fence: int,
        *,
        due: Callable[[float, float], bool] = is_due,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._key, self._fence = CheckpointStore(place), key, fence
        self._networks = tuple(networks)
        self._due, self._clock = due, clock
        self._saved_at, self._cost = clock(), 0.0

    def save(self, take: Callable[[], Snapshot], *, now: bool = False) -> None:
        """Take and save a snapshot if one is due, or in any case with `now`."""
        started = self._clock()
        if not now and not self._due(started - self._saved_at, self._cost):
            return
        arrays, meta = take().to_parts()
        self._store.save(self._key, arrays, meta, fence=self._fence)
        self._saved_at = self._clock()
        self._cost = self._saved_at - started

    def load(self) -> Snapshot | None:
        """Load the last checkpoint, if it is of these networks; else return None."""
        saved = self._store.load(self._key)
        if saved is None:
            return None
        snapshot = Snapshot.from_parts(saved.arrays, saved.meta)
        return snapshot if snapshot.networks == self._networks else None

    def remove(self) -> None:
        """Delete the checkpoints of an ended cohort."""
        self._store.remove(self._key)
