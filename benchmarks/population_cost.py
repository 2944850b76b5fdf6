"""What training as one costs beside arithmetic: peak memory of a large cohort, and compiling within a study.

    python -m benchmarks.population_cost memory [--networks 256]
    python -m benchmarks.population_cost compile [--networks 500]

Networks are drawn from the default space. `compile` trains them in cohorts of `cohort_size`; after each epoch from the
third on a tenth of those still training is pruned, which is about what the study's rule does.
"""

import argparse
import os
import resource
import statistics
import time
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks.population_speed import cohort
from search.data import SearchData
from search.datasets import load
from search.outcome import EpochMetrics
from search.population import cohort_size, train_cohort
from search.protocol import Protocol
from search.space import SearchSpace

SPACE = SearchSpace(max_depth=3, min_width=1, max_width=128)


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch, and whether it compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[tuple[float, bool]] = []

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._start, self._compiled = time.perf_counter(), self.model.n_compiled

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Reads it."""
        compiled = self.model.n_compiled > self._compiled
        self.epochs.append((time.perf_counter() - self._start, compiled))


def peak_bytes() -> int:
    """Largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory(data: SearchData, count: int) -> None:
    """Prints by how much a cohort raises the peak."""
    train_cohort(cohort(1, (1,)), data, Protocol(epochs=1), batch_seed=0)
    before = peak_bytes()
    train_cohort(cohort(count, None), data, Protocol(epochs=1), batch_seed=0)
    print(f"{count} networks: {(peak_bytes() - before) / 1e9:.2f} GB above one network's {before / 1e9:.2f} GB")


def compiling(data: SearchData, count: int) -> None:
    """Prints the share of compiling in a study."""
    protocol, clock, rng = Protocol(), Clock(), np.random.default_rng(0)
    networks, size = cohort(count, None), cohort_size(data, Protocol(), SPACE)

    def prune(epoch: int, metrics: Mapping[int, EpochMetrics]) -> dict[int, str]:
        return {member: "drawn" for member in metrics if epoch >= 2 and rng.random() < 0.1}

    started = time.perf_counter()
    for first in range(0, count, size):
        train_cohort(
            networks[first : first + size], data, protocol, batch_seed=0, on_epoch_end=prune, callbacks=[clock]
        )
    seconds = time.perf_counter() - started
    usual = statistics.median(taken for taken, compiled in clock.epochs if not compiled)
    taken = [taken - usual for taken, compiled in clock.epochs if compiled]
    print(f"{count} networks in cohorts of {size}: {seconds:.0f} s; peak memory {peak_bytes() / 1e9:.2f} GB")
    print(f"compiling {len(taken)} shapes: {sum(taken):.1f} s, {sum(taken) / seconds:.0%}")


def main() -> None:
    """Runs one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "compile"])
    parser.add_argument("--networks", type=int)
    arguments = parser.parse_args()
    data, _ = load("mnist", validation="stratified", validation_share=0.15, seed=0)
    if arguments.what == "memory":
        memory(data, arguments.networks or 256)
    else:
        compiling(data, arguments.networks or 500)


if __name__ == "__main__":
    main()
