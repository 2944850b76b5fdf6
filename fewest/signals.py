"""Ctrl-C and SIGTERM: the first lets the epoch finish, the second stops at once.

Python handles signals only between two of its own instructions, and a compiled epoch has none. Python would also count
two signals that arrive meanwhile as one. So a thread listens for signals as they arrive.
"""

import _thread
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType

from fewest.dashboards.console import err

__all__ = ["stoppable"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)

GRACE_SECONDS = 1.0
"""Seconds that the program may take to leave by itself after the second signal."""


@contextmanager
def stoppable(announce: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the user asked to stop.

    Args:
        announce: Function that prints a line, called from another thread at the first signal: the epoch is being
            finished. It is called again if the process has to end at once.

    Raises:
        KeyboardInterrupt: A second signal arrived. If it cannot be raised within `GRACE_SECONDS`, the process ends at
            once with status 130. A study survives that.
    """
    n_arrived, asked, raised = 0, False, False
    left = Event()
    arriving, arrived = socket.socketpair()
    arrived.setblocking(False)

    def listen() -> None:
        nonlocal n_arrived, asked
        while arriving.recv(1):
            n_arrived, asked = n_arrived + 1, True
            if n_arrived == 1:
                announce("Finishing the epoch; once more stops at once.")
                continue
            _thread.interrupt_main()
            if not left.wait(GRACE_SECONDS):
                err().show_cursor()
                announce("Stopped; nothing that was written down is lost.")
                os._exit(130)
            return

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked, raised
        asked = True
        if n_arrived > 1 and not raised:
            raised = True
            raise KeyboardInterrupt

    listener = Thread(target=listen, name="fewest-signals", daemon=True)
    listener.start()
    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    former = signal.set_wakeup_fd(arrived.fileno(), warn_on_full_buffer=False)
    try:
        yield lambda: asked
    finally:
        left.set()
        signal.set_wakeup_fd(former)
        for number, handler in before.items():
            signal.signal(number, handler)
        arrived.close()
        listener.join()
        arriving.close()
