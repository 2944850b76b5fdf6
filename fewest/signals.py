"""Ctrl-C and SIGTERM: the first lets the epoch finish, the second stops at once.

Python handles signals between two of its own instructions, of which a compiled epoch has none, and takes two that
arrived meanwhile for one. So a thread listens to them as they arrive.
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
"""How long, after the second signal, the program may take to leave by itself."""


@contextmanager
def stoppable(announce: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether the user asked to stop.

    Args:
        announce: Told, once, that the epoch is being finished; from another thread.

    Raises:
        KeyboardInterrupt: At a second signal. If it cannot be raised soon, the process ends as if killed, which a
            study survives, with status 130.
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
