"""Recording of full learning curves for a dense sample of the default space; policies are replayed on them.

    python -m benchmarks.record_curves mnist --seed 0

Trains 1,500 architectures, nothing pruned, as the shipped study of that name trains them: softmax alone, every width
of a single layer up to 64 and some beyond, and draws from the default space (two and three layers equally often,
widths log-uniform). The networks of one seed share an order of the training samples, as those of one study do. Writes
`benchmarks/curves/mnist-0.npz`; seeds 0 to 3 of `mnist` and `digits` are kept with the project.

Use one thread a process and as many processes as cores, e.g. `taskset -c 0 ... --seed 0 & taskset -c 1 ... --seed 1`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewest.quiet import quiet_libraries

quiet_libraries()

from fewest.search.data.loading import load_for  # noqa: E402
from fewest.search.data.samples import SearchData  # noqa: E402
from fewest.search.settings.files import load  # noqa: E402  # after the libraries were told to be quiet
from fewest.search.settings.protocol import Protocol  # noqa: E402
from fewest.search.settings.seeds import search_order, trial_seed  # noqa: E402
from fewest.search.settings.space import Architecture, Network  # noqa: E402
from fewest.search.training.interface import Bystander  # noqa: E402
from fewest.search.training.outcome import Outcome  # noqa: E402
from fewest.search.training.population.cohort import train_cohort  # noqa: E402

FOLDER = Path(__file__).parent / "curves"
MAX_DEPTH, MAX_WIDTH = 3, 128
N_ARCHITECTURES = 1_500
SINGLE_WIDTHS = (*range(1, 65), 72, 80, 88, 96, 104, 112, 120, 128)
N_EACH_COHORT = 100


def main() -> None:
    """Train cohort after cohort and write one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=["mnist", "digits"])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    config = load(given.study)
    data, _ = load_for(config)
    architectures = sorted(sample(), key=_padding)
    networks = [Network(widths, trial_seed(given.seed, index)) for index, widths in enumerate(architectures)]
    curves = _curves(networks, data, config.training, given.seed)
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        FOLDER / f"{given.study}-{given.seed}.npz",
        widths=np.array([widths + (0,) * (MAX_DEPTH - len(widths)) for widths in architectures], np.uint8),
        correct=curves,
        n_validation=len(data.y_validation),
    )


def sample() -> list[Architecture]:
    """Return the recorded architectures, each once; the same for every data set and seed."""
    rng = np.random.default_rng(0)
    found: dict[Architecture, None] = dict.fromkeys([(), *((width,) for width in SINGLE_WIDTHS)])
    while len(found) < N_ARCHITECTURES:
        depth = int(rng.integers(2, MAX_DEPTH + 1))
        logs = rng.uniform(np.log(0.5), np.log(MAX_WIDTH + 0.5), depth)
        found[tuple(np.clip(np.rint(np.exp(logs)), 1, MAX_WIDTH).astype(int).tolist())] = None
    return list(found)


def _padding(widths: Architecture) -> tuple[int, int]:
    """Return a sort key: neighbours in it share a model without much padding."""
    return len(widths), max(widths, default=0)


def _curves(networks: list[Network], data: SearchData, protocol: Protocol, seed: int) -> NDArray[np.uint16]:
    """Return the validation samples classified right after each epoch: uint16, `(networks, epochs)`.

    65,535 marks epochs after a failure of training.
    """
    outcomes: list[Outcome] = []
    started = time.perf_counter()
    for first in range(0, len(networks), N_EACH_COHORT):
        cohort = networks[first : first + N_EACH_COHORT]
        outcomes += train_cohort(cohort, data, protocol, order=search_order(seed), watcher=Bystander())
        print(f"{len(outcomes)} of {len(networks)} networks, {time.perf_counter() - started:.0f} s", flush=True)
    curves = np.full((len(networks), protocol.epochs), np.iinfo(np.uint16).max, np.uint16)
    for row, outcome in zip(curves, outcomes, strict=True):
        accuracies = np.array([metrics.val_accuracy for metrics in outcome.curve])
        row[: len(accuracies)] = np.rint(accuracies * len(data.y_validation))
    return curves


if __name__ == "__main__":
    main()
