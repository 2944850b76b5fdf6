"""Processes that do what `fewest` does, forked from one that has TensorFlow loaded: starting one takes no seconds.

They can be killed and stopped like any other. Every epoch of a cohort that a process has written down is a line of its
log, and every network that it has scored one of the log beside it, so that what was done twice can be counted.
"""

import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fewest.search.settings.config import StudyConfig
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.space import Network, n_neurons
from fewest.search.training.outcome import EpochMetrics, Outcome
from fewest.storage.trials.records import VerifiedNetwork

if TYPE_CHECKING:
    from fewest.job import Manner
    from fewest.search.training.interface import Watcher

__all__ = [
    "InstantEngine",
    "Line",
    "epochs_of",
    "help_studies",
    "kill_all",
    "lines_of",
    "run_command",
    "run_study",
    "scores_of",
    "start",
]

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "fewest.figures",
        "fewest.search.data.loading",
        "fewest.search.keeper",
        "fewest.search.loop",
        "fewest.search.training.population.cohort",
        "fewest.search.verification.verify",
    ]
)
_started: list[BaseProcess] = []
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def start(target: Callable[..., None], *arguments: Any, **named: Any) -> BaseProcess:
    """Runs a function of a module in a process of its own."""
    process = _FORKS.Process(target=target, args=arguments, kwargs=named, daemon=True)
    process.start()
    _started.append(process)
    return process


def kill_all() -> None:
    """Ends what still runs: a test that failed may have left a process stopped, which no exit would wait out."""
    for process in _started:
        process.kill()
        process.join()
    _started.clear()


def run_command(said: Path, *arguments: str) -> None:
    """`fewest` with these arguments; what it says on stderr goes into a file, after what is there already."""
    from fewest.cli import main

    with said.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    with redirect_stdout(StringIO()):
        main(arguments)


def run_study(config: StudyConfig, url: str, log: Path, cohort_size: int) -> None:
    """`fewest run`, in cohorts of a given size."""
    from fewest.train_commands import run_study as run

    log_scores(log)
    with redirect_stdout(StringIO()):
        run(config, url, manner=_manner(log, cohort_size))


def help_studies(
    url: str, log: Path, cohort_size: int, *, instantly: bool = False, lease_seconds: float = 30.0
) -> None:
    """`fewest worker`.

    Args:
        url: The storage.
        log: Takes a line for each epoch of a cohort.
        cohort_size: Networks that train together.
        instantly: Train with `InstantEngine`, and keep and draw nothing.
        lease_seconds: How long this worker may be silent.
    """
    from fewest.figures import Figures
    from fewest.search.keeper import Keeper
    from fewest.workers import help_studies as help_

    log_scores(log)
    manner = _manner(log, cohort_size, lease_seconds)
    if instantly:
        manner = replace(manner, make_engine=lambda config: LoggedEngine(InstantEngine(), log, cohort_size))
        Keeper.keep_front = lambda *_: None  # type: ignore[method-assign]
        Figures.refresh = lambda *_: None  # type: ignore[method-assign]
    help_([], url, wait=False, manner=manner)


def _manner(log: Path, cohort_size: int, lease_seconds: float = 30.0) -> "Manner":
    """Cohorts of a given size, checkpointed after every epoch: epochs here take milliseconds."""
    from fewest.job import Manner, engine_for
    from fewest.search.study.pace import Pace

    pace = Pace(checkpoint_due=lambda *_: True, lease_seconds=lease_seconds, poll_seconds=0.2)
    return Manner(quiet=True, pace=pace, make_engine=lambda config: LoggedEngine(engine_for(config), log, cohort_size))


class LoggedEngine:
    """An engine in cohorts of a given size, which logs every epoch of a cohort that is written down."""

    def __init__(self, engine: Any, log: Path, cohort_size: int) -> None:
        self._engine, self._log, self._n = engine, log, cohort_size
        self.right = engine.right

    def cohort_size(self, *_: Any) -> int:
        return self._n

    def train(self, *arguments: Any, order: Any, watcher: "Watcher") -> list[Outcome]:
        return self._engine.train(*arguments, order=order, watcher=LoggedWatcher(watcher, self._log))


class LoggedWatcher:
    """A study's watcher that also logs; a verification's goes through as it is."""

    def __init__(self, watcher: Any, log: Path) -> None:
        self._watcher, self._log = watcher, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watcher, name)

    def record(self, epoch: int, metrics: Any) -> None:
        self._watcher.record(epoch, metrics)
        if tickets := getattr(self._watcher, "_tickets", None):
            with self._log.open("ab", buffering=0) as file:
                file.write(f"{tickets[0].cohort} {epoch} {os.getpid()}\n".encode())


class InstantEngine:
    """An engine that trains nothing: every epoch takes a moment.

    Args:
        accuracy_of: The accuracy of a network with so many neurons, from its first epoch on; by default it is as good
            as it is large.
    """

    def __init__(self, accuracy_of: Callable[[int], float] = lambda neurons: 1 - 1 / (2 + neurons)) -> None:
        self._accuracy_of = accuracy_of

    def cohort_size(self, *_: Any) -> int:
        return 8

    def train(
        self, networks: Sequence[Network], data: Any, protocol: Protocol, *, order: Any, watcher: "Watcher"
    ) -> list[Outcome]:
        accuracies = [self._accuracy_of(n_neurons(network.architecture)) for network in networks]
        seen = [EpochMetrics(1.0, accuracy, 1.0, accuracy) for accuracy in accuracies]
        for epoch in range(protocol.epochs):
            time.sleep(0.005)
            watcher.record(epoch, dict(enumerate(seen)))
            watcher.checkpoint(None)
        curves = [(metrics,) * protocol.epochs for metrics in seen]
        return [
            Outcome("complete", curve, 0, accuracy, 0.01, [], None)
            for curve, accuracy in zip(curves, accuracies, strict=True)
        ]

    def right(self, *_: Any) -> Any:
        raise AssertionError("nothing here is verified")


def log_scores(log: Path) -> None:
    """Let this process log every network whose score it has written."""
    from fewest.search.study.study import OpenStudy

    write = OpenStudy.write_results

    def logged(self: OpenStudy, networks: Sequence[VerifiedNetwork]) -> bool:
        written = write(self, networks)
        with _scores(log).open("ab", buffering=0) as file:
            file.write("".join(f"{n.widths!r}|{n.seed}|{os.getpid()}\n" for n in networks if written).encode())
        return written

    OpenStudy.write_results = logged  # type: ignore[method-assign]


class Line(NamedTuple):
    """An epoch that was trained and written down: of which cohort, and by which process."""

    cohort: int
    epoch: int
    pid: int


def lines_of(log: Path) -> list[Line]:
    """A log, oldest first."""
    lines = log.read_text("ascii").splitlines() if log.exists() else []
    return [Line(*map(int, line.split())) for line in lines]


def scores_of(log: Path) -> list[tuple[str, int]]:
    """The networks scored in verification, in order: each as text, and the process that scored it."""
    scores = _scores(log)
    lines = scores.read_text("ascii").splitlines() if scores.exists() else []
    return [(network, int(pid)) for network, _, pid in (line.rpartition("|") for line in lines)]


def _scores(log: Path) -> Path:
    return log.with_suffix(".scores")


def epochs_of(log: Path) -> Counter[tuple[int, int]]:
    """How often each epoch of each cohort was trained and written down, by the cohort's number and the epoch's."""
    return Counter((line.cohort, line.epoch) for line in lines_of(log))
