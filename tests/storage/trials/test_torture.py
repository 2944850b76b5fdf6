"""Workers killed at random moments: every trial of the budget ends once, and nobody's is left running."""

import random
import time
from collections.abc import Callable
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from forked import start
from optuna.trial import TrialState, create_trial

from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import CurvePoint
from fewest.storage.trials.studies import read_trials

N_TRIALS = 150
N_WORKERS = 3
N_KILLS = 6
N_EPOCHS = 4
PATIENCE_SECONDS = 300


def work(url: str, study_id: int, log: Path) -> None:
    """Takes trials and ends them until all have ended; a line in the log for each thing done."""
    storage = CohortStorage(url)
    leases = Leases(storage.engine)
    leases.start_heartbeat()
    with log.open("ab", buffering=0) as file:
        try:
            while True:
                mine = list(leases.adopt(leases.orphans(study_id)))
                mine += storage.claim_waiting(study_id, 2, leases=leases)
                mine += storage.create_trials(study_id, lambda _, n: [None] * min(3, N_TRIALS - n), leases=leases)
                if not mine:
                    states = {trial.state for trial in storage.get_all_trials(study_id, deepcopy=False)}
                    if states == {TrialState.COMPLETE}:
                        break
                    file.write(b"idle\n")
                    time.sleep(0.01)
                    continue
                curves = read_curves(storage.engine, study_id)
                done = {trial_id: len(curves.get(trial_id, [])) for trial_id in mine}
                for epoch in range(min(done.values()), N_EPOCHS - 1):
                    points = {i: [CurvePoint(epoch, 1, 0, 1, 0)] for i in mine if done[i] <= epoch}
                    storage.finish_trials([], points=points, leases=leases)
                    file.write(b"epoch\n")
                    time.sleep(0.005)
                last = {i: [CurvePoint(N_EPOCHS - 1, 1, 0, 1, 0)] for i in mine}
                ending = [FinishedTrial(i, TrialState.COMPLETE, [1, 0.5]) for i in mine]
                assert not storage.finish_trials(ending, points=last, leases=leases), "robbed while alive"
        finally:
            leases.stop()


def wait_for(n_lines: int, log: Path, worker: BaseProcess) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not log.exists() or log.read_bytes().count(b"\n") < n_lines:
        assert worker.is_alive() and time.monotonic() < deadline, f"no {n_lines} lines"
        time.sleep(0.001)


@pytest.mark.slow
@pytest.mark.usefixtures("none_left")
def test_a_budget_is_trained_exactly_whoever_is_killed(
    url: str, storage: CohortStorage, new_study: Callable[..., int], tmp_path: Path
) -> None:
    study_id = new_study()
    waiting = storage.create_trials(study_id, [create_trial(state=TrialState.WAITING)] * 4)
    assert len(waiting) == 4
    rng, numbers = random.Random(7), count()

    def started() -> tuple[BaseProcess, Path]:
        log = tmp_path / f"{next(numbers)}.log"
        return start(work, url, study_id, log), log

    keeper = Leases(storage.engine)
    keeper.start_heartbeat()
    try:
        # While this one runs here, the workers cannot be done before they are killed.
        storage.create_trials(study_id, [None], leases=keeper)
        workers = [started() for _ in range(N_WORKERS)]
        for _ in range(N_KILLS):
            victim, log = workers.pop(rng.randrange(len(workers)))
            wait_for(rng.randint(1, 15), log, victim)
            victim.kill()
            victim.join()
            workers.append(started())
        assert len(keeper.held()) == 1
    finally:
        keeper.stop()
    for worker, _ in workers:
        worker.join(PATIENCE_SECONDS)
        assert worker.exitcode == 0
    trials = read_trials(storage.engine, study_id)
    assert [trial.number for trial in trials] == list(range(N_TRIALS))
    assert {trial.state for trial in trials} == {"complete"}
    curves = read_curves(storage.engine, study_id)
    assert {tuple(point.epoch for point in curve) for curve in curves.values()} == {tuple(range(N_EPOCHS))}
    assert len(curves) == N_TRIALS
