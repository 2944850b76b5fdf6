"""Real processes interrupted and killed in mid-study, and what the next one makes of it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from fewest.storage.database.database import open_database
from fewest.storage.trials.records import TrialRecord
from fewest.storage.trials.studies import read_study, read_trials

SETTINGS = ("--trials", "24", "--quiet", "--set", "space.max_width=4", "--set", "budget.verification_seeds=0")
PATIENCE_SECONDS = 120


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fewest", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def wait_for_epochs(path: Path, n: int, process: subprocess.Popen[str]) -> None:
    """Returns once the database has curves of at least `n` epochs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists() and n_epochs(path) >= n:
            return
        time.sleep(0.02)
    raise AssertionError(f"no {n} epochs: {process.communicate(timeout=10)}")


def n_epochs(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM fewest_curves").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def trials_of(url: str) -> list[TrialRecord]:
    engine = open_database(url, create=False)
    return read_trials(engine, read_study(engine, "digits").study_id)


def essence(trials: list[TrialRecord]) -> list[tuple]:
    return [(t.number, t.state, t.widths, t.seed, t.epochs, t.validation_accuracy) for t in trials]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[tuple]:
    """The trials of a study that nothing happened to."""
    url = f"sqlite:///{tmp_path_factory.mktemp('whole') / 'studies.db'}"
    process = start("run", "digits", *SETTINGS, "--storage", url)
    output = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    return essence(trials_of(url))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_study_says_how_to_go_on_and_does(number, tmp_path, url, uninterrupted):
    process = start("run", "digits", *SETTINGS, "--storage", url)
    wait_for_epochs(tmp_path / "studies.db", 100, process)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert f"Continue with `fewest resume digits --storage {url}`." in said
    assert "running" not in {trial.state for trial in trials_of(url)}
    process = start("resume", "digits", "--quiet", "--storage", url)
    output = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    assert essence(trials_of(url)) == uninterrupted


def test_a_second_signal_stops_at_once_and_loses_nothing(tmp_path, url, uninterrupted):
    process = start("run", "digits", *SETTINGS, "--storage", url)
    wait_for_epochs(tmp_path / "studies.db", 100, process)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == "Finishing the epoch; once more stops at once.\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    process = start("resume", "digits", "--quiet", "--storage", url)
    output = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    assert essence(trials_of(url)) == uninterrupted


def test_a_killed_study_loses_no_trial_and_trains_none_twice(tmp_path, url, uninterrupted):
    process = start("run", "digits", *SETTINGS, "--storage", url)
    wait_for_epochs(tmp_path / "studies.db", 260, process)
    process.kill()
    process.communicate()
    process = start("resume", "digits", "--quiet", "--storage", url)
    output = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    trials = trials_of(url)
    assert Counter(trial.state in ("complete", "pruned") for trial in trials) == {True: 24}
    assert essence(trials) == uninterrupted
