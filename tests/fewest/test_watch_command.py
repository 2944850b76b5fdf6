"""`fewest watch`: one plain screen in a pipe, a live one in a terminal, which is then as it was."""

import os
import re
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

from fewest import watch_command
from fewest.dashboards.live_state import LiveState
from fewest.storage.errors import StorageError
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


def state(trouble: str | None = None) -> LiveState:
    """A study that has not begun."""
    return LiveState(
        name="digits",
        dataset="digits",
        n_trials=9,
        n_epochs=3,
        counts={},
        n_verified=0,
        finished=False,
        seconds_left=None,
        targets=(0.9,),
        points=(),
        front=(),
        answers=(),
        workers=(),
        running=(),
        pruned=(),
        trouble=trouble,
    )


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


@pytest.mark.parametrize("name", ["digits", "a\nb"])
def test_a_study_that_is_not_there_is_one_line(name: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("watch", name, "--storage", url) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: There are no studies in ")


def test_a_storage_out_of_reach_keeps_what_was_known_and_says_why() -> None:
    class Unreachable:
        def read(self, now_seconds: float) -> LiveState:
            raise StorageError("The server must answer.")

    assert watch_command._read(Unreachable(), state()) == state(trouble="The server must answer.")


@pytest.mark.slow
def test_a_study_is_watched_and_the_terminal_left_as_it_was(
    worker: "subprocess.Popen[str]",
    tmp_path: Path,
    terminal: Callable[[str], Terminal],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a pipe; in a terminal over a resize and a killed worker, left by q; left by Ctrl-C; over a deleted study."""
    url = sqlite_url(tmp_path / "s.db")
    assert command("watch", "digits", "--storage", url) == 0
    printed = capsys.readouterr()
    assert re.match(r"digits on digits: searching, about \d+ min( to \d+ min)? left\n", printed.out)
    assert "trial 1     4            epoch 5 of 30" in printed.out
    assert ("Ctrl-C leaves" in printed.out, "\x1b" in printed.out, printed.err) == (False, False, "")

    # These two variables are what the terminal was when the shell began.
    begin = f"cd {shlex.quote(str(tmp_path))}; export COLUMNS=100 LINES=30; stty -g > before"
    watch = f"{shlex.quote(sys.executable)} -m fewest watch digits --storage sqlite:///s.db"
    three = "; ".join(f"{watch}; echo {which} $?; stty -g > {which}" for which in ("first", "second", "third"))
    shell = terminal(f"{begin}; {three}; exec cat")
    assert shell.shows(lambda screen: "last heartbeat" in screen).startswith("digits on digits: searching")
    shell.do("resize-window", "-t", "w", "-x", "40", "-y", "9")
    shell.shows(lambda screen: screen.startswith("digits on digits: searching") and "Ctrl-C leaves" in screen)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    shell.shows(lambda screen: "nobody works on it" in screen)
    shell.do("send-keys", "-t", "w", "q")
    # The second one has drawn its screen once the first one's end is out of sight.
    shell.shows(lambda screen: (tmp_path / "first").exists() and "Ctrl-C leaves" in screen)
    shell.do("send-keys", "-t", "w", "C-c")
    shell.shows(lambda screen: (tmp_path / "second").exists() and "Ctrl-C leaves" in screen)
    optuna.delete_study(study_name="digits", storage=optuna_storage(url))
    left = shell.shows(lambda screen: "third" in screen)
    assert left.startswith("first 0\nsecond 0\nError: Study 'digits' must stay in")
    assert "third 1" in left
    assert (tmp_path / "second").read_text() == (tmp_path / "first").read_text() == (tmp_path / "before").read_text()
