"""The default MNIST study against the stock engine, in one run: networks, fronts, and where the time goes.

    python -m benchmarks.study [--trials 500] [--seed 0] [--without-stock]

First the `population` engine searches until its trials are spent, even if its front has levelled off. Then the `keras`
engine, which trains one stock network after another, searches for as long. Printed for each: the number of networks
trained, and the hypervolume of its front (log2 of neurons + 1 against validation accuracy, up to the largest network).
For the population study also:
- the shares of its time for bookkeeping (asking, proposing, writing curves, judging, telling, reading back) and for
  tracing and compiling;
- the seconds until several numbers of its networks had ended.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fewest.quiet import quiet_libraries

quiet_libraries()

import keras  # noqa: E402  # after the libraries were told to be quiet

from fewest.search import loop  # noqa: E402
from fewest.search.answers.front import hypervolume, points_of  # noqa: E402
from fewest.search.data.loading import load_for  # noqa: E402
from fewest.search.data.samples import SearchData  # noqa: E402
from fewest.search.listener import Listener, Progress, SearchInterruptedError  # noqa: E402
from fewest.search.settings.config import StudyConfig  # noqa: E402
from fewest.search.settings.files import load, overridden  # noqa: E402
from fewest.search.study.history import History  # noqa: E402
from fewest.search.study.opening import open_study  # noqa: E402
from fewest.search.study.pruning import PruningRule  # noqa: E402
from fewest.search.study.study import OpenStudy  # noqa: E402
from fewest.search.training.engines import ENGINES  # noqa: E402
from fewest.search.training.population import engine  # noqa: E402
from fewest.storage.trials.cohort_storage import optuna_storage  # noqa: E402

BOOKKEEPING = (
    (OpenStudy, OpenStudy.ask),
    (OpenStudy, OpenStudy.tell),
    (OpenStudy, OpenStudy.write_curves),
    (History, History.refresh),
    (PruningRule, PruningRule.reason),
)
"""Methods for everything that a search does besides training."""


class Stopwatch:
    """The sum of seconds spent in some functions; nested calls count once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def time(self, owner: type, original: Callable[..., Any]) -> None:
        """Time a method of a class from now on."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            self._depth += 1
            try:
                return original(*args, **kwargs)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.seconds += time.perf_counter() - started

        setattr(owner, original.__name__, timed)


class CompileClock(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """The sum of seconds for tracing or compiling: an epoch that does so minus the next epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self._waiting: float | None = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Start the clock."""
        self._started, self._compiled = time.perf_counter(), self.model.n_traced

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Read the clock."""
        taken = time.perf_counter() - self._started
        if self.model.n_traced > self._compiled:
            self.seconds += taken
            self._waiting = taken
        elif self._waiting is not None:
            self.seconds -= min(taken, self._waiting)
            self._waiting = None


def search_for(config: StudyConfig, data: SearchData, seconds: float) -> tuple[float, str, dict[int, float]]:
    """Search until the trials are spent or the time is over.

    Returns:
        The seconds it took, a line of results, and the seconds until several numbers of networks had ended.
    """
    ended_by: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        study = open_study(optuna_storage(f"sqlite:///{Path(folder) / 'study.db'}"), config, data)
        started = time.perf_counter()

        def note(progress: Progress) -> None:
            ended_by.setdefault(progress.n_finished, time.perf_counter() - started)

        listener = Listener(note, lambda: None, lambda line: None, lambda: time.perf_counter() - started > seconds)
        with contextlib.suppress(SearchInterruptedError):
            loop.search(study, ENGINES[config.engine](), listener)
        took = time.perf_counter() - started
        trials = study.trials()
        points = points_of(trials)
        volume = hypervolume(points, max_size=config.space.max_depth * config.space.max_width)
        ended = [trial for trial in trials if trial.state in ("complete", "pruned", "fail")]
        epochs = sum(trial.epochs or 0 for trial in ended)
        study.__exit__(None, None, None)
    line = (
        f"{config.engine:10} {took:7.1f} s  {len(ended):4d} networks ({len(points)} complete)  {epochs:5d} epochs  "
        f"{60 * len(ended) / took:7.1f} networks a minute  hypervolume {volume:.4f}"
    )
    return took, line, {**ended_by, len(ended): took}


def main() -> None:
    """Run both engines and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-stock", action="store_true", help="leave the keras engine out")
    given = parser.parse_args()
    budget = [f"budget.trials={given.trials}", f"budget.patience={given.trials}"]
    config = load("mnist", [*budget, f"seed={given.seed}"])
    data, _ = load_for(config)
    bookkeeping, compiling = Stopwatch(), CompileClock()
    for owner, method in BOOKKEEPING:
        bookkeeping.time(owner, method)
    engine.train_cohort = partial(engine.train_cohort, callbacks=[compiling])  # type: ignore[attr-defined]
    took, line, ended_by = search_for(config, data, float("inf"))
    print(line)
    for name, seconds in (("bookkeeping", bookkeeping.seconds), ("tracing and compiling", compiling.seconds)):
        print(f"  {name} {seconds:.1f} s, {seconds / took:.1%}")
    for count, seconds in ended_by.items():
        print(f"  {count:5d} networks ended by {seconds:6.1f} s")
    if not given.without_stock:
        print(search_for(overridden(config, ["engine=keras"]), data, took)[1], flush=True)


if __name__ == "__main__":
    main()
