"""Leases: the living are never robbed, the gone are adopted once, and the robbed write nothing."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial
from sqlalchemy import Engine as Database

from fewest.storage.database.dialects import dialect_of
from fewest.storage.database.tables import workers
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import read_curves, write_curves
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.processes import Process, ProcessState, state_of, this_process
from fewest.storage.trials.records import CurvePoint
from fewest.storage.trials.sharing import foreign_hosts
from fewest.storage.trials.silence import BEATS_PER_LEASE, PATIENCE_WITH_RUNNING, Sighting, is_gone, observe

NewStudy = Callable[..., int]

LEASE_SECONDS = 30.0
ELSEWHERE = Process("elsewhere", "another kernel's boot", 1, "1")
POINT = CurvePoint(0, 1.0, 0.5, 1.0, 0.5)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def observer(database: Database, clock: Clock) -> Iterator[Leases]:
    leases = Leases(database, "observer", lease_seconds=LEASE_SECONDS, clock=clock)
    yield leases
    leases.stop()


@pytest.fixture
def remote(database: Database, clock: Clock) -> Leases:
    """A worker on another host, whose process nobody here can look at."""
    return Leases(database, "remote", lease_seconds=LEASE_SECONDS, clock=clock, process=ELSEWHERE)


def wait_in_vain(observer: Leases, clock: Clock, study_id: int, leases: float = 1) -> list[int]:
    """What an observer takes for orphans after watching for so many times the lease."""
    observer.orphans(study_id)
    for _ in range(int(BEATS_PER_LEASE * leases)):
        clock.seconds += LEASE_SECONDS / BEATS_PER_LEASE
        observer.beat()
    return observer.orphans(study_id)


# What is decided, without a database.


@given(
    steps=st.lists(st.tuples(st.floats(0, LEASE_SECONDS - 0.01), st.integers(0, 9)), max_size=30),
    process=st.sampled_from(["running", "stopped", "unknown"]),
)
def test_a_worker_that_beats_within_its_lease_is_never_gone(
    steps: list[tuple[float, int]], process: ProcessState
) -> None:
    """However the observer's own heartbeats fall."""
    now, own_beats, seen = 0.0, 0, dict[str, Sighting]()
    for beat, (pause, n_own) in enumerate(steps):
        seen = observe(seen, {"worker": beat}, now, own_beats)
        now, own_beats = now + pause, own_beats + n_own
        assert not is_gone(seen["worker"], now, own_beats, lease_seconds=LEASE_SECONDS, process=process)


@pytest.mark.parametrize("process", ["running", "stopped", "unknown"])
def test_silence_counts_only_while_the_observer_itself_gets_through(process: ProcessState) -> None:
    seen = Sighting(1, 0.0, 0)
    long = 1000 * LEASE_SECONDS
    assert not is_gone(seen, long, BEATS_PER_LEASE - 1, lease_seconds=LEASE_SECONDS, process=process)
    assert not is_gone(seen, LEASE_SECONDS - 1, 10_000, lease_seconds=LEASE_SECONDS, process=process)
    assert is_gone(seen, long, 10_000, lease_seconds=LEASE_SECONDS, process=process)


def test_a_running_process_is_waited_for_longer() -> None:
    arguments = (Sighting(1, 0.0, 0), 2 * LEASE_SECONDS, 2 * BEATS_PER_LEASE)
    assert is_gone(*arguments, lease_seconds=LEASE_SECONDS, process="stopped")
    assert not is_gone(*arguments, lease_seconds=LEASE_SECONDS, process="running")


# Processes.


def test_this_process_runs() -> None:
    assert state_of(this_process()) == "running"


def test_a_process_that_ended_or_whose_id_was_reused_is_gone() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = this_process()
    assert state_of(Process(here.host, here.boot, ended.pid, "1")) == "gone"
    assert state_of(Process(here.host, here.boot, here.pid, "1")) == "gone"


def test_of_processes_elsewhere_nothing_is_known() -> None:
    assert state_of(ELSEWHERE) == "unknown"


# One worker.


def test_trials_are_leased_as_they_are_made_and_claimed(
    storage: CohortStorage, new_study: NewStudy, observer: Leases
) -> None:
    study_id = new_study()
    made = storage.create_trials(study_id, [None, create_trial(state=TrialState.WAITING)], leases=observer)
    assert observer.held() == {made[0]}
    storage.claim_waiting(study_id, 1, leases=observer)
    assert observer.held() == set(made)
    assert observer.orphans(study_id) == []


def test_a_finished_trial_is_no_longer_held(storage: CohortStorage, new_study: NewStudy, observer: Leases) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None, None], leases=observer)
    assert storage.finish_trials([FinishedTrial(ids[0], TrialState.PRUNED)], leases=observer) == frozenset()
    assert observer.held() == {ids[1]}
    assert observer.beat() == frozenset()


def test_what_is_held_already_cannot_be_acquired(
    new_study: NewStudy, storage: CohortStorage, observer: Leases, remote: Leases
) -> None:
    study_id = new_study()
    [trial_id] = storage.create_trials(study_id, [None])
    assert remote.acquire([trial_id]) == {trial_id}
    assert remote.acquire([trial_id]) == {trial_id}
    assert observer.acquire([trial_id]) == frozenset()
    assert observer.acquire([]) == frozenset()


def test_a_lease_of_no_time_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Leases(database, lease_seconds=0)


def test_machines_other_than_this_are_named(database: Database, observer: Leases, remote: Leases) -> None:
    observer.beat()
    assert foreign_hosts(database) == []
    remote.beat()
    assert foreign_hosts(database) == ["elsewhere"]


# Taking over.


def test_a_worker_that_left_cleanly_is_followed_at_once(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, database: Database
) -> None:
    study_id = new_study()
    leaving = Leases(database)
    leaving.start_heartbeat()
    ids = storage.create_trials(study_id, [None, None], leases=leaving)
    assert observer.orphans(study_id) == []
    leaving.stop()
    assert leaving.held() == frozenset()
    assert observer.orphans(study_id) == ids
    assert observer.adopt(ids) == set(ids)


def test_a_silent_worker_elsewhere_is_followed_after_its_lease(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, remote: Leases, clock: Clock
) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None, None], leases=remote)
    assert wait_in_vain(observer, clock, study_id) == ids
    assert observer.adopt(ids) == set(ids) == observer.held()
    assert observer.orphans(study_id) == []


def test_a_worker_whose_observers_cannot_beat_either_is_not_robbed(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, remote: Leases, clock: Clock
) -> None:
    """A database that stands still for everybody, or an observer that slept itself."""
    study_id = new_study()
    storage.create_trials(study_id, [None], leases=remote)
    observer.orphans(study_id)
    clock.seconds += 100 * LEASE_SECONDS
    assert observer.orphans(study_id) == []


def test_a_worker_that_beats_between_the_judgement_and_the_adoption_keeps_its_trials(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, remote: Leases, clock: Clock
) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None], leases=remote)
    assert wait_in_vain(observer, clock, study_id) == ids
    remote.beat()
    assert observer.adopt(ids) == frozenset()
    assert remote.held() == set(ids)
    assert write_curves(storage.engine, {ids[0]: [POINT]}, fences=remote.fences()) == frozenset()


def test_a_worker_of_this_process_that_was_never_stopped_is_waited_for(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, database: Database, clock: Clock
) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None], leases=Leases(database, "forgotten"))
    assert wait_in_vain(observer, clock, study_id, leases=2) == []
    assert wait_in_vain(observer, clock, study_id, leases=PATIENCE_WITH_RUNNING) == ids


def test_a_running_trial_without_a_lease_is_waited_for(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, clock: Clock
) -> None:
    """It may be another program's, or ours of before there were leases."""
    study_id = new_study()
    ids = storage.create_trials(study_id, [None])
    assert observer.orphans(study_id) == []
    assert wait_in_vain(observer, clock, study_id) == ids
    assert observer.adopt(ids) == set(ids)


def test_a_finished_trial_is_not_adopted(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, database: Database
) -> None:
    study_id = new_study()
    leaving = Leases(database)
    leaving.start_heartbeat()
    ids = storage.create_trials(study_id, [None], leases=leaving)
    leaving.stop()
    assert observer.orphans(study_id) == ids
    storage.finish_trials([FinishedTrial(ids[0], TrialState.FAIL)])
    assert observer.adopt(ids) == frozenset()
    assert observer.adopt([]) == frozenset()


def test_the_robbed_learn_it_and_write_nothing(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, remote: Leases, clock: Clock
) -> None:
    study_id = new_study()
    taken, kept = storage.create_trials(study_id, [None, None], leases=remote)
    wait_in_vain(observer, clock, study_id)
    assert observer.adopt([taken]) == {taken}

    stale = remote.fences()
    assert write_curves(storage.engine, {taken: [POINT], kept: [POINT]}, fences=stale) == {taken}
    assert set(read_curves(storage.engine, study_id)) == {kept}
    assert storage.finish_trials([FinishedTrial(taken, TrialState.FAIL)], leases=remote) == {taken}
    assert storage.return_trials([taken], leases=remote) == {taken}
    assert storage.get_trial(taken).state == TrialState.RUNNING

    remote.note({taken: stale[taken]})
    assert remote.beat() == {taken}
    assert remote.held() == {kept}
    assert write_curves(storage.engine, {taken: [POINT]}, fences=observer.fences()) == frozenset()


def test_a_fence_never_comes_again(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, remote: Leases, clock: Clock
) -> None:
    """Not even when the trial waited in between."""
    study_id = new_study()
    [trial_id] = storage.create_trials(study_id, [None], leases=remote)
    stale = remote.fences()
    wait_in_vain(observer, clock, study_id)
    observer.adopt([trial_id])
    storage.return_trials([trial_id], leases=observer)
    assert storage.claim_waiting(study_id, 1, leases=observer) == [trial_id]
    assert observer.fences()[trial_id] > stale[trial_id]
    assert write_curves(storage.engine, {trial_id: [POINT]}, fences=stale) == {trial_id}
    storage.finish_trials([FinishedTrial(trial_id, TrialState.FAIL)], leases=observer)
    assert write_curves(storage.engine, {trial_id: [POINT]}, fences=stale) == {trial_id}


def test_of_many_adopters_each_trial_goes_to_one(
    url: str, storage: CohortStorage, new_study: NewStudy, database: Database
) -> None:
    study_id = new_study()
    leaving = Leases(database)
    leaving.start_heartbeat()
    ids = storage.create_trials(study_id, [None] * 30, leases=leaving)
    leaving.stop()
    adopters = [Leases(CohortStorage(url).engine, f"adopter {i}") for i in range(4)]
    start = threading.Barrier(len(adopters))

    def adopt(leases: Leases) -> frozenset[int]:
        orphans = leases.orphans(study_id)
        start.wait()
        return leases.adopt(orphans)

    with ThreadPoolExecutor(len(adopters)) as pool:
        won = list(pool.map(adopt, adopters))
    assert sorted(trial_id for trials in won for trial_id in trials) == ids
    for leases, trials in zip(adopters, won, strict=True):
        assert leases.beat() == frozenset()
        assert leases.held() == trials
        leases.stop()
        leases._database.dispose()


def test_work_that_one_worker_at_a_time_may_do_is_claimed_once(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, remote: Leases
) -> None:
    [trial_id] = storage.create_trials(new_study(), [create_trial(state=TrialState.COMPLETE, values=[4.0, 0.5])])
    assert remote.claim(trial_id)
    assert remote.claim(trial_id)
    assert not observer.claim(trial_id)
    remote.stop()
    assert observer.claim(trial_id)


def test_a_claim_of_a_worker_that_is_gone_passes_on_after_its_lease(
    storage: CohortStorage, new_study: NewStudy, observer: Leases, remote: Leases, clock: Clock
) -> None:
    study_id = new_study()
    [trial_id] = storage.create_trials(study_id, [create_trial(state=TrialState.COMPLETE, values=[4.0, 0.5])])
    assert remote.claim(trial_id)
    for _ in range(BEATS_PER_LEASE):
        assert not observer.claim(trial_id)
        clock.seconds += LEASE_SECONDS / BEATS_PER_LEASE
    assert observer.claim(trial_id)
    assert remote.beat() == {trial_id}
    assert not remote.claim(trial_id)
    assert observer.orphans(study_id) == []


# The heartbeat.


def test_the_heartbeat_goes_on_after_failures(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    beat_again = threading.Event()
    n_calls = 0

    class Failing(Leases):
        def beat(self) -> frozenset[int]:
            nonlocal n_calls
            n_calls += 1
            if 1 < n_calls < 5:
                raise RuntimeError("the database is away")
            if n_calls > 5:
                beat_again.set()
            return super().beat()

    leases = Failing(database, lease_seconds=0.02)
    leases.start_heartbeat()
    try:
        assert beat_again.wait(30)
    finally:
        leases.stop()
    assert caplog.text.count("the database is away") == 1


def test_leaving_a_database_that_is_away_is_only_logged(
    database: Database, storage: CohortStorage, new_study: NewStudy, caplog: pytest.LogCaptureFixture
) -> None:
    leases = Leases(database)
    storage.create_trials(new_study(), [None], leases=leases)
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE fewest_leases RENAME TO elsewhere")
    leases.stop()
    assert "expire by themselves" in caplog.text
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO fewest_leases")


# Real processes.

WORKER = """
import json, sys
from fewest.storage.trials.curves import write_curves
from fewest.storage.database.database import open_database
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import CurvePoint
database = open_database(sys.argv[1], create=True)
leases = Leases(database, lease_seconds=float(sys.argv[2]))
leases.start_heartbeat()
for line in sys.stdin:
    command, *arguments = json.loads(line)
    if command == "acquire":
        said = sorted(leases.acquire(arguments))
    elif command == "write":
        points = {trial_id: [CurvePoint(9, 1, 1, 1, 1)] for trial_id in arguments}
        said = sorted(write_curves(database, points, fences=leases.fences()))
    elif command == "lose":
        while leases.held():
            leases.beat()
        said = []
    print(json.dumps(said), flush=True)
leases.stop()
"""


class Worker:
    """A process that holds leases and does as it is told."""

    def __init__(self, url: str, lease_seconds: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(lease_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *command: object) -> list[int]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return list(json.loads(self.process.stdout.readline()))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.communicate()


def test_a_killed_process_is_followed_at_once(
    url: str, storage: CohortStorage, new_study: NewStudy, observer: Leases
) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None, None])
    with Worker(url, LEASE_SECONDS) as worker:
        assert worker.ask("acquire", *ids) == ids
        assert observer.orphans(study_id) == []
        worker.signal(signal.SIGKILL)
        worker.process.wait()
        assert observer.orphans(study_id) == ids
        assert observer.adopt(ids) == set(ids)


def test_a_process_that_leaves_is_followed_at_once(
    url: str, storage: CohortStorage, new_study: NewStudy, observer: Leases
) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None])
    with Worker(url, LEASE_SECONDS) as worker:
        worker.ask("acquire", *ids)
    assert observer.orphans(study_id) == ids


def test_a_running_process_that_cannot_beat_is_not_robbed(
    url: str, storage: CohortStorage, new_study: NewStudy, observer: Leases, clock: Clock
) -> None:
    """Its heartbeat is an hour away, as if its database did not answer."""
    study_id = new_study()
    ids = storage.create_trials(study_id, [None])
    with Worker(url, 4 * 3600.0) as worker:
        worker.ask("acquire", *ids)
        with storage.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE fewest_workers SET lease_seconds = {LEASE_SECONDS}")
        assert wait_in_vain(observer, clock, study_id, leases=PATIENCE_WITH_RUNNING / 2) == []
        assert worker.ask("write", *ids) == []


def test_a_stopped_process_wakes_drops_what_was_taken_and_goes_on(
    url: str, storage: CohortStorage, new_study: NewStudy, observer: Leases, clock: Clock
) -> None:
    study_id = new_study()
    old, new = storage.create_trials(study_id, [None, None])
    with Worker(url, LEASE_SECONDS) as worker:
        worker.ask("acquire", old)
        worker.signal(signal.SIGSTOP)
        assert wait_in_vain(observer, clock, study_id)[0] == old
        assert observer.adopt([old]) == {old}
        write_curves(storage.engine, {old: [POINT]}, fences=observer.fences())
        worker.signal(signal.SIGCONT)
        assert worker.ask("write", old) == [old]
        assert worker.ask("lose") == []
        assert worker.ask("acquire", new) == [new]
        assert worker.ask("write", new) == []
        assert read_curves(storage.engine, study_id)[old] == [POINT]


def test_leaving_waits_for_a_locked_database_only_for_a_moment(
    storage: CohortStorage,
    new_study: NewStudy,
    database: Database,
    observer: Leases,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After an exception in mid-transaction a process may hold the lock itself."""
    monkeypatch.setattr("fewest.storage.trials.leases.LEAVING_SECONDS", 0.1)
    study_id = new_study()
    leaving = Leases(database, "leaving")
    leaving.start_heartbeat()
    ids = storage.create_trials(study_id, [None, None], leases=leaving)
    with database.connect() as blocker:
        dialect_of(database).begin_writing(blocker)
        blocker.execute(sa.update(workers).values(host="here"))
        leaving.stop()
        assert "The leases could not be given up in 0.1 s" in caplog.text
        blocker.rollback()
    for thread in threading.enumerate():
        if thread.name == "fewest-leaving":
            thread.join()
    assert observer.orphans(study_id) == ids, "what could not be given up at once is given up as soon as it can be"
