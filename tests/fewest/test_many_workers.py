"""Several workers on one storage, real processes: the budget is trained exactly, whoever is killed or stopped."""

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from forked import epochs_of, help_studies, lines_of, run_study, scores_of, start
from helpers import curves_of, results_of, sqlite_url, stored, trials_of

from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import is_finished, load, overridden
from fewest.storage.trials.records import TrialRecord
from fewest.storage.trials.studies import read_study
from fewest.train_commands import submit_study

PATIENCE_SECONDS = 300
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("none_left")]
DIGITS = ("training.epochs=6", "budget.targets=[0.5]", "space.max_width=12")


def wait_for(n_epochs: int, log: Path, worker: BaseProcess) -> None:
    """Returns once a worker has trained so many epochs of cohorts."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sum(line.pid == worker.pid for line in lines_of(log)) < n_epochs:
        assert time.monotonic() < deadline, f"no {n_epochs} epochs"
        time.sleep(0.01)


def stop_outside_transactions(worker: BaseProcess, url: str) -> None:
    """Stop a process where it holds no lock of SQLite's: no program gets by one that is stopped while it writes."""
    while True:
        os.kill(worker.pid, signal.SIGSTOP)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                os.kill(worker.pid, signal.SIGCONT)
                time.sleep(0.01)
            else:
                return


def end(workers: list[BaseProcess]) -> None:
    for worker in workers:
        worker.join(PATIENCE_SECONDS)
        assert worker.exitcode == 0


def trained_exactly(config: StudyConfig, url: str) -> list[TrialRecord]:
    """The trials of a study, which must be all its budget, ended, with their whole curves."""
    with stored(url, config.name) as (database, _):
        assert is_finished(read_study(database, config.name), config)
    trials, curves = trials_of(url, config.name), curves_of(url, config.name)
    assert [trial.number for trial in trials] == list(range(config.budget.trials))
    assert {trial.state for trial in trials} <= {"complete", "pruned"}
    for trial in trials:
        curve = curves[trial.trial_id]
        assert [point.epoch for point in curve] == list(range(trial.epochs))
        assert trial.state == "pruned" or curve[-1].val_accuracy == trial.validation_accuracy
    return trials


@pytest.mark.parametrize(("database", "n_workers"), [("sqlite", 8), ("postgresql", 16)])
def test_a_third_of_many_workers_is_killed_and_every_trial_is_trained_once(
    database, n_workers, tmp_path, tiny_file, tiny_config, request
):
    url = sqlite_url(tmp_path / "studies.db") if database == "sqlite" else request.getfixturevalue("empty_postgresql")
    config = overridden(
        tiny_config, [f"data.name={tiny_file}", "budget.trials=400", "budget.patience=400", "training.epochs=4"]
    )
    submit_study(config, url)
    rng, log = random.Random(n_workers), tmp_path / "log"
    workers = [start(help_studies, url, log, 4, instantly=True) for _ in range(n_workers)]
    for _ in range(n_workers // 3):
        victim = workers.pop(rng.randrange(len(workers)))
        wait_for(rng.randint(1, 6), log, victim)
        time.sleep(rng.uniform(0, 0.01))
        assert victim.is_alive()
        victim.kill()
        victim.join()
    end(workers)
    trained_exactly(config, url)
    # Each kill has one other train one cohort again, and nothing else is trained twice.
    times: Counter[int] = Counter()
    for (cohort, _), n_times in epochs_of(log).items():
        times[cohort] = max(times[cohort], n_times - 1)
    assert times.total() <= n_workers // 3


def test_workers_train_and_one_verifies_though_another_is_killed(tmp_path, url):
    listed = [[width] for width in range(1, 13)]
    budget = ["budget.trials=12", "budget.verification_seeds=2"]
    config = load("digits", [*DIGITS, *budget, f"space.architectures={listed}"])
    submit_study(config, url)
    log = tmp_path / "log"
    victim, *workers = [start(help_studies, url, log, 4) for _ in range(3)]
    wait_for(2, log, victim)
    victim.kill()
    end(workers)
    trained_exactly(config, url)
    assert len(results_of(url)) == 24


def test_of_a_worker_killed_while_it_verifies_another_goes_on_and_no_network_is_scored_twice(tmp_path, url):
    listed = [[width] for width in range(1, 9)]
    budget = ["budget.trials=8", "budget.verification_seeds=3"]
    config = load("digits", [*DIGITS, *budget, f"space.architectures={listed}"])
    submit_study(config, url)
    log = tmp_path / "log"
    workers = {worker.pid: worker for worker in (start(help_studies, url, log, 4) for _ in range(2))}
    while not scores_of(log):
        assert all(worker.is_alive() for worker in workers.values())
        time.sleep(0.01)
    victim = workers.pop(scores_of(log)[0][1])
    victim.kill()
    victim.join()
    assert len(results_of(url)) < 24
    end(list(workers.values()))
    assert len(results_of(url)) == 24
    assert max(Counter(network for network, _ in scores_of(log)).values()) == 1
    assert len({pid for _, pid in scores_of(log)}) == 2


def test_of_workers_one_verifies_the_first_answer_while_others_search_and_another_takes_over(tmp_path, url):
    budget = ["budget.trials=40", "budget.verification_seeds=4", "budget.targets=[0.7]"]
    config = load("digits", [*DIGITS, *budget])
    submit_study(config, url)
    log = tmp_path / "log"
    workers = {worker.pid: worker for worker in (start(help_studies, url, log, 4) for _ in range(2))}
    while not scores_of(log):
        assert all(worker.is_alive() for worker in workers.values())
        time.sleep(0.01)
    victim = workers.pop(scores_of(log)[0][1])
    victim.kill()
    victim.join()
    end(list(workers.values()))
    trained_exactly(config, url)
    assert max(Counter(network for network, _ in scores_of(log)).values()) == 1
    assert len({pid for _, pid in scores_of(log)}) == 2


def test_two_runs_of_one_study_begun_at_once_train_its_budget_and_verify_once(tmp_path, url):
    listed = [[width] for width in range(1, 9)]
    budget = ["budget.trials=8", "budget.verification_seeds=2"]
    config = load("digits", [*DIGITS, *budget, f"space.architectures={listed}"])
    log = tmp_path / "log"
    end([start(run_study, config, url, log, 4) for _ in range(2)])
    trained_exactly(config, url)
    assert set(epochs_of(log).values()) == {1}
    assert len(scores_of(log)) == len(results_of(url)) == 16


def test_a_stopped_worker_wakes_drops_what_was_taken_and_goes_on(tmp_path, url):
    settings = ["training.epochs=20", "pruning.enabled=false", "budget.trials=16", "budget.verification_seeds=0"]
    config = load("digits", [*DIGITS, *settings])
    submit_study(config, url)
    log = tmp_path / "log"
    stopped = start(help_studies, url, log, 4, lease_seconds=1.0)
    wait_for(3, log, stopped)
    stop_outside_transactions(stopped, url)
    cohort = lines_of(log)[-1].cohort
    other = start(help_studies, url, log, 4, lease_seconds=1.0)
    taken = trials_of(url)[cohort : cohort + 4]
    while {trial.state for trial in taken} != {"complete"}:
        assert other.is_alive()
        time.sleep(0.05)
        taken = trials_of(url)[cohort : cohort + 4]
    n_lines = len(lines_of(log))
    os.kill(stopped.pid, signal.SIGCONT)
    end([stopped, other])
    assert [trial for trial in trained_exactly(config, url) if trial in taken] == taken
    woken = [line.cohort for line in lines_of(log)[n_lines:] if line.pid == stopped.pid]
    assert woken.count(cohort) <= 2  # One that it had written down just before it was stopped, and one that is refused.
