"""Batch size and epochs for a user's own data: the rule of `own_data.schedule` against other schedules.

    python -m benchmarks.schedule [--seeds 10]

Trained are networks of 2, 4, 8 and 16 neurons in one layer, on scikit-learn's data sets and on made clusters of up to
100,000 rows. Printed for each schedule: the mean validation accuracy of each size over the seeds, and the seconds that
all networks took together. The schedules are MNIST's, the rule, and the rule's batch with more steps.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewest.quiet import quiet_libraries

quiet_libraries()

from sklearn import datasets  # noqa: E402  # after the libraries were told to be quiet
from sklearn.model_selection import train_test_split  # noqa: E402

from fewest.search.data.loading import load  # noqa: E402
from fewest.search.data.own_data import schedule  # noqa: E402
from fewest.search.data.samples import SearchData  # noqa: E402
from fewest.search.settings.protocol import Protocol  # noqa: E402
from fewest.search.settings.seeds import search_order, trial_seed  # noqa: E402
from fewest.search.settings.space import Network  # noqa: E402
from fewest.search.training.interface import Bystander  # noqa: E402
from fewest.search.training.population.engine import PopulationEngine  # noqa: E402

WIDTHS = (2, 4, 8, 16)
MNIST = (128, 15)
STEPS = (2000, 4000)


def main() -> None:
    """Print a line for each data set and schedule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    engine = PopulationEngine()
    for name, x, y in data_sets():
        data = searched(x, y)
        for label, (batch_size, epochs) in schedules(len(y)).items():
            networks = [Network((width,), trial_seed(0, seed)) for width in WIDTHS for seed in range(given.seeds)]
            protocol = Protocol(batch_size=batch_size, epochs=epochs)
            started = time.perf_counter()
            outcomes = engine.train(networks, data, protocol, order=search_order(0), watcher=Bystander())
            seconds = time.perf_counter() - started
            means = np.reshape([outcome.validation_accuracy for outcome in outcomes], (len(WIDTHS), -1)).mean(1)
            accuracies = " ".join(f"{mean:.3f}" for mean in means)
            print(f"{name:15} {len(y):7,} rows  {label:11} {batch_size:3} x {epochs:2}  {accuracies}  {seconds:5.1f} s")


def data_sets() -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Yield name, samples and labels of each data set."""
    for name in ("iris", "wine", "breast_cancer", "digits"):
        yield name, *getattr(datasets, f"load_{name}")(return_X_y=True)
    rng = np.random.default_rng(1)
    for n in (5_000, 20_000, 100_000):
        centres, y = rng.normal(size=(10, 3, 20)), rng.integers(0, 10, n)
        yield "made clusters", centres[y, rng.integers(0, 3, n)] + rng.normal(0, 1.1, (n, 20)), y


def searched(x: NDArray[Any], y: NDArray[Any]) -> SearchData:
    """Return a fifth of the samples as a test set, which is not used, and a fifth of the others for validation."""
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
        return load(str(path), validation="stratified", validation_share=0.2, seed=0)[0]


def schedules(n_rows: int) -> dict[str, tuple[int, int]]:
    """Return batch size and epochs of each schedule."""
    return {"MNIST's": MNIST, "the rule": schedule(n_rows), **{f"{n:,} steps": schedule(n_rows, n) for n in STEPS}}


if __name__ == "__main__":
    main()
