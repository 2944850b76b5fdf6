"""What an engine is, and who watches it: the seam between training and everything else."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SearchData
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.seeds import SampleOrder
from fewest.search.settings.space import Network, SearchSpace
from fewest.search.training.outcome import EpochMetrics, Outcome, Weights
from fewest.search.training.snapshot import Snapshot
from fewest.search.training.trial import FrontTrial

__all__ = ["Bystander", "Engine", "Watcher"]


class Watcher(Interface):
    """Who is told of every epoch, and decides who goes on. Members are positions in the `networks` being trained."""

    def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
        """Takes the metrics of the members that trained epoch `epoch`."""

    def judge(self, member: int, epoch: int, accuracy: float) -> str | None:
        """Why to prune a member whose validation accuracy after `epoch` is `accuracy`, or None."""

    def checkpoint(self, take: Callable[[], Snapshot] | None) -> None:
        """Called last at each epoch's end, with what takes a snapshot if there is one; may raise to stop here."""

    def start(self) -> Snapshot | None:
        """Where to go on from; None for the initial weights. Asked only by engines that take snapshots."""

    def trial(self, member: int) -> FrontTrial | None:
        """The Optuna trial behind a member; None where there is no study, as in verification."""


class Bystander:
    """A watcher that lets every network train from its initial weights to its end."""

    def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
        """Takes no note."""

    def judge(self, member: int, epoch: int, accuracy: float) -> str | None:
        """Prunes nothing."""
        return None

    def checkpoint(self, take: Callable[[], Snapshot] | None) -> None:
        """Saves nothing."""

    def start(self) -> Snapshot | None:
        """From the initial weights."""
        return None

    def trial(self, member: int) -> FrontTrial | None:
        """No trial of a study is behind it."""
        return None


class Engine(Interface):
    """Trains networks, and scores trained ones."""

    def cohort_size(self, data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
        """How many networks should be handed to `train` at once."""

    def train(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        *,
        order: SampleOrder,
        watcher: Watcher,
    ) -> list[Outcome]:
        """Trains networks to their end, or to where the watcher prunes them.

        Args:
            networks: What to train.
            data: Training and validation samples.
            protocol: How.
            order: Of the training samples, shared by all networks.
            watcher: Told of every epoch; what it raises stops the training and is passed on.

        Returns:
            An outcome for each network, in order.
        """

    def score(
        self,
        networks: Sequence[Network],
        weights: Sequence[Weights],
        x: Images,
        y: NDArray[np.int32],
        data: SearchData,
        protocol: Protocol,
    ) -> NDArray[np.float64]:
        """Scores trained networks.

        Args:
            networks: What was trained.
            weights: `Outcome.weights` of each.
            x: Raw samples like `data.x_train`.
            y: Their classes, `(samples,)`.
            data: What they trained on; gives the input shape, the classes and the scaling.
            protocol: How they trained.

        Returns:
            Accuracy of each network, `(networks,)`, a share of the samples.
        """
