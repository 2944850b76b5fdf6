"""The interfaces of engines and their watchers: the seam between training and everything else."""

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

__all__ = ["Bystander", "Engine", "Watcher", "validates"]


class Watcher(Interface):
    """A receiver of every epoch's metrics that decides which members go on. Members are positions in `networks`.

    Attributes:
        wants_curve: Whether every epoch's validation metrics are wanted. If not, and the protocol stops no network
            early, they are measured after the last epoch only, and NaN before. Without validation samples all are NaN.
    """

    wants_curve: bool

    def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
        """Take the metrics of the members that trained epoch `epoch`, counted from 0."""

    def judge(self, member: int, epoch: int, accuracy: float) -> str | None:
        """Return the reason to prune a member with validation accuracy `accuracy` after `epoch`, or None."""

    def checkpoint(self, take: Callable[[], Snapshot] | None) -> None:
        """Save a checkpoint if due: called last at each epoch's end; may raise to stop here.

        `take` takes a snapshot; it is None for engines that take none.
        """

    def start(self) -> Snapshot | None:
        """Return the snapshot to continue from, None for the initial weights; only engines with snapshots ask."""

    def trial(self, member: int) -> FrontTrial | None:
        """Return the Optuna trial of a member; None without a study, as in verification."""


class Bystander:
    """A watcher that lets every network train from its initial weights to its end."""

    wants_curve = True

    def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
        """Do nothing."""

    def judge(self, member: int, epoch: int, accuracy: float) -> str | None:
        """Return None: prune nothing."""
        return None

    def checkpoint(self, take: Callable[[], Snapshot] | None) -> None:
        """Save nothing."""

    def start(self) -> Snapshot | None:
        """Return None: start from the initial weights."""
        return None

    def trial(self, member: int) -> FrontTrial | None:
        """Return None: no member belongs to a trial."""
        return None


def validates(epoch: int, data: SearchData, protocol: Protocol, watcher: Watcher) -> bool:
    """Say whether validation metrics are measured after `epoch`, counted from 0; never without validation samples."""
    wanted = watcher.wants_curve or protocol.restores_best or epoch == protocol.epochs - 1
    return wanted and len(data.y_validation) > 0


class Engine(Interface):
    """What trains networks and labels samples with trained ones."""

    def cohort_size(self, data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
        """Return the number of networks that one call of `train` should take."""

    def train(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        *,
        order: SampleOrder,
        watcher: Watcher,
    ) -> list[Outcome]:
        """Train networks to their end, or until the watcher prunes them.

        Args:
            networks: The networks to train.
            data: Training and validation samples.
            protocol: How the networks are trained.
            order: The order of the training samples, shared by all networks.
            watcher: Receives every epoch's metrics; its exceptions stop the training and are passed on.

        Returns:
            An outcome for each network, in order.
        """

    def right(
        self,
        networks: Sequence[Network],
        weights: Sequence[Weights],
        x: Images,
        y: NDArray[np.int32],
        data: SearchData,
        protocol: Protocol,
    ) -> NDArray[np.bool_]:
        """Say which samples trained networks label right.

        Args:
            networks: The trained networks.
            weights: `Outcome.weights` of each.
            x: Raw samples like `data.x_train`, `(samples, *input_shape)`.
            y: Their classes, int32 `(samples,)`.
            data: The networks' training data: input shape, classes and scaling.
            protocol: How the networks were trained.

        Returns:
            Whether the most probable class, the first of equals, is the sample's own: bool `(networks, samples)`.
        """
