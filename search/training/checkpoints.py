"""Checkpoints of a cohort: saved after epochs as often as is cheap, read when its training goes on.

A checkpoint counts only for the very networks it was taken of, so that one left over from another database under the
same name is passed over. A missing or damaged one means that the cohort starts again.
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
        place: Where they are kept.
        key: Names the cohort within the place.
        networks: The cohort's, in order.
        fence: How often the cohort's trials have changed hands: a former owner's checkpoints count no more.
        due: Says from the seconds since the last checkpoint and from its cost whether to save another.
        clock: Seconds that never go back.
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
        """Takes a snapshot and saves it, if that keeps checkpoints cheap or must be done now."""
        started = self._clock()
        if not now and not self._due(started - self._saved_at, self._cost):
            return
        arrays, meta = take().to_parts()
        self._store.save(self._key, arrays, meta, fence=self._fence)
        self._saved_at = self._clock()
        self._cost = self._saved_at - started

    def load(self) -> Snapshot | None:
        """The last checkpoint, if it is of these networks."""
        saved = self._store.load(self._key)
        if saved is None:
            return None
        snapshot = Snapshot.from_parts(saved.arrays, saved.meta)
        return snapshot if snapshot.networks == self._networks else None

    def remove(self) -> None:
        """Deletes them: the cohort has ended."""
        self._store.remove(self._key)
