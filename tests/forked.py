"""Processes that do what `fewest` does, forked from one that has TensorFlow loaded: starting one takes no seconds.

They can be killed and stopped like any other. Every epoch of a cohort that a process has written down is a line of its
log, and every network that it has scored one of the log beside it, so that what was done twice can be counted.
"""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
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
    from fewest.search.training.interface import Watcher

__all__ = [
    "InstantEngine",
    "Line",
    "epochs_of",
    "help_studies",
    "kill_all",
    "lines_of",
    "run_study",
    "scores_of",
    "start",
]

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "fewest.figures",
        "fewest.search.data.datasets",
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


def run_study(config: StudyConfig, url: str, log: Path, cohort_size: int) -> None:
    """`fewest run`, in cohorts of a given size."""
    from fewest.jobs import run_study as run

    prepare(log, cohort_size)
    with redirect_stdout(StringIO()):
        run(config, url, quiet=True)


def help_studies(
    url: str, log: Path, cohort_size: int, *, instantly: bool = False, lease_seconds: float = 30.0
) -> None:
    """`fewest worker`.

    Args:
        url: The storage.
        log: See `prepare`.
        cohort_size: Likewise.
        instantly: Train with `InstantEngine`, and keep and draw nothing.
        lease_seconds: How long this worker may be silent.
    """
    from fewest.figures import Figures
    from fewest.search import watch
    from fewest.search.keeper import Keeper
    from fewest.search.study import study
    from fewest.search.training.engines import ENGINES
    from fewest.storage.trials.leases import Leases
    from fewest.workers import help_studies as help_

    prepare(log, cohort_size)
    watch.POLL_SECONDS = 0.2
    study.Leases = partial(Leases, lease_seconds=lease_seconds)  # type: ignore[misc, assignment]
    if instantly:
        ENGINES["population"] = partial(InstantEngine, cohort_size)
        Keeper.keep_front = Figures.refresh = lambda *_: None  # type: ignore[method-assign]
    help_([], url, wait=False, quiet=True)


class InstantEngine:
    """An engine that trains nothing: every epoch takes a moment, every network ends as good as it is large."""

    def __init__(self, n: int) -> None:
        self._n = n

    def cohort_size(self, *_: Any) -> int:
        return self._n

    def train(
        self, networks: Sequence[Network], data: Any, protocol: Protocol, *, batch_seed: int, watcher: "Watcher"
    ) -> list[Outcome]:
        accuracies = [1 - 1 / (2 + n_neurons(network.architecture)) for network in networks]
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


def prepare(log: Path, cohort_size: int) -> None:
    """Lets this process train cohorts of a given size, checkpoint them after every epoch, and log what it does."""
    from fewest.search.training import checkpoints
    from fewest.search.training.population import cost
    from fewest.search.verification import verify
    from fewest.search.watch import StudyWatch

    cost.cohort_size = lambda *_: cohort_size
    # Epochs here take milliseconds: a checkpoint after each would cost more than it may.
    checkpoints.is_due = lambda *_: True
    record = StudyWatch.record

    def logged(self: StudyWatch, epoch: int, metrics: Any) -> None:
        record(self, epoch, metrics)
        with log.open("ab", buffering=0) as file:
            file.write(f"{self._tickets[0].cohort} {epoch} {os.getpid()}\n".encode())

    StudyWatch.record = logged  # type: ignore[method-assign]
    write = verify.write_results

    def scored(database: Any, study_id: int, networks: Sequence[VerifiedNetwork]) -> None:
        write(database, study_id, networks)
        with _scores(log).open("ab", buffering=0) as file:
            file.write("".join(f"{n.widths!r}|{n.seed}|{os.getpid()}\n" for n in networks).encode())

    verify.write_results = scored


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
