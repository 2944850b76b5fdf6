"""A study killed at random moments, each time resumed by the next process: nothing is lost, nothing is trained twice.

`make torture` kills it a hundred times; FEWEST_KILLS says how often otherwise. Checkpoints are taken after every
epoch, as they are where an epoch takes longer than twenty checkpoints.
"""

import os
import random
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
import pytest
from forked import epochs_of, run_study, scores_of, start
from helpers import curves_of, results_of, trials_of

from fewest.search.settings.files import load

N_KILLS = int(os.environ.get("FEWEST_KILLS", "5"))
N_TRIALS = 24 + 2 * N_KILLS
COHORT = 8
PATIENCE_SECONDS = 600
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("none_left")]


def test_a_study_killed_at_random_moments_has_the_networks_of_one_that_was_not(tmp_path: Path) -> None:
    """In the search, in the first answer's verification, and in the last one."""
    settings = [f"budget.trials={N_TRIALS}", "budget.verification_seeds=4", "training.epochs=12"]
    config = load("digits", [*settings, "budget.targets=[0.95]", "space.max_depth=2"])
    whole, broken = (f"sqlite:///{tmp_path / name}.db" for name in ("whole", "broken"))
    start(int).join()  # From now on there is something to fork from.
    started = time.monotonic()
    process = start(run_study, config, whole, tmp_path / "whole.log", COHORT)
    wait_for_work(tmp_path / "whole.log", 1, process)
    startup_seconds = time.monotonic() - started
    process.join(PATIENCE_SECONDS)
    n_done, n_epochs = work_in(tmp_path / "whole.log"), len(epochs_of(tmp_path / "whole.log"))
    step_seconds = (time.monotonic() - started - startup_seconds) / n_done

    rng, n_idle = random.Random(0), 0
    log = tmp_path / "broken.log"
    for at in sorted(rng.randrange(int(0.85 * n_done)) for _ in range(N_KILLS)):
        before = lines_in(log)
        process = start(run_study, config, broken, log, COHORT)
        if work_in(log) > at:  # That moment is past: this one is killed while it starts.
            moment = time.monotonic() + rng.uniform(0, startup_seconds)
            while time.monotonic() < moment and lines_in(log) == before:
                time.sleep(0.002)
        else:
            wait_for_work(log, at + 1, process)
            time.sleep(rng.uniform(0, step_seconds))
        process.kill()
        process.join()
        n_idle += lines_in(log) == before
        assert process.exitcode == -9, "it ended before it was killed"
    process = start(run_study, config, broken, log, COHORT)
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0
    n_repeated = sum(epochs_of(log).values()) - n_epochs
    print(f"\n{N_KILLS} kills, {n_repeated} of {n_epochs} epochs of a cohort repeated, {n_idle} kills before a line")
    assert contents(broken) == contents(whole)
    assert [trial["number"] for trial in contents(broken)] == list(range(N_TRIALS))
    assert {trial["state"] for trial in contents(broken)} <= {"complete", "pruned"}
    assert n_repeated <= N_KILLS
    assert verified(broken) == verified(whole)
    assert max(Counter(network for network, _ in scores_of(log)).values()) == 1


def work_in(log: Path) -> int:
    """Epochs of a cohort that a search has written down, and networks that a verification has."""
    return len(epochs_of(log)) + len({network for network, _ in scores_of(log)})


def lines_in(log: Path) -> int:
    return sum(epochs_of(log).values()) + len(scores_of(log))


def wait_for_work(log: Path, n: int, process: BaseProcess) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while work_in(log) < n:
        assert process.is_alive() and time.monotonic() < deadline, f"no {n} steps"
        time.sleep(0.002)


def verified(url: str) -> list[tuple[Any, ...]]:
    """All that the seed decides of the verified networks."""
    return [(of.widths, of.seed, of.test_accuracy, of.validation_accuracy, of.epochs) for of in results_of(url)]


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
