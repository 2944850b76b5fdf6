"""Processes interrupted and killed in mid-study, and what the next one makes of it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from forked import run_command, start
from helpers import essence, sqlite_url, trials_of

SETTINGS = ("--trials", "24", "--quiet", "--set", "space.max_width=4", "--set", "budget.verification_seeds=0")
PATIENCE_SECONDS = 120
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("none_left")]


def wait_for_epochs(path: Path, n: int, is_alive: Callable[[], bool]) -> None:
    """Returns once the database has curves of at least `n` epochs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and is_alive():
        if path.exists() and n_epochs(path) >= n:
            return
        time.sleep(0.02)
    raise AssertionError(f"no {n} epochs")


def n_epochs(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM fewest_curves").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def send(process: BaseProcess, number: signal.Signals) -> None:
    assert process.pid is not None
    os.kill(process.pid, number)


def status_of(process: BaseProcess) -> int | None:
    """The status with which a process ends."""
    process.join(PATIENCE_SECONDS)
    return process.exitcode


def run(url: str, said: Path) -> BaseProcess:
    return start(run_command, said, "run", "digits", *SETTINGS, "--storage", url)


def resume(url: str, said: Path) -> None:
    """Lets another process go on to the end."""
    process = start(run_command, said, "resume", "digits", "--quiet", "--storage", url)
    assert status_of(process) == 0, said.read_text("utf-8")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """The trials of a study that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    url, said = sqlite_url(folder / "studies.db"), folder / "said"
    assert status_of(run(url, said)) == 0, said.read_text("utf-8")
    return essence(trials_of(url))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_study_says_how_to_go_on_and_does(number, tmp_path, url, uninterrupted):
    process = run(url, tmp_path / "said")
    wait_for_epochs(tmp_path / "studies.db", 100, process.is_alive)
    send(process, number)
    assert status_of(process) == 130
    assert f"Continue with `fewest resume digits --storage {url}`." in (tmp_path / "said").read_text("utf-8")
    assert "running" not in {trial.state for trial in trials_of(url)}
    resume(url, tmp_path / "said")
    assert essence(trials_of(url)) == uninterrupted


def test_the_program_as_it_is_started_in_a_shell_does_so_too(tmp_path, url, uninterrupted):
    arguments = ("run", "digits", *SETTINGS, "--storage", url)
    process = subprocess.Popen(
        [sys.executable, "-m", "fewest", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    wait_for_epochs(tmp_path / "studies.db", 100, lambda: process.poll() is None)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert f"Continue with `fewest resume digits --storage {url}`." in said
    resume(url, tmp_path / "said")
    assert essence(trials_of(url)) == uninterrupted


def test_a_second_signal_stops_at_once_and_loses_nothing(tmp_path, url, uninterrupted):
    process = run(url, said := tmp_path / "said")
    wait_for_epochs(tmp_path / "studies.db", 100, process.is_alive)
    send(process, signal.SIGINT)
    while not said.read_text("utf-8").endswith("\n"):
        assert process.is_alive()
    assert said.read_text("utf-8").splitlines()[0] == "Finishing the epoch; once more stops at once."
    send(process, signal.SIGINT)
    assert status_of(process) == 130
    assert said.read_text("utf-8").splitlines()[1].endswith(f"Continue with `fewest resume digits --storage {url}`.")
    resume(url, said)
    assert essence(trials_of(url)) == uninterrupted


def test_a_killed_study_loses_no_trial_and_trains_none_twice(tmp_path, url, uninterrupted):
    process = run(url, tmp_path / "said")
    wait_for_epochs(tmp_path / "studies.db", 260, process.is_alive)
    process.kill()
    process.join()
    resume(url, tmp_path / "said")
    trials = trials_of(url)
    assert [trial.state in ("complete", "pruned") for trial in trials] == [True] * 24
    assert essence(trials) == uninterrupted
