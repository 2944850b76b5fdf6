"""Shapes that searches choose for verification: are they good, and do searches agree? Replayed on recorded curves.

    python -m benchmarks.shapes mnist [--replays 20] [--trials 500]

Replays whole searches (`benchmarks/samplers.py`). For every target and every depth from two hidden layers on, each
search chooses a shape in two ways: by `search/verification/shapes.py`, and as its smallest network that reached the
target. A shape's worth is the fewest neurons with which it reaches the target when scaled: about what verification
finds. A Gaussian process through all recorded networks of that depth, the median of their four seeds, says whether a
size reaches the target. Two replays are apart when the worths of their shapes differ by more than two neurons and 15 %,
about the length of an interval.
"""

import argparse
import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from benchmarks.pruning import Ours
from benchmarks.replay import Recording, Spent, recordings
from benchmarks.samplers import SPACE, search
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons
from fewest.search.study.pruning import FinishedCurve, expected_final
from fewest.search.study.sampler import FrontSampler
from fewest.search.verification.shapes import crossing_shape, shape_of_size

TARGETS = (0.90, 0.95)

Trials = list[tuple[Architecture, float]]


def smallest_that_reached(trials: Trials, target: float, space: SearchSpace) -> Architecture:
    """Return the smallest network that reached the target, else the best one."""
    reached = [architecture for architecture, accuracy in trials if accuracy >= target]
    return min(reached, key=n_neurons) if reached else max(trials, key=lambda trial: trial[1])[0]


WAYS: dict[str, Callable[[Trials, float, SearchSpace], Architecture]] = {
    "smallest that reached": smallest_that_reached,
    "response surface": crossing_shape,
}


class Truth:
    """The typical accuracy of any architecture of one depth, from all recordings of a data set."""

    def __init__(self, found: Sequence[Recording], depth: int) -> None:
        networks = [place for place, widths in enumerate(found[0].architectures) if len(widths) == depth]
        errors = np.array([1.0 - recording.curves[networks, -1] for recording in found])
        logs = np.log2([found[0].architectures[place] for place in networks])
        levels = -np.log(np.maximum(np.median(errors, axis=0), found[0].resolution / 2))
        kernel = ConstantKernel() * RBF([2.0] * depth, (0.5, 20.0)) + WhiteKernel(0.02, (1e-4, 1.0))
        self._process = GaussianProcessRegressor(kernel, normalize_y=True).fit(logs, levels)

    def reach(self, shapes: Sequence[Architecture], target: float) -> list[bool]:
        """Say which of the shapes reach the target."""
        return [bool(reaches) for reaches in self._process.predict(np.log2(shapes)) >= -np.log(1.0 - target)]

    def worth(self, model: Architecture, target: float) -> float:
        """Return the fewest neurons with which a shape, scaled, reaches the target; infinite if it never does."""
        depth, known = len(model), {n_neurons(model): model}
        shapes = [shape_of_size(size, depth, known, SPACE) for size in range(depth, depth * SPACE.max_width + 1)]
        reaching = itertools.compress(shapes, self.reach(shapes, target))
        return next((float(n_neurons(shape)) for shape in reaching), math.inf)

    def fewest(self, depth: int, target: float) -> int:
        """Return the fewest neurons with which any shape reaches the target."""
        sizes = range(depth, depth * SPACE.max_width + 1)
        return next(size for size in sizes if any(self.reach(list(_shapes(size, depth)), target)))


def _shapes(size: int, depth: int) -> Iterator[Architecture]:
    for cut in itertools.combinations(range(1, size), depth - 1):
        yield tuple(after - before for before, after in itertools.pairwise((0, *cut, size)))


def evidence(recording: Recording, run: Sequence[Spent]) -> Trials:
    """Return the trials of a replayed search in the form that verification reads."""
    ended = {spent.network: spent for spent in reversed(run)}.values()
    curves = {spent.network: recording.curves[spent.network].tolist() for spent in ended}
    finished = [FinishedCurve(0, curves[spent.network], curves[spent.network][-1]) for spent in ended if spent.complete]
    return [
        (
            recording.architectures[spent.network],
            curves[spent.network][-1]
            if spent.complete
            else expected_final(spent.epochs - 1, curves[spent.network][spent.epochs - 1], finished),
        )
        for spent in ended
    ]


def main() -> None:
    """Print a line for each target, depth and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=["mnist", "digits"])
    parser.add_argument("--replays", type=int, default=20)
    parser.add_argument("--trials", type=int, default=500)
    given = parser.parse_args()
    Console(width=120).print(_table(given.study, given.replays, given.trials))


def _table(study: str, n_replays: int, n_trials: int) -> Table:
    found = recordings(study)
    rounds = [(seed, found[seed % len(found)]) for seed in range(n_replays)]
    searched = [
        evidence(r, search(r, FrontSampler(SPACE, seed), Ours(r), n_trials, 100, n_trials)) for seed, r in rounds
    ]
    table = Table("hidden layers", "target", "fewest there are", "way", "neurons", "least", "most", "pairs apart")
    for depth in range(2, SPACE.max_depth + 1):
        truth = Truth(found, depth)
        known = [[trial for trial in trials if len(trial[0]) == depth] for trials in searched]
        for target in TARGETS:
            fewest = truth.fewest(depth, target)
            for name, way in WAYS.items():
                worth = np.array([truth.worth(way(trials, target, SPACE), target) for trials in known])
                table.add_row(str(depth), str(target), str(fewest), name, *_cells(worth))
    return table


def _cells(worth: NDArray[np.float64]) -> list[str]:
    pairs = list(itertools.combinations(worth, 2))
    apart = sum(abs(a - b) > max(2.0, 0.15 * min(a, b)) for a, b in pairs)
    return [
        f"{worth.mean():.1f} ± {worth.std():.1f}",
        f"{worth.min():.0f}",
        f"{worth.max():.0f}",
        f"{apart / len(pairs):.0%}",
    ]


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
