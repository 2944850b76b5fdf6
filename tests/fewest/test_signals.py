"""What signals do to a program, whatever it is in the middle of."""

import os
import signal
import subprocess
import sys

import pytest

from fewest.signals import stoppable

ANNOUNCEMENT = "Finishing the epoch; once more stops at once."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_announced_once_and_stops_nothing_by_itself(number):
    said: list[str] = []
    before = signal.getsignal(number)
    with stoppable(said.append) as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), number)
        assert should_stop()
    assert said == [ANNOUNCEMENT]
    assert signal.getsignal(number) is before


def test_a_second_signal_interrupts_a_program_that_goes_on():
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), stoppable(said.append) as should_stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        while should_stop():
            pass
    assert said == [ANNOUNCEMENT]


TWO_AS_ONE = """
import hashlib, threading
from fewest.signals import stoppable
with stoppable(lambda line: print(line, flush=True)):
    threading.Timer(0.5, print, ["begun"], {"flush": True}).start()
    try:
        hashlib.pbkdf2_hmac("sha256", b"", b"", 6_000_000)  # One instruction to Python.
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_two_signals_within_one_instruction_of_python_interrupt_a_program_all_the_same():
    process = subprocess.Popen([sys.executable, "-c", TWO_AS_ONE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for expected in ("begun", ANNOUNCEMENT):
        assert process.stdout.readline() == expected + "\n"
        process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == "interrupted\n"
    assert process.returncode == 0


def test_signals_of_another_meaning_ask_for_nothing():
    said: list[str] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    with stoppable(said.append, "Stopped.") as should_stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not should_stop()
    signal.signal(signal.SIGUSR1, before)
    assert said == []


UNWOUND = """
from fewest.signals import stoppable
with stoppable(lambda line: print(line, flush=True), "Stopped."):
    print("begun", flush=True)
    try:
        while True:
            pass
    except BaseException:
        print("unwound")
"""

COMPILED = """
import hashlib, threading
from fewest.signals import stoppable
with stoppable(lambda line: print(line, flush=True), "Stopped."):
    # Said from another thread, once the long instruction has surely begun: a signal before it would just interrupt.
    threading.Timer(0.5, print, ["begun"], {"flush": True}).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # One instruction to Python.
"""


@pytest.mark.parametrize("program", [UNWOUND, COMPILED])
def test_a_second_signal_ends_a_command_whatever_it_is_in_the_middle_of(program):
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for expected in ("begun", ANNOUNCEMENT):
        assert process.stdout.readline() == expected + "\n"
        process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == "Stopped.\n"
    assert process.returncode == 130
