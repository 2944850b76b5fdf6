"""Ctrl-C and SIGTERM: the first lets the epoch finish, the second stops at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stoppable"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable(announce: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether the user asked to stop.

    Args:
        announce: Told, once, that the epoch is being finished.

    Raises:
        KeyboardInterrupt: At a second signal.
    """
    asked = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        announce("Finishing the epoch; once more stops at once.")

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
