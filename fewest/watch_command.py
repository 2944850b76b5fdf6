"""`fewest watch`: a live screen of a study, which reads only. q or Ctrl-C leaves, and the terminal is as it was.

Without a terminal to draw on, one plain screen is printed. `live_state` reads the study, `live_screen` draws it.
"""

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Final

from rich.console import Console, ConsoleDimensions
from rich.live import Live
from rich.text import Text

from fewest.dashboards.console import out
from fewest.dashboards.live_screen import screen
from fewest.dashboards.live_state import Follower, LiveState
from fewest.search.settings.files import storage_option
from fewest.storage.database.database import open_database
from fewest.storage.errors import StorageError

__all__ = ["watch_study"]

SECONDS_BETWEEN_READS: Final = 1.0
SECONDS_BETWEEN_LOOKS: Final = 0.1
"""Seconds between two looks at the keyboard and at the terminal's size."""

SNAPSHOT_LINES: Final = 60
"""Lines of the one screen that is printed where there is no terminal."""


def watch_study(name: str, url: str) -> None:
    """Show a study until the user leaves; a finished one, too.

    Args:
        name: Name of the study.
        url: URL of the storage.

    Raises:
        NotFoundError: There is no such study, or no storage yet.
        StudyGoneError: The study was deleted or renamed meanwhile.
        StorageError: The storage cannot be read at the first time. Later failures are shown, and it is tried again.
    """
    database = open_database(url, create=False)
    try:
        follower = Follower(database, name)
        state = follower.read(time.monotonic())
        console = out()
        drawn = partial(screen, plain=_is_plain(console), storage=storage_option(url))
        if console.is_terminal and not console.is_dumb_terminal:
            with contextlib.suppress(KeyboardInterrupt):
                _show(console, follower, state, drawn)
        else:
            console.print(drawn(state, console.width, SNAPSHOT_LINES, live=False), soft_wrap=True)
    finally:
        database.dispose()


def _show(console: Console, follower: Follower, state: LiveState, drawn: Callable[[LiveState, int, int], Text]) -> None:
    """Draw the screen again after each read and each change of the terminal's size, until the user leaves."""
    with _ending_by_signal(), _keys() as left, Live(console=console, screen=True, auto_refresh=False) as live:
        read_at, size = time.monotonic(), None
        while not left(SECONDS_BETWEEN_LOOKS):
            if time.monotonic() - read_at >= SECONDS_BETWEEN_READS:
                state, read_at, size = _read(follower, state), time.monotonic(), None
            console.size = _size(console)
            if size != console.size:
                size = console.size
                live.update(drawn(state, size.width, size.height), refresh=True)


def _size(console: Console) -> ConsoleDimensions:
    """Return the terminal's present size; Rich would trust `COLUMNS` and `LINES`, which no resize changes."""
    try:
        columns, lines = os.get_terminal_size(console.file.fileno())
    except OSError:
        return console.size
    return ConsoleDimensions(columns, lines) if columns and lines else console.size


def _read(follower: Follower, before: LiveState) -> LiveState:
    """Read the study; where the storage cannot be read, keep the last state and say why."""
    try:
        return follower.read(time.monotonic())
    except StorageError as error:
        return replace(before, trouble=error.in_shell())


def _is_plain(console: Console) -> bool:
    return not console.encoding.lower().startswith("utf")


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Yield a function that waits so many seconds and says whether the user asked to leave.

    Keys are read one by one and not shown; afterwards the terminal is as it was, and what was typed is gone. Ctrl-Z
    does nothing meanwhile: it would leave the screen behind.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        yield _asleep
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def left(seconds: float) -> bool:
        ready, _, _ = select.select([keyboard], [], [], seconds)
        typed = os.read(keyboard, 100) if ready else None
        return typed is not None and (not typed or b"q" in typed.lower())

    try:
        tty.setcbreak(keyboard)
        settings = termios.tcgetattr(keyboard)
        settings[6][termios.VSUSP] = bytes([os.fpathconf(keyboard, "PC_VDISABLE")])
        termios.tcsetattr(keyboard, termios.TCSANOW, settings)
        yield left
    finally:
        termios.tcsetattr(keyboard, termios.TCSAFLUSH, before)


def _asleep(seconds: float) -> bool:
    """Wait where there is no keyboard: nobody asks to leave."""
    time.sleep(seconds)
    return False


@contextlib.contextmanager
def _ending_by_signal() -> Iterator[None]:
    """Leave the screen in order when the process is asked to end, or its terminal is closed."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
