"""Workers as an observer sees them: their trials, their heartbeats, and whether their process lives."""

from collections.abc import Callable

from optuna.trial import TrialState, create_trial
from sqlalchemy import Engine as Database

from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.processes import Process
from fewest.storage.trials.workers import read_workers

ELSEWHERE = Process("elsewhere", "another kernel's boot", 7, "1")


def test_a_worker_has_its_running_trials_and_its_heartbeats(
    storage: CohortStorage, new_study: Callable[..., int]
) -> None:
    study_id, other_id = new_study(), new_study("other")
    here = Leases(storage.engine, "here")
    there = Leases(storage.engine, "there", process=ELSEWHERE)
    running = create_trial(state=TrialState.RUNNING)
    storage.create_trials(study_id, [running, running], leases=here)
    storage.create_trials(study_id, [running], leases=there)
    storage.create_trials(other_id, [running], leases=here)
    there.beat()
    first, second = read_workers(storage.engine, study_id)
    assert (first.worker_id, first.n_running, first.beat, first.process) == ("here", 2, 0, "running")
    assert (second.host, second.pid, second.n_running, second.beat, second.process) == (
        "elsewhere",
        7,
        1,
        1,
        "unknown",
    )


def test_a_worker_is_listed_until_it_signs_off(storage: CohortStorage, new_study: Callable[..., int]) -> None:
    study_id = new_study()
    leases = Leases(storage.engine, "here")
    storage.create_trials(study_id, [create_trial(state=TrialState.FAIL)])
    [trial_id] = storage.create_trials(study_id, [create_trial(state=TrialState.RUNNING)], leases=leases)
    storage.set_trial_state_values(trial_id, TrialState.FAIL)
    assert [(worker.worker_id, worker.n_running) for worker in read_workers(storage.engine, study_id)] == [("here", 0)]
    leases.stop()
    assert read_workers(storage.engine, study_id) == []


def test_a_study_without_leases_has_no_workers(database: Database, new_study: Callable[..., int]) -> None:
    assert read_workers(database, new_study(n_trials=2)) == []
