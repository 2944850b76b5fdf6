"""Processes that do what `howmany` does, forked from one that has TensorFlow loaded: starting one takes no seconds.

They can be killed and stopped like any other. Every epoch of a cohort that a process has written down is a line of its
log, so that what was trained twice can be counted.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from search.config import StudyConfig

__all__ = ["epochs_of", "run_study", "start"]

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["howmany.figures", "search.datasets", "search.keeping", "search.loop", "search.population", "search.verification"]
)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def start(target: Callable[..., None], *arguments: Any, **named: Any) -> BaseProcess:
    """Runs a function of a module in a process of its own."""
    process = _FORKS.Process(target=target, args=arguments, kwargs=named, daemon=True)
    process.start()
    return process


def run_study(config: StudyConfig, url: str, log: Path, cohort_size: int) -> None:
    """`howmany run`, in cohorts of a given size."""
    from howmany.jobs import run_study as run

    prepare(log, cohort_size)
    with redirect_stdout(StringIO()):
        run(config, url, quiet=True)


def prepare(log: Path, cohort_size: int) -> None:
    """Lets this process train cohorts of a given size, checkpoint them after every epoch, and log their epochs."""
    import search.population
    import search.safekeeping
    from search.watch import StudyWatch

    search.population.cohort_size = lambda *_: cohort_size
    # Epochs here take milliseconds: a checkpoint after each would cost more than it may.
    search.safekeeping.is_due = lambda *_: True
    record = StudyWatch.record

    def logged(self: StudyWatch, epoch: int, metrics: Any) -> None:
        record(self, epoch, metrics)
        with log.open("ab", buffering=0) as file:
            file.write(f"{self._tickets[0].cohort} {epoch} {os.getpid()}\n".encode())

    StudyWatch.record = logged  # type: ignore[method-assign]


def epochs_of(log: Path) -> Counter[tuple[int, int]]:
    """How often each epoch of each cohort was trained and written down, by the cohort's number and the epoch's."""
    lines = log.read_text("ascii").splitlines() if log.exists() else []
    return Counter((int(cohort), int(epoch)) for cohort, epoch, _ in map(str.split, lines))
