"""The `population` engine: a cohort of networks trained as one Keras model, and taken apart again.

`train_cohort` places networks in a `Population`, lets Keras's `fit` train it epoch by epoch, and at the end of each epoch
decides who stays: a member leaves when it is pruned, has failed, or has converged. Once those who are left need much
less arithmetic, they move to a smaller model. Every member is what it would have been alone.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from search.data import Images, SearchData
from search.network import build, initial_weights
from search.outcome import EpochMetrics, OnEpochEnd, Outcome
from search.population_layout import Layout, Shape, Weights, shape_of
from search.population_model import DeviceData, Population, flat
from search.protocol import Protocol, batch_order, n_batches
from search.space import Network, SearchSpace

__all__ = ["Checkpoint", "Member", "Snapshot", "cohort_size", "evaluate", "extract", "train_cohort"]

SHRINK = 1.5
"""A cohort moves to a smaller model when that cuts its arithmetic by this factor: a compilation costs about an epoch."""


@dataclass(eq=False)
class Member:
    """One network of a cohort, between epochs.

    Attributes:
        state: `training` until it leaves.
        curve: Metrics of each epoch so far.
        seconds: Its share of the wall-clock time so far.
        weights: Stock arrays: now, while it trains; the kept ones when complete; none when pruned or failed.
        slots: Adam's first and second moments while it trains, each like `weights`; None before the first step.
        best_weights: Those of its best epoch so far, if the protocol restores them.
        reason: Why it was pruned or failed.
    """

    state: str = "training"
    curve: list[EpochMetrics] = field(default_factory=list)
    seconds: float = 0.0
    weights: Weights = field(default_factory=list)
    slots: tuple[Weights, Weights] | None = None
    best_weights: Weights = field(default_factory=list)
    reason: str | None = None

    @property
    def best_epoch(self) -> int:
        """The first epoch of highest validation accuracy; -1 before the first."""
        return int(np.argmax([seen.val_accuracy for seen in self.curve])) if self.curve else -1


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A cohort at the end of an epoch: all that `train_cohort` needs to go on.

    Attributes:
        epoch: Epochs trained so far.
        networks: The cohort's.
        members: Their states, in order.
        placed: Positions of the members in the model, in the order they lie there.
    """

    epoch: int
    networks: tuple[Network, ...]
    members: tuple[Member, ...]
    placed: tuple[int, ...]


Checkpoint = Callable[[int, Callable[[], Snapshot]], None]
"""Called after each epoch's leavers have left, with the epoch and a function that takes a snapshot. May raise to stop."""


def train_cohort(
    networks: Sequence[Network],
    data: SearchData,
    protocol: Protocol,
    *,
    batch_seed: int,
    on_epoch_end: OnEpochEnd | None = None,
    on_checkpoint: Checkpoint | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    start: Snapshot | None = None,
) -> list[Outcome]:
    """Trains networks together to their end.

    Args:
        networks: What to train.
        data: Training and validation samples.
        protocol: How.
        batch_seed: Decides the order of the training samples, see `protocol.batch_order`.
        on_epoch_end: See `outcome.OnEpochEnd`. What it raises ends the training and is passed on.
        on_checkpoint: See `Checkpoint`. Raise from here to stop with nothing lost.
        callbacks: More Keras callbacks; in `logs` each metric is a float32 array over the model's members.
        start: A snapshot to continue from instead of the initial weights.

    Returns:
        An outcome for each network, in order.
    """
    cohort = _Cohort(networks, data, protocol, on_epoch_end, on_checkpoint, start)
    while cohort.training:
        model = cohort.enter(_population(cohort.shape, data, protocol))
        model.fit(
            _orders(batch_seed, cohort.epoch, len(data.y_train), protocol),
            initial_epoch=cohort.epoch,
            epochs=protocol.epochs,
            steps_per_epoch=1,
            shuffle=False,
            callbacks=[_AtEpochEnd(cohort), *callbacks],
            verbose=0,
        )
        cohort.leave()
    return [_outcome(member, protocol) for member in cohort.members]


def extract(network: Network, weights: Weights, data: SearchData, protocol: Protocol) -> keras.Sequential:
    """A member as a stock `keras.Sequential`.

    Args:
        network: The member's architecture and seed.
        weights: Its `Outcome.weights`.
        data: Gives input shape, classes and scaling.
        protocol: Gives the activation.
    """
    model = build(network, data, protocol.activation)
    model.set_weights(weights)
    return model


def evaluate(
    weights: Sequence[Weights], x: Images, y: NDArray[np.int32], data: SearchData, protocol: Protocol
) -> NDArray[np.float64]:
    """Scores many trained networks on given samples.

    Args:
        weights: `Outcome.weights` of each.
        x: Raw samples like `data.x_train`.
        y: Their classes, int32 `(samples,)`.
        data: What the networks trained on.
        protocol: How they trained.

    Returns:
        Accuracy of each network, `(networks,)`.
    """
    architectures = tuple(tuple(len(bias) for bias in stock[1:-1:2]) for stock in weights)
    shape = shape_of(architectures, data.n_features, data.n_classes)
    model = _population(shape, data, protocol)
    model.load(Layout(architectures, shape), dict(enumerate(weights)), {}, 0)
    _, accuracies = model.score(tf.constant(flat(x)), tf.constant(np.asarray(y, np.int32)))
    return np.asarray(accuracies.numpy()[model.layout.slots], np.float64)


def cohort_size(data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
    """How many networks should train together.

    Returns:
        At least 1.
    """
    return 64


class _Cohort:
    """The members of a cohort, who of them is in the model, and the decisions at an epoch's end."""

    def __init__(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        on_epoch_end: OnEpochEnd | None,
        on_checkpoint: Checkpoint | None,
        start: Snapshot | None,
    ) -> None:
        self.networks = tuple(networks)
        self.protocol = protocol
        self._n_steps = n_batches(len(data.y_train), protocol.batch_size)
        self._sizes = (data.n_features, data.n_classes)
        self._on_epoch_end, self._on_checkpoint = on_epoch_end, on_checkpoint
        self._model: Population | None = None
        self._clock = time.perf_counter()
        if start is None:
            self.epoch = 0
            self.members = [Member(weights=initial_weights(network, *self._sizes)) for network in networks]
            self.placed = self.training
        else:
            self.epoch, self.members, self.placed = (
                start.epoch,
                [_copy(m) for m in start.members],
                list(start.placed),
            )

    @property
    def training(self) -> list[int]:
        """Members that have not left."""
        return [position for position, member in enumerate(self.members) if member.state == "training"]

    @property
    def shape(self) -> Shape:
        """What the model must hold."""
        return self._shape_of(self.placed)

    def enter(self, model: Population) -> Population:
        """Puts the members into a model."""
        layout = Layout(tuple(self.networks[position].architecture for position in self.placed), model.shape)
        here = {
            index: self.members[p]
            for index, p in enumerate(self.placed)
            if self.members[p].state == "training"
        }
        model.load(
            layout,
            {index: member.weights for index, member in here.items()},
            {index: member.slots for index, member in here.items() if member.slots is not None},
            self.epoch * self._n_steps,
        )
        self._model = model
        return model

    def leave(self) -> None:
        """Takes the members out of the model, and closes ranks."""
        self._fetch()
        self.placed = self.training
        self._model = None

    def end_epoch(self, epoch: int, logs: Mapping[str, NDArray[np.float32]]) -> bool:
        """Takes the metrics of an epoch, lets members leave.

        Returns:
            Whether those who stay should move to another model.
        """
        self.epoch = epoch + 1
        now = time.perf_counter()
        share = (now - self._clock) / len(self.training)
        seen = self._record({name: np.asarray(values) for name, values in logs.items()}, share)
        self._keep_best(seen)
        verdicts = self._on_epoch_end(epoch, seen) if self._on_epoch_end else {}
        for position, reason in verdicts.items():
            self._end(position, "pruned", reason)
        self._complete([position for position in seen if position not in verdicts])
        if self._on_checkpoint:
            self._on_checkpoint(epoch, self.snapshot)
        self._clock = time.perf_counter()
        return not self.training or self._shrinks()

    def snapshot(self) -> Snapshot:
        """The cohort as it is, copied."""
        self._fetch()
        placed = self.training if self._shrinks() else self.placed
        return Snapshot(self.epoch, self.networks, tuple(map(_copy, self.members)), tuple(placed))

    def _record(self, logs: Mapping[str, NDArray[np.float32]], share: float) -> dict[int, EpochMetrics]:
        seen = {}
        slots = self._model.layout.slots if self._model else []
        for slot, position in zip(slots, self.placed, strict=True):
            member = self.members[position]
            if member.state != "training":
                continue
            member.seconds += share
            metrics = EpochMetrics(*(float(logs[name][slot]) for name in EpochMetrics._fields))
            broken = next((n for n in ("loss", "val_loss") if not np.isfinite(getattr(metrics, n))), None)
            if broken:
                self._end(
                    position, "failed", f"{broken} is {getattr(metrics, broken)} after epoch {self.epoch - 1}"
                )
            else:
                member.curve.append(metrics)
                seen[position] = metrics
        return seen

    def _keep_best(self, seen: Mapping[int, EpochMetrics]) -> None:
        if not self.protocol.restores_best:
            return
        better = [position for position in seen if self.members[position].best_epoch == self.epoch - 1]
        for position, weights in self._weights(better).items():
            self.members[position].best_weights = weights

    def _complete(self, positions: Sequence[int]) -> None:
        patience = self.protocol.patience
        last = self.epoch == self.protocol.epochs
        done = [
            position
            for position in positions
            if last
            or (patience is not None and self.epoch - 1 - self.members[position].best_epoch >= patience)
        ]
        kept = {} if self.protocol.restores_best else self._weights(done)
        for position in done:
            member = self.members[position]
            member.weights = kept.get(position, member.best_weights)
            member.state, member.slots, member.best_weights = "complete", None, []

    def _end(self, position: int, state: str, reason: str) -> None:
        member = self.members[position]
        member.state, member.reason = state, reason
        member.weights, member.slots, member.best_weights = [], None, []

    def _shrinks(self) -> bool:
        stay = self.training
        return bool(stay) and self._shape_of(stay).n_weights * SHRINK <= self.shape.n_weights

    def _shape_of(self, positions: Sequence[int]) -> Shape:
        return shape_of([self.networks[position].architecture for position in positions], *self._sizes)

    def _weights(self, positions: Sequence[int]) -> dict[int, Weights]:
        if self._model is None or not positions:
            return {}
        found = self._model.weights_of([self.placed.index(position) for position in positions])
        return dict(zip(positions, found.values(), strict=True))

    def _fetch(self) -> None:
        """Brings the members' weights and slots up to date with the model."""
        if self._model is None:
            return
        training = self.training
        slots = self._model.slots_of([self.placed.index(position) for position in training])
        for (position, weights), found in zip(self._weights(training).items(), slots.values(), strict=True):
            self.members[position].weights, self.members[position].slots = weights, found


class _AtEpochEnd(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Hands each epoch to the cohort; ends `fit` when the cohort should move."""

    def __init__(self, cohort: _Cohort) -> None:
        super().__init__()
        self._cohort = cohort

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Lets members leave."""
        if self._cohort.end_epoch(epoch, logs or {}):
            self.model.stop_training = True


def _copy(member: Member) -> Member:
    return Member(**{**vars(member), "curve": list(member.curve)})


def _outcome(member: Member, protocol: Protocol) -> Outcome:
    kept = member.best_epoch if protocol.restores_best else len(member.curve) - 1
    return Outcome(
        state=member.state,  # type: ignore[arg-type]  # not "training": train_cohort waits for that
        curve=tuple(member.curve),
        best_epoch=kept,
        validation_accuracy=member.curve[kept].val_accuracy if member.curve else float("nan"),
        seconds=member.seconds,
        weights=member.weights,
        reason=member.reason,
    )


def _orders(batch_seed: int, epoch: int, n_train: int, protocol: Protocol) -> tf.data.Dataset:
    """The batches of each epoch from `epoch` on, one element an epoch."""

    def orders() -> Iterator[NDArray[np.int32]]:
        for e in range(epoch, protocol.epochs):
            yield batch_order(batch_seed, e, n_train, protocol.batch_size)

    size = (n_batches(n_train, protocol.batch_size), min(protocol.batch_size, n_train))
    return tf.data.Dataset.from_generator(orders, output_signature=tf.TensorSpec(size, tf.int32))


class _Populations:
    """The models built for the data and protocol in use: cohorts of one study take turns in them."""

    def __init__(self) -> None:
        self._key: tuple[SearchData, Protocol] | None = None
        self._device: DeviceData | None = None
        self._models: dict[Shape, Population] = {}

    def get(self, shape: Shape, data: SearchData, protocol: Protocol) -> Population:
        """The model of a shape, built if there is none yet."""
        if self._key is None or self._key[0] is not data or self._key[1] != protocol:
            self._models.clear()
            self._key, self._device = (data, protocol), DeviceData(data)
        assert self._device is not None
        if shape not in self._models:
            self._models[shape] = Population(shape, self._device, protocol)
        return self._models[shape]


_population = _Populations().get
