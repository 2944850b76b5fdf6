"""A worker's process, and whether it still exists; certain only on the process's own host."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["Process", "ProcessState", "state_of", "this_process"]

ProcessState: TypeAlias = Literal["running", "stopped", "gone", "unknown"]
"""`stopped` by a signal or a debugger; `unknown` for processes of other hosts or containers."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process among all that ever ran.

    Attributes:
        host: The host's name, for people.
        boot: The kernel's boot and the process-id namespace in it; empty where the system does not tell.
        pid: Its id in that namespace.
        started: Its start, in the kernel's ticks since boot; needed because process ids are reused.
    """

    host: str
    boot: str
    pid: int
    started: str


def this_process() -> Process:
    """Return the calling process."""
    pid = os.getpid()
    stat = _stat(pid)
    return Process(socket.gethostname(), _boot(), pid, stat[1] if stat else "")


def state_of(process: Process) -> ProcessState:
    """Return the state of a process.

    A running process is never `gone`, nor is a process under another kernel.
    """
    if not process.boot or not process.started or process.boot != _boot():
        return "unknown"
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass  # It exists and belongs to another user.
    stat = _stat(process.pid)
    if stat is None:
        return "unknown"
    state, started = stat
    if started != process.started or state in "ZX":
        return "gone"
    return "stopped" if state in "Tt" else "running"


def _boot() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, str] | None:
    """Return a process's state letter and start, or None where the system does not tell. See proc_pid_stat(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold anything, parentheses too.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]
