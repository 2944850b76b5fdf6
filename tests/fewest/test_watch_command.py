"""`fewest watch`: one plain screen in a pipe, a live one in a terminal, which is then as it was."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from helpers import command, sqlite_url

from fewest.storage.trials.cohort_storage import optuna_storage

PATIENCE_SECONDS = 60
FOLDER = Path(__file__).parent


@pytest.fixture
def worker(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that works on the study 'digits' in a storage in this folder."""
    words = [sys.executable, str(FOLDER / "watched_worker.py"), sqlite_url(tmp_path / "s.db")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


class Terminal:
    """A terminal of tmux in which one command runs."""

    def __init__(self, line: str) -> None:
        self._socket = f"fewest-test-{os.getpid()}"
        self.do("new-session", "-d", "-x", "100", "-y", "30", "-s", "w", line)

    def do(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-L", self._socket, *words], capture_output=True, text=True, check=True)
        return done.stdout

    def shows(self, holds: Callable[[str], bool]) -> str:
        """Returns the screen once it is as wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds(screen := self.do("capture-pane", "-p", "-t", "w")):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
        return screen


@pytest.fixture
def terminal() -> Iterator[Callable[[str], Terminal]]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    opened: list[Terminal] = []

    def open_terminal(line: str) -> Terminal:
        opened.append(Terminal(line))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.do("kill-server")


@pytest.mark.slow
def test_a_pipe_gets_one_screen(worker: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("watch", "digits", "--storage", sqlite_url(tmp_path / "s.db")) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("digits on digits: searching\n")
    assert "trial 1     4            epoch 5 of 30" in shown.out
    assert ("q leaves" in shown.out, "\x1b" in shown.out, shown.err) == (False, False, "")


@pytest.mark.parametrize("name", ["digits", "a\nb"])
def test_a_study_that_is_not_there_is_one_line(name: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("watch", name, "--storage", url) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: There are no studies in ")


@pytest.mark.slow
def test_a_terminal_follows_a_killed_worker_and_a_resize_and_is_left_as_it_was(
    worker: "subprocess.Popen[str]", tmp_path: Path, terminal: Callable[[str], Terminal]
) -> None:
    python, folder = shlex.quote(sys.executable), shlex.quote(str(tmp_path))
    watch = f"{python} -m fewest watch digits --storage sqlite:///s.db"
    shell = terminal(f"cd {folder}; stty -g > before; {watch}; echo status $?; stty -g > after; exec cat")
    shown = shell.shows(lambda screen: "last heartbeat" in screen)
    assert shown.startswith("digits on digits: searching")
    shell.do("resize-window", "-t", "w", "-x", "40", "-y", "9")
    shell.shows(lambda screen: screen.startswith("digits on digits: searching") and "q leaves" in screen)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    shell.shows(lambda screen: "nobody works on it" in screen)
    shell.do("send-keys", "-t", "w", "q")
    left = shell.shows(lambda screen: "status 0" in screen)
    assert "digits on digits" not in left
    shell.shows(lambda screen: (tmp_path / "after").exists() and bool((tmp_path / "after").read_text()))
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


@pytest.mark.slow
def test_ctrl_c_leaves_with_success_and_a_deleted_study_with_a_line(
    worker: "subprocess.Popen[str]", tmp_path: Path, terminal: Callable[[str], Terminal]
) -> None:
    watch = f"cd {shlex.quote(str(tmp_path))}; {shlex.quote(sys.executable)} -m fewest watch digits --storage sqlite:///s.db"
    shell = terminal(f"{watch}; echo first $?; {watch}; echo second $?; exec cat")
    shell.shows(lambda screen: "q leaves" in screen)
    shell.do("send-keys", "-t", "w", "C-c")
    shell.shows(lambda screen: "q leaves" in screen and "first 0" not in screen)
    optuna.delete_study(study_name="digits", storage=optuna_storage(sqlite_url(tmp_path / "s.db")))
    left = shell.shows(lambda screen: "second 1" in screen)
    assert "first 0" in left
    assert "Error: Study 'digits' must stay in the storage" in left
