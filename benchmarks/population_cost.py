"""Memory of a large cohort: the rise of the process's peak memory.

    python -m benchmarks.population_cost [--networks 256]

Networks are drawn from the default space.
"""

import argparse
import os
import resource

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.population_speed import cohort
from fewest.search.data.loading import load
from fewest.search.data.samples import SearchData
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.seeds import search_order
from fewest.search.training.interface import Bystander
from fewest.search.training.population.cohort import train_cohort


def peak_bytes() -> int:
    """Return the largest resident set of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory(data: SearchData, count: int) -> None:
    """Print the rise of the peak memory while a cohort trains."""
    train_cohort(cohort(1, (1,)), data, Protocol(epochs=1), order=search_order(0), watcher=Bystander())
    before = peak_bytes()
    train_cohort(cohort(count, None), data, Protocol(epochs=1), order=search_order(0), watcher=Bystander())
    print(f"{count} networks: {(peak_bytes() - before) / 1e9:.2f} GB above one network's {before / 1e9:.2f} GB")


def main() -> None:
    """Measure one cohort."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=256)
    count = parser.parse_args().networks
    data, _ = load("mnist", validation="stratified", validation_share=0.15, seed=0)
    memory(data, count)


if __name__ == "__main__":
    main()
