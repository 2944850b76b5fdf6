"""Freed memory stays with the process, so that the next step need not fault it in again."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from fewest.search.settings.memory import keep_memory

ROOT = Path(__file__).parents[3]

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries have no such settings")

FAULTS = """
import ctypes, resource
from fewest.search.settings.memory import M_MMAP_THRESHOLD, keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        b"x" * 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 128 * 1024)  # as TensorFlow does
before, kept, after = faults(), keep_memory(), faults()
print(before, kept, after)
"""


def counted(**variables: str) -> tuple[int, bool, int]:
    """The faults of a hundred blocks of a MiB, what `keep_memory` returned, and the faults of a hundred more."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    environment = {**own, "PYTHONPATH": str(ROOT), **variables}
    ended = subprocess.run([sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True)
    before, kept, after = ended.stdout.split()
    return int(before), kept == "True", int(after)


@glibc
def test_blocks_are_faulted_in_once() -> None:
    before, kept, after = counted()
    assert kept
    assert before > 10_000
    assert after < before / 10


@glibc
@pytest.mark.parametrize(
    "variables", [{"MALLOC_ARENA_MAX": "2"}, {"GLIBC_TUNABLES": "glibc.malloc.top_pad=131072"}], ids=list
)
def test_a_users_own_settings_win(variables: dict[str, str]) -> None:
    before, kept, after = counted(**variables)
    assert not kept
    assert after > before / 2


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not keep_memory()


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", None)
    assert not keep_memory()


def test_memory_is_kept_before_tensorflow_loads() -> None:
    script = """
import sys
from fewest.search.settings import memory
memory.keep_memory = lambda: print("tensorflow" in sys.modules)
import fewest.search.settings.keras_settings
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False"]
