"""Recorded curves (`benchmarks/record_curves.py`), and the measures of a policy's replay on them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.answers.front import FrontPoint, hypervolume, pareto_front, smallest_reaching
from fewest.search.settings.space import Architecture, n_neurons

FOLDER = Path(__file__).parent / "curves"
MAX_SIZE = 3 * 128
"""Neurons of the largest network of the default space: the reference size of the hypervolume."""

TARGETS = (0.90, 0.95, 0.97)


class Recording(NamedTuple):
    """The networks of one seed, as one study would have trained them.

    Attributes:
        study: `mnist` or `digits`.
        seed: The seed of the recording.
        architectures: Sorted, each once.
        sizes: Neurons of each, int64 `(networks,)`.
        curves: Validation accuracy after each epoch, float64 `(networks, epochs)`.
        resolution: The smallest step of an accuracy, one over the validation samples.
    """

    study: str
    seed: int
    architectures: list[Architecture]
    sizes: NDArray[np.int64]
    curves: NDArray[np.float64]
    resolution: float

    @property
    def n_epochs(self) -> int:
        """Number of epochs of a whole training."""
        return int(self.curves.shape[1])

    def point(self, network: int) -> FrontPoint:
        """Return a network trained to its end as a point, named by its position."""
        return FrontPoint(network, int(self.sizes[network]), float(self.curves[network, -1]))

    def front(self) -> list[FrontPoint]:
        """Return the front of all recorded networks."""
        return pareto_front(map(self.point, range(len(self.sizes))))


def recordings(study: str) -> list[Recording]:
    """Return the recordings of a study, one for each seed."""
    return [_read(path) for path in sorted(FOLDER.glob(f"{study}-*.npz"))]


def _read(path: Path) -> Recording:
    study, seed = path.stem.rsplit("-", 1)
    with np.load(path) as arrays:
        architectures = [tuple(int(width) for width in row if width) for row in arrays["widths"]]
        resolution = 1.0 / int(arrays["n_validation"])
        curves = arrays["correct"] * resolution
    sizes = np.array([n_neurons(widths) for widths in architectures])
    return Recording(study, int(seed), architectures, sizes, curves, resolution)


class Spent(NamedTuple):
    """The end of a replayed trial.

    Attributes:
        network: Position of its network in the recording.
        epochs: Number of epochs trained.
        complete: Whether the network was trained to its end.
    """

    network: int
    epochs: int
    complete: bool


class Score(NamedTuple):
    """The measures of a replay, against the same trials with nothing pruned.

    Attributes:
        saved: Share of the epochs saved, in 0..1.
        hypervolume_lost: Share of the hypervolume lost, in 0..1.
        front_lost: Share of the true front's members that were pruned, in 0..1.
        entering: Number of trials that would have entered the front of the complete trials before them.
        entering_pruned: Number of these trials that were pruned.
        answered: Epochs until the answer for each of `TARGETS` stayed right; infinite if it never was.
    """

    saved: float
    hypervolume_lost: float
    front_lost: float
    entering: int
    entering_pruned: int
    answered: tuple[float, ...]


def score(recording: Recording, replay: Sequence[Spent]) -> Score:
    """Measure a replay against the truth of its recording."""
    trials = [spent.network for spent in replay]
    truth = pareto_front(map(recording.point, trials))
    found = [recording.point(spent.network) for spent in replay if spent.complete]
    full, kept = (hypervolume(points, max_size=MAX_SIZE) for points in (truth, found))
    complete = {spent.network for spent in replay if spent.complete}
    entering = list(_entering(recording, replay))
    return Score(
        saved=1 - sum(spent.epochs for spent in replay) / (len(replay) * recording.n_epochs),
        hypervolume_lost=1 - kept / full,
        front_lost=sum(point.trial not in complete for point in truth) / len(truth),
        entering=len(entering),
        entering_pruned=sum(not spent.complete for spent in entering),
        answered=answered(recording, replay, truth),
    )


def _entering(recording: Recording, replay: Sequence[Spent]) -> Iterator[Spent]:
    """Yield the trials that beat every network no larger that was trained to its end before them."""
    best = np.full(MAX_SIZE + 1, -1.0)
    for spent in replay:
        _, size, accuracy = recording.point(spent.network)
        if accuracy > best[size]:
            yield spent
            if spent.complete:
                best[size:] = np.maximum(best[size:], accuracy)


def answered(recording: Recording, replay: Sequence[Spent], truth: Sequence[FrontPoint]) -> tuple[float, ...]:
    """Return the epochs until the fewest neurons known for each of `TARGETS` were the fewest there are."""
    wanted = [smallest_reaching(truth, target) for target in TARGETS]
    epochs, found = 0, [float("inf")] * len(TARGETS)
    for spent in replay:
        epochs += spent.epochs
        _, size, accuracy = recording.point(spent.network)
        for index, (target, point) in enumerate(zip(TARGETS, wanted, strict=True)):
            if spent.complete and point is not None and accuracy >= target and size == point.size:
                found[index] = min(found[index], epochs)
    return tuple(found)


def hypervolumes(recording: Recording, replay: Sequence[Spent], budgets: Sequence[int]) -> list[float]:
    """Return the hypervolume of what was complete when each budget of epochs was spent; budgets ascend."""
    values, points, epochs, trials = [], [], 0, iter(replay)
    spent = next(trials, None)
    for budget in budgets:
        while spent is not None and epochs + spent.epochs <= budget:
            epochs += spent.epochs
            if spent.complete:
                points.append(recording.point(spent.network))
                points = list(pareto_front(points))
            spent = next(trials, None)
        values.append(hypervolume(points, max_size=MAX_SIZE))
    return values
