"""The default MNIST study against the stock engine, in one run: networks, fronts, and where the time goes.

    python benchmarks/study.py [--trials 500] [--seed 0]

First the `population` engine searches until its trials are spent; then the `keras` engine, which trains one stock
network after another, searches for as long. Printed: how many networks each trained, the hypervolume of its front (log2
of neurons + 1 against validation accuracy, up to the space's largest network), and the share of the time that the
population study spent on bookkeeping: asking, proposing, writing curves, judging, telling, reading back.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from howmany.quiet import quiet_libraries

quiet_libraries()

from search import loop  # noqa: E402  # after the libraries were told to be quiet
from search.config import StudyConfig, load, overridden  # noqa: E402
from search.data import SearchData  # noqa: E402
from search.datasets import load as load_data  # noqa: E402
from search.front import hypervolume, points_of  # noqa: E402
from search.study import OpenStudy, open_study  # noqa: E402
from storage.engine import optuna_storage  # noqa: E402
from storage.trials import read_trials  # noqa: E402


class Stopwatch:
    """Adds up the seconds spent in some functions, nested calls counted once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def time(self, owner: Any, name: str) -> None:
        """From now on, times a function or method."""
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            self._depth += 1
            try:
                return original(*args, **kwargs)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.seconds += time.perf_counter() - started

        setattr(owner, name, timed)


def search_for(config: StudyConfig, data: SearchData, seconds: float) -> tuple[float, str]:
    """Searches until the trials are spent or the time is over.

    Returns:
        Seconds it took, and a line of what came of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        study = open_study(optuna_storage(f"sqlite:///{Path(folder) / 'study.db'}"), config, data)
        started = time.perf_counter()
        listener = loop.Listener(
            lambda progress: None, lambda: None, lambda line: None, lambda: time.perf_counter() - started > seconds
        )
        with contextlib.suppress(loop.SearchInterruptedError):
            loop.search(study, data, listener)
        took = time.perf_counter() - started
        trials = read_trials(study.database, study.study_id)
        points = points_of(trials)
        volume = hypervolume(points, max_size=config.space.max_depth * config.space.max_width)
        ended = [trial for trial in trials if trial.state in ("complete", "pruned", "fail")]
        epochs = sum(trial.epochs or 0 for trial in ended)
        study.database.dispose()
    return took, (
        f"{config.engine:10} {took:7.1f} s  {len(ended):4d} networks ({len(points)} complete)  {epochs:5d} epochs  "
        f"{60 * len(ended) / took:7.1f} networks a minute  hypervolume {volume:.4f}"
    )


def main() -> None:
    """Runs both and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    config = load("mnist", [f"budget.trials={given.trials}", f"seed={given.seed}"])
    choice = config.data
    data, _ = load_data(
        choice.name, validation=choice.validation, validation_share=choice.validation_share, seed=config.seed
    )
    bookkeeping = Stopwatch()
    for owner, name in [
        *((OpenStudy, name) for name in ("ask", "tell", "write_curves")),
        *((loop, name) for name in ("read_curves", "read_trials", "reason_to_prune")),
    ]:
        bookkeeping.time(owner, name)
    took, line = search_for(config, data, float("inf"))
    print(line, f" bookkeeping {bookkeeping.seconds:.2f} s ({bookkeeping.seconds / took:.1%})", flush=True)
    print(search_for(overridden(config, ["engine=keras"]), data, took)[1])


if __name__ == "__main__":
    main()
