"""What "best" may be taken from: the best single training of a search, the median of its best, or fresh seeds.

    python -m benchmarks.best_target

Draws searches of 400 networks from the recorded curves (`benchmarks/curves`): 1,500 architectures, each trained from
four seeds on one split. In each search, the network with the highest validation accuracy is found. The mean of its
architecture's other three seeds says what it is worth. Prints how far three guesses at that lie above it: its own
accuracy, the median of the ten highest, and one fresh seed (so eight have a spread of 1 / sqrt(8) of that).
"""

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.record_curves import FOLDER

N_SEARCHES, N_NETWORKS, N_SEEDS, N_TOP = 2_000, 400, 4, 10


def main() -> None:
    """Print a line for each data set."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print("data     single best    median of 10   fresh seed (mean, sd)   validation samples")
    for name in ("mnist", "digits"):
        finals, n_validation = finals_of(name)
        gaps = np.array(list(searches(finals, np.random.default_rng(0))))
        (single, top, fresh), (*_, spread) = gaps.mean(0), gaps.std(0) / 1.5**0.5  # the mean of two seeds varies, too
        print(f"{name:8} {single:+.4f}        {top:+.4f}        {fresh:+.4f} {spread:.4f}          {n_validation:,}")


def finals_of(name: str) -> tuple[NDArray[np.float64], int]:
    """Return final validation accuracies, float64 `(architectures, seeds)`, and the number of validation samples."""
    files = [np.load(FOLDER / f"{name}-{seed}.npz") for seed in range(N_SEEDS)]
    if any(not np.array_equal(file["widths"], files[0]["widths"]) for file in files):
        raise SystemExit(f"The recordings of {name} must hold the same architectures; record them again.")
    n_validation = int(files[0]["n_validation"])
    return np.stack([file["correct"][:, -1] / n_validation for file in files], axis=1), n_validation


def searches(finals: NDArray[np.float64], rng: np.random.Generator) -> Iterator[tuple[float, float, float]]:
    """Yield each search's gaps: its best accuracy, the median of its best, and a fresh seed, less the mean of others.

    A network on record stands for a trained one; which of its four seeds the search saw is drawn, too.
    """
    for _ in range(N_SEARCHES):
        drawn = rng.choice(len(finals), N_NETWORKS, replace=False)
        seen = rng.integers(0, N_SEEDS, N_NETWORKS)
        accuracies = finals[drawn, seen]
        best = int(np.argmax(accuracies))
        others = np.delete(finals[drawn[best]], seen[best])
        worth = float(others.mean())
        median = float(np.median(np.sort(accuracies)[-N_TOP:]))
        yield accuracies[best] - worth, median - worth, float(others[0] - others[1:].mean())


if __name__ == "__main__":
    main()
