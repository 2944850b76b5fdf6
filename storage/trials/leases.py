"""Leases: which worker trains which trial, and who may take over from a worker that is gone.

A worker is a row that counts its heartbeats. A lease is a row that names a trial's worker and its fence. The fence
rises whenever the trial changes hands. No clocks are compared between machines.

A worker counts as gone when its count has not changed for `lease_seconds` by the observer's monotonic clock *and* for
several of the observer's own heartbeats. So a database that is slow or locked for everybody extends every lease. On
the observer's own host the process table decides instead. A worker learns at its next heartbeat that it lost a trial.
The database refuses its later writes under the old fence, within the same transaction.

One assumption: while an observer manages `BEATS_PER_LEASE` heartbeats over at least `lease_seconds`, a living worker
on another host manages one. If that fails, a living worker loses trials; still, neither it nor the new owner
overwrites the other.

    leases = Leases(database)
    leases.start_heartbeat()                # in a thread of its own
    ids = storage.create_trials(study_id, templates, leases=leases)
    ids += leases.adopt(leases.orphans(study_id))
    ...                                     # at each epoch's end: drop what is not in leases.held()
    leases.stop()
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage.database.sql import has_table, insert, insert_new
from fewest.storage.database.tables import leases, trials, workers
from fewest.storage.database.transactions import reading, write
from fewest.storage.trials.processes import Process, ProcessState, state_of, this_process

__all__ = [
    "BEATS_PER_LEASE",
    "LEASE_SECONDS",
    "Leases",
    "Sighting",
    "foreign_hosts",
    "is_gone",
    "lost_trials",
    "observe",
]

LEASE_SECONDS = 30.0
"""Seconds that a worker on another host may be silent."""

BEATS_PER_LEASE = 3
"""Heartbeats that an observer stores itself before another worker's silence counts."""

PATIENCE_WITH_RUNNING = 10
"""Factor by which a silent worker's lease is longer while its process runs on this host."""

_logger = logging.getLogger(__name__)

_living: set[str] = set()
"""This process's workers that are not stopped; a living process alone does not show that a worker lives."""


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


class _Leased(NamedTuple):
    """A trial's lease."""

    trial_id: int
    leased: bool
    """Whether the trial ever had a lease; trials of other programs have none."""
    worker_id: str | None
    """The worker; None if the lease was released."""
    beat: int
    lease_seconds: float
    process: Process | None


class Leases:
    """The leases of one worker. Safe to use from several threads.

    Args:
        database: The database of a storage opened with `create=True`.
        worker_id: An id unique among all workers, ever; generated by default.
        lease_seconds: Seconds that this worker may be silent before others take its trials. Its heartbeat runs
            four times in that time.
        clock: A monotonic clock, in seconds.
        process: The worker's process.
    """

    def __init__(
        self,
        database: Database,
        worker_id: str | None = None,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        process: Process | None = None,
    ) -> None:
        if not lease_seconds > 0:
            raise ValueError(f"`lease_seconds` must be above 0, got {lease_seconds}.")
        self.worker_id = worker_id or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.lease_seconds = lease_seconds
        self._database = database
        self._clock = clock
        self._process = process or this_process()
        self._lock = threading.Lock()
        self._fences: dict[int, int] = {}
        self._own_beats = 0
        self._seen: dict[str, Sighting] = {}
        self._gone_at_beat: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def held(self) -> frozenset[int]:
        """Return the ids of the trials that this worker holds, as of its last heartbeat."""
        with self._lock:
            return frozenset(self._fences)

    def fences(self) -> dict[int, int]:
        """Return the fence of each trial held, for `write_curves`."""
        with self._lock:
            return dict(self._fences)

    def beat(self) -> frozenset[int]:
        """Show that this worker is alive, and learn which of its trials were taken.

        Returns:
            The ids of trials that another worker has taken; they are no longer held.

        Raises:
            StorageError: The heartbeat could not be written.
        """
        before = self.fences()
        mine = write(self._database, self._beat)
        with self._lock:
            self._own_beats += 1
            lost = frozenset(
                trial_id
                for trial_id, fence in before.items()
                if mine.get(trial_id) != fence and self._fences.get(trial_id) == fence
            )
            for trial_id in lost:
                del self._fences[trial_id]
        if lost:
            _logger.warning("Trials %s were taken over by another worker; this one drops them.", sorted(lost))
        return lost

    def acquire(self, trial_ids: Iterable[int]) -> frozenset[int]:
        """Take the leases of trials that no worker ever held, such as new ones from `study.ask`.

        Returns:
            The ids of the trials won.

        Raises:
            StorageError: The leases could not be written.
        """
        wanted = sorted(set(trial_ids))

        def work(connection: Connection) -> dict[int, int]:
            rows = [{"trial_id": trial_id, "worker_id": self.worker_id, "fence": 1} for trial_id in wanted]
            self._register(connection, beats=0)
            connection.execute(insert_new(connection, leases), rows)
            mine = (leases.c.worker_id == self.worker_id) & leases.c.trial_id.in_(wanted)
            return _fences(connection, mine)

        won = write(self._database, work) if wanted else {}
        self.note(won)
        return frozenset(won)

    def insert(self, connection: Connection, trial_ids: Iterable[int]) -> dict[int, int]:
        """Take the leases of trials that the same transaction creates or claims, from any former holder.

        Returns:
            The fences by trial id. After the commit, pass them to `note`.
        """
        wanted = sorted(set(trial_ids))
        if not wanted:
            return {}
        self._register(connection, beats=0)
        # A fence must never be used again, or a former worker's writes would be accepted.
        statement = insert(connection, leases).on_conflict_do_update(
            index_elements=["trial_id"],
            set_={"worker_id": self.worker_id, "fence": leases.c.fence + 1},
        )
        connection.execute(
            statement,
            [{"trial_id": trial_id, "worker_id": self.worker_id, "fence": 1} for trial_id in wanted],
        )
        return _fences(connection, leases.c.trial_id.in_(wanted))

    def note(self, fences: Mapping[int, int]) -> None:
        """Record the leases that `insert` took as held."""
        with self._lock:
            self._fences |= fences

    def forget(self, trial_ids: Iterable[int]) -> None:
        """Stop holding trials that have ended or belong to another worker."""
        with self._lock:
            for trial_id in trial_ids:
                self._fences.pop(trial_id, None)

    def release(self, trial_ids: Iterable[int] | None = None) -> None:
        """Release unfinished trials: any worker may adopt them at once.

        Args:
            trial_ids: The trials' ids; None for all trials held.

        Raises:
            StorageError: The release could not be written. The trials are no longer held all the same, and become
                free once this worker counts as gone.
        """
        given_up = self.held() if trial_ids is None else set(trial_ids)
        self.forget(given_up)
        if given_up:
            mine = (leases.c.worker_id == self.worker_id) & leases.c.trial_id.in_(given_up)
            statement = sa.update(leases).where(mine).values(worker_id=None)
            write(self._database, lambda connection: connection.execute(statement))

    def orphans(self, study_id: int) -> list[int]:
        """Find a study's running trials without a living worker, by number; counts as a heartbeat.

        A worker must be seen silent at least twice, `lease_seconds` apart, so call this repeatedly. The same holds
        for trials without a lease, which belong to another program. Two kinds are found at once: released trials,
        and trials of a process that this host knows to be gone.

        Raises:
            StorageError: The database cannot be read or written.
        """
        return self._orphans((trials.c.study_id == study_id) & (trials.c.state == "RUNNING"))

    def claim(self, trial_id: int) -> bool:
        """Take the lease of an ended trial, for work on its study that needs a single worker.

        Returns:
            Whether this worker holds the lease now, or did already. If not, ask again later: as with `orphans`, a
            holder that is gone must first be seen silent.

        Raises:
            StorageError: The database cannot be read or written.
        """
        ended = (trials.c.trial_id == trial_id) & (trials.c.state != "RUNNING")
        return bool(self.acquire([trial_id]) or self._take_over(self._orphans(ended), ended))

    def _orphans(self, condition: sa.ColumnElement[bool]) -> list[int]:
        """Find the trials under a condition that may be adopted; counts as a heartbeat."""
        self.beat()
        with reading(self._database) as connection:
            found = _leased_trials(connection, condition)
        now = self._clock()
        with self._lock:
            beats = {_silent_one(trial): trial.beat for trial in found if trial.worker_id != self.worker_id}
            self._seen = observe(self._seen, beats, now, self._own_beats)
            orphaned = [trial for trial in found if self._is_orphan(trial, now)]
            self._gone_at_beat |= {_silent_one(trial): trial.beat for trial in orphaned}
        return [trial.trial_id for trial in orphaned]

    def adopt(self, trial_ids: Iterable[int]) -> frozenset[int]:
        """Take over trials whose workers are gone; of several workers that try, each trial goes to one.

        Args:
            trial_ids: Ids that `orphans` returned.

        Returns:
            The ids of the trials won. Their new fence keeps the former worker from writing.

        Raises:
            StorageError: The leases could not be written.
        """
        return self._take_over(trial_ids, trials.c.state == "RUNNING")

    def _take_over(self, trial_ids: Iterable[int], condition: sa.ColumnElement[bool]) -> frozenset[int]:
        """Adopt those trials for which the condition still holds."""
        wanted = trials.c.trial_id.in_(asked := set(trial_ids)) & condition
        with self._lock:
            gone_at_beat = dict(self._gone_at_beat)
        won = write(self._database, lambda connection: self._adopt(connection, wanted, gone_at_beat)) if asked else {}
        self.note(won)
        return frozenset(won)

    def start_heartbeat(self) -> None:
        """Write a heartbeat now, and from then on in a separate thread, until `stop`.

        Raises:
            StorageError: The first heartbeat could not be written; later failures are logged and retried.
        """
        self.beat()
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="fewest-heartbeat", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the heartbeat, release all trials and remove this worker; others can resume the trials at once.

        An unreachable database is only logged: the trials are then free once this worker counts as gone.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        _living.discard(self.worker_id)
        try:
            self.release()
            write(
                self._database,
                # Foreign keys set the worker of any lease left to NULL.
                lambda connection: connection.execute(sa.delete(workers).where(workers.c.worker_id == self.worker_id)),
            )
        except OSError as error:
            _logger.warning("The leases could not be given up, and expire by themselves: %s", error)

    def _run(self) -> None:
        failing = False
        while not self._stop.wait(self.lease_seconds / 4):
            try:
                self.beat()
                failing = False
            except Exception as error:  # Any error: a worker without a heartbeat would lose its trials.
                if not failing:
                    _logger.warning("The heartbeat failed and is tried again: %s", error)
                failing = True

    def _beat(self, connection: Connection) -> dict[int, int]:
        """Count one heartbeat; return the fences of the trials that this worker holds."""
        self._register(connection, beats=1)
        return _fences(connection, leases.c.worker_id == self.worker_id)

    def _register(self, connection: Connection, *, beats: int) -> None:
        """Ensure that this worker's row exists, since leases refer to it, and count its heartbeats up."""
        _living.add(self.worker_id)
        own = workers.c.worker_id == self.worker_id
        known = connection.execute(sa.update(workers).where(own).values(beat=workers.c.beat + beats))
        if known.rowcount == 0:
            connection.execute(
                insert_new(connection, workers),
                {
                    "worker_id": self.worker_id,
                    "host": self._process.host,
                    "boot": self._process.boot,
                    "pid": self._process.pid,
                    "started": self._process.started,
                    "lease_seconds": self.lease_seconds,
                    "beat": 0,
                },
            )

    def _adopt(
        self, connection: Connection, wanted: sa.ColumnElement[bool], gone_at_beat: Mapping[str, int]
    ) -> dict[int, int]:
        """Compare and swap: adopt only from workers without a heartbeat since they were judged."""
        running = list(
            connection.scalars(
                sa.select(trials.c.trial_id)
                .where(wanted)
                .order_by(trials.c.trial_id)
                .with_for_update(read=True, key_share=True)
            )
        )
        self._register(connection, beats=0)
        unleased = [trial_id for trial_id in running if _unleased(trial_id) in gone_at_beat]
        if unleased:
            # Insert a released lease, unless the trial's program or another adopter has taken one by now.
            rows = [{"trial_id": trial_id, "worker_id": None, "fence": 0} for trial_id in unleased]
            connection.execute(insert_new(connection, leases), rows)
        held = sa.select(leases.c.trial_id, leases.c.worker_id, leases.c.fence)
        rows_found = connection.execute(
            held.where(leases.c.trial_id.in_(running)).order_by(leases.c.trial_id).with_for_update()
        ).all()
        still_gone = _still_silent(connection, gone_at_beat)
        won: dict[int, int] = {}
        for trial_id, worker_id, fence in rows_found:
            if worker_id == self.worker_id:  # Taken by an earlier attempt of this call; its commit's answer was lost.
                won[trial_id] = fence
            elif worker_id is None or worker_id in still_gone:
                won[trial_id] = fence + 1
        if won:
            connection.execute(
                sa.update(leases)
                .where(leases.c.trial_id == sa.bindparam("adopted"))
                .values(worker_id=self.worker_id, fence=sa.bindparam("new_fence")),
                [{"adopted": trial_id, "new_fence": fence} for trial_id, fence in won.items()],
            )
        # Remove the rows of workers that are gone and hold nothing.
        holding = sa.select(leases.c.worker_id).where(leases.c.worker_id.is_not(None))
        connection.execute(
            sa.delete(workers).where(workers.c.worker_id.in_(still_gone), workers.c.worker_id.not_in(holding))
        )
        return won

    def _is_orphan(self, trial: _Leased, now: float) -> bool:
        if trial.worker_id == self.worker_id:
            return False
        if trial.leased and trial.worker_id is None:
            return True
        return is_gone(
            self._seen[_silent_one(trial)],
            now,
            self._own_beats,
            lease_seconds=max(trial.lease_seconds, self.lease_seconds),
            process=self._state_of(trial),
        )

    def _state_of(self, trial: _Leased) -> ProcessState:
        if trial.process is None:
            return "unknown"
        if trial.process == self._process:
            return "running" if trial.worker_id in _living else "gone"
        return state_of(trial.process)


def foreign_hosts(database: Database) -> list[str]:
    """Return the names of other machines with workers at this storage; on SQLite a reason to warn.

    Containers on this machine are not foreign. Machines without a known kernel boot are never named.

    Raises:
        StorageError: The database cannot be read.
    """
    here = this_process().boot.partition(" ")[0]
    with reading(database) as connection:
        if not here or not has_table(connection, workers):
            return []
        rows = connection.execute(sa.select(workers.c.host, workers.c.boot).distinct())
        return sorted({host for host, boot in rows if boot and boot.partition(" ")[0] != here})


def lost_trials(connection: Connection, trial_ids: Iterable[int], fences: Mapping[int, int] | None) -> frozenset[int]:
    """Return the trials that a worker may no longer write to; the others are locked until the transaction ends.

    Args:
        connection: A connection in the transaction that will write.
        trial_ids: The trials that will be written to.
        fences: The worker's fences by trial id; None checks only that the trials still exist.
    """
    wanted = set(trial_ids)
    if fences is None:
        existing = sa.select(trials.c.trial_id).where(trials.c.trial_id.in_(wanted)).order_by(trials.c.trial_id)
        return frozenset(wanted.difference(connection.scalars(existing.with_for_update(read=True, key_share=True))))
    held = sa.select(leases.c.trial_id, leases.c.fence).where(leases.c.trial_id.in_(wanted))
    rows = connection.execute(held.order_by(leases.c.trial_id).with_for_update())
    return frozenset(wanted.difference(trial_id for trial_id, fence in rows if fences.get(trial_id) == fence))


def _leased_trials(connection: Connection, condition: sa.ColumnElement[bool]) -> list[_Leased]:
    query = (
        sa.select(
            trials.c.trial_id,
            leases.c.trial_id.is_not(None).label("leased"),
            leases.c.worker_id,
            *(workers.c[name] for name in ("beat", "lease_seconds", "host", "boot", "pid", "started")),
        )
        .outerjoin(leases, leases.c.trial_id == trials.c.trial_id)
        .outerjoin(workers, workers.c.worker_id == leases.c.worker_id)
        .where(condition)
        .order_by(trials.c.number)
    )
    return [
        _Leased(
            trial_id=row.trial_id,
            leased=row.leased,
            worker_id=row.worker_id,
            beat=row.beat or 0,
            lease_seconds=row.lease_seconds or 0.0,
            process=None if row.pid is None else Process(row.host, row.boot, row.pid, row.started),
        )
        for row in connection.execute(query)
    ]


def _silent_one(trial: _Leased) -> str:
    """Return the key of the silence to watch: the worker, or without a lease the trial itself."""
    return _unleased(trial.trial_id) if trial.worker_id is None else trial.worker_id


def _unleased(trial_id: int) -> str:
    return f"trial {trial_id}"


def _still_silent(connection: Connection, gone_at_beat: Mapping[str, int]) -> set[str]:
    """Return the workers without a heartbeat since; locks their rows until the transaction ends."""
    beats = connection.execute(
        sa.select(workers.c.worker_id, workers.c.beat)
        .where(workers.c.worker_id.in_(gone_at_beat))
        .order_by(workers.c.worker_id)
        .with_for_update()
    )
    return {worker_id for worker_id, beat in beats if gone_at_beat[worker_id] == beat}


def _fences(connection: Connection, condition: sa.ColumnElement[bool]) -> dict[int, int]:
    rows = connection.execute(sa.select(leases.c.trial_id, leases.c.fence).where(condition))
    return {trial_id: fence for trial_id, fence in rows}  # noqa: C416  # Rows are no pairs to the type checker.
