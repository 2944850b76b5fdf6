"""Silence: when a worker whose heartbeats do not arrive counts as gone. Pure; `leases` reads the heartbeats."""

from collections.abc import Mapping
from dataclasses import dataclass

from fewest.storage.trials.processes import ProcessState

__all__ = ["BEATS_PER_LEASE", "PATIENCE_WITH_RUNNING", "Sighting", "is_gone", "observe"]

BEATS_PER_LEASE = 3
"""Heartbeats that an observer stores itself before another worker's silence counts."""

PATIENCE_WITH_RUNNING = 10
"""Factor by which a silent worker's lease is longer while its process runs on this host."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An observer's first sight of a worker's present count of heartbeats.

    Attributes:
        beat: The worker's count of heartbeats.
        at_seconds: The observer's monotonic clock at that time.
        own_beats: Heartbeats that the observer itself had stored by that time.
    """

    beat: int
    at_seconds: float
    own_beats: int


def observe(
    seen: Mapping[str, Sighting], beats: Mapping[str, int], at_seconds: float, own_beats: int
) -> dict[str, Sighting]:
    """Update sightings with the counts just read; workers missing from `beats` keep theirs."""
    fresh = {
        worker: Sighting(beat, at_seconds, own_beats)
        for worker, beat in beats.items()
        if worker not in seen or seen[worker].beat != beat
    }
    return {**seen, **fresh}


def is_gone(
    sighting: Sighting,
    at_seconds: float,
    own_beats: int,
    *,
    lease_seconds: float,
    process: ProcessState,
) -> bool:
    """Say whether a worker's trials may be taken over.

    Args:
        sighting: The observer's first sight of the worker's present count.
        at_seconds: The observer's monotonic clock now.
        own_beats: The heartbeats the observer has stored by now.
        lease_seconds: Seconds that the worker may be silent.
        process: The state of the worker's process.

    >>> is_gone(Sighting(7, 0.0, 0), 31.0, 4, lease_seconds=30.0, process="unknown")
    True
    >>> is_gone(Sighting(7, 0.0, 0), 31.0, 1, lease_seconds=30.0, process="unknown")  # Slow for us too.
    False
    >>> is_gone(Sighting(7, 0.0, 0), 0.0, 0, lease_seconds=30.0, process="gone")
    True
    """
    if process == "gone":
        return True
    patience = PATIENCE_WITH_RUNNING if process == "running" else 1
    return (
        at_seconds - sighting.at_seconds >= patience * lease_seconds
        and own_beats - sighting.own_beats >= patience * BEATS_PER_LEASE
    )
