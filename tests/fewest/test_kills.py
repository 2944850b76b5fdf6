"""A study killed at random moments, each time resumed by the next process: nothing is lost, nothing is trained twice.

`make torture` kills it a hundred times; FEWEST_KILLS says how often otherwise. Checkpoints are taken after every
epoch, as they are where an epoch takes longer than twenty checkpoints.
"""

import os
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
import pytest
from forked import epochs_of, run_study, start
from helpers import curves_of, trials_of

from fewest.search.settings.files import load

N_KILLS = int(os.environ.get("FEWEST_KILLS", "5"))
N_TRIALS = 24 + 2 * N_KILLS
COHORT = 8
PATIENCE_SECONDS = 600
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("none_left")]


def test_a_study_killed_at_random_moments_has_the_trials_of_one_that_was_not(tmp_path: Path) -> None:
    config = load("digits", [f"budget.trials={N_TRIALS}", "budget.verification_seeds=0", "training.epochs=12"])
    whole, broken = (f"sqlite:///{tmp_path / name}.db" for name in ("whole", "broken"))
    start(int).join()  # From now on there is something to fork from.
    started = time.monotonic()
    process = start(run_study, config, whole, tmp_path / "whole.log", COHORT)
    wait_for_epochs(tmp_path / "whole.log", 1, process)
    startup_seconds = time.monotonic() - started
    process.join(PATIENCE_SECONDS)
    n_epochs = len(epochs_of(tmp_path / "whole.log"))
    epoch_seconds = (time.monotonic() - started - startup_seconds) / n_epochs

    rng, n_idle = random.Random(0), 0
    log = tmp_path / "broken.log"
    for at in sorted(rng.randrange(int(0.9 * n_epochs)) for _ in range(N_KILLS)):
        before = sum(epochs_of(log).values())
        process = start(run_study, config, broken, log, COHORT)
        if len(epochs_of(log)) > at:  # That moment is past: this one is killed while it starts.
            moment = time.monotonic() + rng.uniform(0, startup_seconds)
            while time.monotonic() < moment and sum(epochs_of(log).values()) == before:
                time.sleep(0.002)
        else:
            wait_for_epochs(log, at + 1, process)
            time.sleep(rng.uniform(0, epoch_seconds))
        process.kill()
        process.join()
        n_idle += sum(epochs_of(log).values()) == before
        assert process.exitcode == -9, "it ended before it was killed"
    process = start(run_study, config, broken, log, COHORT)
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0
    n_repeated = sum(epochs_of(log).values()) - n_epochs
    print(f"\n{N_KILLS} kills, {n_repeated} of {n_epochs} epochs of a cohort repeated, {n_idle} kills before an epoch")
    assert contents(broken) == contents(whole)
    assert [trial["number"] for trial in contents(broken)] == list(range(N_TRIALS))
    assert {trial["state"] for trial in contents(broken)} <= {"complete", "pruned"}
    assert n_repeated <= N_KILLS


def wait_for_epochs(log: Path, n: int, process: BaseProcess) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(epochs_of(log)) < n:
        assert process.is_alive() and time.monotonic() < deadline, f"no {n} epochs of a cohort"
        time.sleep(0.002)


def contents(url: str) -> list[dict[str, Any]]:
    """All that the seed decides of a study's trials, their learning curves to the last bit."""
    curves = curves_of(url)
    params = {trial.number: trial.params for trial in optuna.load_study(study_name="digits", storage=url).trials}
    return [
        {
            "number": trial.number,
            "state": trial.state,
            "params": params[trial.number],
            "seed": trial.seed,
            "epochs": trial.epochs,
            "validation_accuracy": trial.validation_accuracy,
            "reason": trial.reason,
            "curve": curves[trial.trial_id],
        }
        for trial in trials_of(url)
    ]
