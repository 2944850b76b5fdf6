"""Workers killed at random moments: every trial of the budget ends once, and nobody's is left running."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable

from optuna.trial import TrialState, create_trial

from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.studies import read_trials

N_TRIALS = 150
N_WORKERS = 3
N_KILLS = 6
N_EPOCHS = 4

WORKER = f"""
import sys, time
from optuna.trial import TrialState
from fewest.storage.trials.cohort_storage import CohortStorage, FinishedTrial
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import CurvePoint
storage = CohortStorage(sys.argv[1])
study_id = int(sys.argv[2])
leases = Leases(storage.engine)
leases.start_heartbeat()
try:
    while True:
        mine = list(leases.adopt(leases.orphans(study_id)))
        mine += storage.claim_waiting(study_id, 2, leases=leases)
        mine += storage.create_trials(study_id, lambda _, n: [None] * min(3, {N_TRIALS} - n), leases=leases)
        if not mine:
            states = {{trial.state for trial in storage.get_all_trials(study_id, deepcopy=False)}}
            if states == {{TrialState.COMPLETE}}:
                break
            print("idle", flush=True)
            time.sleep(0.01)
            continue
        curves = read_curves(storage.engine, study_id)
        done = {{trial_id: len(curves.get(trial_id, [])) for trial_id in mine}}
        for epoch in range(min(done.values()), {N_EPOCHS} - 1):
            points = {{i: [CurvePoint(epoch, 1, 0, 1, 0)] for i in mine if done[i] <= epoch}}
            storage.finish_trials([], points=points, leases=leases)
            print("epoch", flush=True)
            time.sleep(0.005)
        last = {{i: [CurvePoint({N_EPOCHS} - 1, 1, 0, 1, 0)] for i in mine}}
        ending = [FinishedTrial(i, TrialState.COMPLETE, [1, 0.5]) for i in mine]
        assert not storage.finish_trials(ending, points=last, leases=leases), "robbed while alive"
finally:
    leases.stop()
"""


def start(url: str, study_id: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(study_id)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_budget_is_trained_exactly_whoever_is_killed(
    url: str, storage: CohortStorage, new_study: Callable[..., int]
) -> None:
    study_id = new_study()
    waiting = storage.create_trials(study_id, [create_trial(state=TrialState.WAITING)] * 4)
    assert len(waiting) == 4
    rng = random.Random(7)
    keeper = Leases(storage.engine)
    keeper.start_heartbeat()
    try:
        # While this one runs here, the workers cannot be done before they are killed.
        storage.create_trials(study_id, [None], leases=keeper)
        workers = [start(url, study_id) for _ in range(N_WORKERS)]
        for _ in range(N_KILLS):
            victim = workers.pop(rng.randrange(len(workers)))
            assert victim.stdout is not None
            for _ in range(rng.randint(1, 15)):
                assert victim.stdout.readline()
            victim.send_signal(signal.SIGKILL)
            victim.communicate()
            workers.append(start(url, study_id))
        assert len(keeper.held()) == 1
    finally:
        keeper.stop()
    for worker in workers:
        said = worker.communicate()[1]
        assert worker.returncode == 0, said
    trials = read_trials(storage.engine, study_id)
    assert [trial.number for trial in trials] == list(range(N_TRIALS))
    assert {trial.state for trial in trials} == {"complete"}
    curves = read_curves(storage.engine, study_id)
    assert {tuple(point.epoch for point in curve) for curve in curves.values()} == {tuple(range(N_EPOCHS))}
    assert len(curves) == N_TRIALS
