"""Ctrl-C and SIGTERM: the first lets the epoch finish, the second stops at once.

Python handles signals only between two of its own instructions, and a compiled epoch has none. Python would also count
two signals that arrive meanwhile as one. So a thread listens for signals as they arrive.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import FrameType

from fewest.dashboards.console import err
from fewest.ending import INTERRUPTED

__all__ = ["stoppable"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable(announce: Callable[[str], None], last_words: str | None = None) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the user asked to stop.

    Args:
        announce: Function that prints a line, called from another thread: at the first signal, the epoch is being
            finished.
        last_words: Line to print at the second signal, at which the process ends with status 130. Nothing is unwound,
            since an exception between any two instructions can leave a lock taken or a transaction open. A study
            survives that. None raises `KeyboardInterrupt` once, as soon as Python can, for programs that go on.

    Raises:
        KeyboardInterrupt: A second signal arrived, and there are no last words.
    """
    n_arrived, n_handled, is_raised = 0, 0, False
    arriving, arrived = socket.socketpair()
    arrived.setblocking(False)

    def listen() -> None:
        nonlocal n_arrived
        while number := arriving.recv(1):  # Of every signal that Python handles.
            if number[0] not in SIGNALS:
                continue
            n_arrived += 1
            if n_arrived == 1:
                announce("Finishing the epoch; once more stops at once.")
            elif last_words is not None:
                err().show_cursor()
                announce(last_words)
                os._exit(INTERRUPTED)

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal n_handled, is_raised
        n_handled += 1
        # Either count may be behind: the thread's until it runs, Python's where two signals arrived as one.
        if max(n_arrived, n_handled) > 1 and last_words is None and not is_raised:
            is_raised = True
            raise KeyboardInterrupt

    listener = Thread(target=listen, name="fewest-signals", daemon=True)
    listener.start()
    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    former = signal.set_wakeup_fd(arrived.fileno(), warn_on_full_buffer=False)
    try:
        yield lambda: n_arrived + n_handled > 0
    finally:
        signal.set_wakeup_fd(former)
        for number, handler in before.items():
            signal.signal(number, handler)
        arrived.close()
        listener.join()
        arriving.close()
