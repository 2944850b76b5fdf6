"""Recording of the exhaustive table: every single-layer width (0 is softmax alone), each from many seeds.

    python -m benchmarks.verification_table [--most-width 32] [--seeds 20] [--output benchmarks/verification_table.csv]

Trains as `fewest verify` does on the study `mnist`: the same protocol, the whole training file, but an order of the
training samples of its own for each seed. `benchmarks/verification_coverage.py` draws verifications from the table.
"""

import argparse
import csv
import time
from pathlib import Path

from fewest.quiet import quiet_libraries

quiet_libraries()

from fewest.search.data.loading import load_for  # noqa: E402
from fewest.search.settings.files import load  # noqa: E402  # after the libraries were told to be quiet
from fewest.search.settings.seeds import verification_order, verification_seed  # noqa: E402
from fewest.search.settings.space import Network  # noqa: E402
from fewest.search.training.engines import ENGINES  # noqa: E402
from fewest.search.training.interface import Bystander  # noqa: E402


def main() -> None:
    """Train one cohort for each seed and write a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most-width", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/verification_table.csv"))
    given = parser.parse_args()
    config = load("mnist")
    split, sealed = load_for(config)
    data, test, engine = split.whole, sealed.unseal(), ENGINES["population"]()
    with given.output.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["width", "seed", "test_accuracy"])
        for index in range(given.seeds):
            started = time.perf_counter()
            seed = verification_seed(TABLE_SEED, index)
            networks = [Network((width,) if width else (), seed) for width in range(given.most_width + 1)]
            order = verification_order(TABLE_SEED, index)
            outcomes = engine.train(networks, data, config.training, order=order, watcher=Bystander())
            weights = [outcome.weights for outcome in outcomes]
            accuracies = engine.right(networks, weights, *test, data, config.training).mean(axis=1)
            for width, accuracy in enumerate(accuracies):
                table.writerow([width, index, f"{accuracy:.4f}"])
            file.flush()
            print(f"seed {index}: {len(networks)} networks in {time.perf_counter() - started:.1f} s", flush=True)


TABLE_SEED = 20_261_122
"""A seed that no study uses, so that no study has seen these networks."""


if __name__ == "__main__":
    main()
