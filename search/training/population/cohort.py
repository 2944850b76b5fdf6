"""The `population` engine's work: a cohort of networks trained as one Keras model.

`train_cohort` places networks in a `Population` and lets Keras's `fit` train it epoch by epoch. At each epoch's end
members leave that are pruned, have failed, or have converged. The remaining members then move to a smaller model, so
that an epoch takes less time. Every member becomes the same network as if trained alone.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SearchData
from fewest.search.settings.keras_settings import keras, tf
from fewest.search.settings.memory import keep_memory
from fewest.search.settings.protocol import Protocol, n_batches
from fewest.search.settings.seeds import SampleOrder
from fewest.search.settings.space import Network
from fewest.search.training.interface import Watcher, validates
from fewest.search.training.network import initial_weights
from fewest.search.training.outcome import EpochMetrics, Outcome, Weights
from fewest.search.training.population.cohort_size import COMPILE_SECONDS, dealt, n_levels_of, pays_to_compile
from fewest.search.training.population.layout import Shards
from fewest.search.training.population.model import POPULATIONS, Population, n_shards
from fewest.search.training.snapshot import Member, Snapshot

__all__ = ["Tuning", "right_of", "train_cohort"]


@dataclass(frozen=True)
class Tuning:
    """Settings for a cohort's speed; they change its networks by rounding only.

    Attributes:
        spare_share: Largest share of a model's work, 0..1, that may be for members that have left.
        compile_seconds: Seconds that compiling a cohort's program takes.
        n_shards: Number of shards that train side by side; None for one on each core.
    """

    spare_share: float = 0.05
    compile_seconds: float = COMPILE_SECONDS
    n_shards: int = field(default_factory=n_shards)


def train_cohort(
    networks: Sequence[Network],
    data: SearchData,
    protocol: Protocol,
    *,
    order: SampleOrder,
    watcher: Watcher,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    tuning: Tuning | None = None,
) -> list[Outcome]:
    """Train networks together to their end.

    Args:
        networks: The networks to train.
        data: Training and validation samples.
        protocol: How the networks are trained.
        order: The order of the training samples in every epoch.
        watcher: Gives the starting point, receives every epoch's metrics, and decides which members leave. Its
            exceptions end the training and are passed on; one from `checkpoint` loses no epoch.
        callbacks: More Keras callbacks; in `logs` each metric is an array over the model's members.
        tuning: Settings for speed; None for this machine's defaults.

    Returns:
        An outcome for each network, in order.
    """
    cohort = _Cohort(networks, data, protocol, watcher, tuning or Tuning())
    while cohort.training:
        with cohort.in_model() as model:
            model.fit(
                _batches(order, cohort.epoch, data, protocol, watcher),
                initial_epoch=cohort.epoch,
                epochs=protocol.epochs,
                steps_per_epoch=1,
                shuffle=False,
                callbacks=[_AtEpochEnd(cohort), *callbacks],
                verbose=0,
            )
    return [_outcome(member, protocol) for member in cohort.members]


def right_of(
    networks: Sequence[Network],
    weights: Sequence[Weights],
    x: Images,
    y: NDArray[np.int32],
    data: SearchData,
    protocol: Protocol,
) -> NDArray[np.bool_]:
    """Say which samples many trained networks, held together, label right; see `Engine.right`."""
    architectures = [network.architecture for network in networks]
    shards = dealt(architectures, n_levels_of(architectures), data, n_shards())
    with POPULATIONS.lent(shards, data, protocol) as (model, device_data):
        model.load(device_data, shards, dict(enumerate(weights)), {}, 0)
        return model.right(x, y)


class _Cohort:
    """The members of a cohort, the model of their next epoch, and the decisions at an epoch's end.

    Attributes:
        networks: The cohort's networks.
        members: The state of each network.
        epoch: Epochs trained so far.
        placed: Members in the model of the next epoch, in that model's order.
        compiled: Whether that model is compiled for them; if so, they stay in it to the end.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        watcher: Watcher,
        tuning: Tuning,
    ) -> None:
        self.networks = tuple(networks)
        self._data, self._protocol = data, protocol
        self._watcher, self._tuning = watcher, tuning
        self._steps = n_batches(len(data.y_train), protocol.batch_size)
        self._model: Population | None = None
        self._slots: dict[int, int] = {}
        self._clock = time.perf_counter()
        self._n_levels = n_levels_of([network.architecture for network in networks])
        start = watcher.start()
        if start is None:
            self.epoch = 0
            self.members = [
                Member(weights=initial_weights(network, data.n_features, data.n_classes)) for network in networks
            ]
            self.placed = self.training
            self.compiled = self._compiles(self.placed)
        else:
            self.epoch, self.members = start.epoch, list(map(Member.copied, start.members))
            self.placed, self.compiled = list(start.placed), start.compiled

    @property
    def training(self) -> list[int]:
        """Members that have not left."""
        return [position for position, member in enumerate(self.members) if member.state == "training"]

    @contextmanager
    def in_model(self) -> Iterator[Population]:
        """Place the members in their model, and fetch them from it after the context."""
        shards = self._dealt(self.placed, 1 if self.compiled else self._tuning.n_shards)
        here = [(index, self.members[position]) for index, position in enumerate(self.placed)]
        training = {index: member for index, member in here if member.state == "training"}
        with POPULATIONS.lent(shards, self._data, self._protocol, compiled=self.compiled) as (model, device_data):
            model.load(
                device_data,
                shards,
                {index: member.weights for index, member in training.items()},
                {index: member.slots for index, member in training.items() if member.slots is not None},
                self.epoch * self._steps,
            )
            self._model, self._slots = model, dict(zip(self.placed, range(len(self.placed)), strict=True))
            yield model
            self._fetch()
        self._model = None

    def end_epoch(self, epoch: int, logs: Mapping[str, NDArray[np.float32]]) -> bool:
        """Record an epoch's metrics and let members leave.

        Returns:
            Whether the members must leave the model: the remaining ones move to another, or none remain.
        """
        self.epoch = epoch + 1
        share = (time.perf_counter() - self._clock) / len(self.training)
        seen = self._record({name: np.asarray(values) for name, values in logs.items()}, share)
        self._keep_best(seen)
        self._watcher.record(epoch, seen)
        staying = [position for position in seen if not self._is_pruned(position, epoch, seen[position].val_accuracy)]
        self._complete(staying)
        moves = self._moves()
        self._watcher.checkpoint(self.snapshot)
        self._clock = time.perf_counter()
        return moves or not self.training

    def snapshot(self) -> Snapshot:
        """Return a copy of the cohort's present state."""
        self._fetch()
        members = tuple(map(Member.copied, self.members))
        return Snapshot(self.epoch, self.networks, members, tuple(self.placed), self.compiled)

    def _is_pruned(self, position: int, epoch: int, accuracy: float) -> bool:
        """Ask the watcher about a member; end the member if the watcher gives a reason."""
        if (reason := self._watcher.judge(position, epoch, accuracy)) is not None:
            self._end(position, "pruned", reason)
        return reason is not None

    def _moves(self) -> bool:
        training = self.training
        if self.compiled or not training or training == self.placed:
            return False
        self.compiled = self._compiles(training)
        now, next_ = (self._dealt(positions, self._tuning.n_shards) for positions in (self.placed, training))
        if not self.compiled and next_.work >= (1 - self._tuning.spare_share) * now.work:
            return False
        self.placed = training
        return True

    def _compiles(self, positions: Sequence[int]) -> bool:
        together = self._dealt(positions, 1)
        return pays_to_compile(
            together,
            len(self._data.y_train),
            self._protocol,
            epoch=self.epoch,
            compile_seconds=self._tuning.compile_seconds,
        )

    def _dealt(self, positions: Sequence[int], n: int) -> Shards:
        return dealt([self.networks[position].architecture for position in positions], self._n_levels, self._data, n)

    def _record(self, logs: Mapping[str, NDArray[np.float32]], share: float) -> dict[int, EpochMetrics]:
        assert self._model is not None
        seen: dict[int, EpochMetrics] = {}
        for position, index in self._slots.items():
            member = self.members[position]
            if member.state != "training":
                continue
            member.seconds += share
            of_member = {name: values[index] for name, values in logs.items()}
            metrics = EpochMetrics.of(of_member, len(self._data.y_validation), self._data.metric)
            validated = validates(self.epoch - 1, self._data, self._protocol, self._watcher)
            known = ("loss", "val_loss") if validated else ("loss",)
            broken = next((n for n in known if not np.isfinite(getattr(metrics, n))), None)
            if broken:
                self._end(position, "failed", f"{broken} is {getattr(metrics, broken)} after epoch {self.epoch - 1}")
            else:
                member.curve.append(metrics)
                seen[position] = metrics
        return seen

    def _keep_best(self, seen: Mapping[int, EpochMetrics]) -> None:
        if not self._protocol.restores_best:
            return
        better = [position for position in seen if self.members[position].best_epoch == self.epoch - 1]
        for position, weights in self._weights(better).items():
            self.members[position].best_weights = weights

    def _complete(self, positions: Sequence[int]) -> None:
        patience = self._protocol.patience
        last = self.epoch == self._protocol.epochs
        done = [
            position
            for position in positions
            if last or (patience is not None and self.epoch - 1 - self.members[position].best_epoch >= patience)
        ]
        kept = {} if self._protocol.restores_best else self._weights(done)
        for position in done:
            member = self.members[position]
            member.weights = kept.get(position, member.best_weights)
            member.state, member.slots, member.best_weights = "complete", None, []

    def _end(self, position: int, state: str, reason: str) -> None:
        member = self.members[position]
        member.state, member.reason = state, reason
        member.weights, member.slots, member.best_weights = [], None, []

    def _weights(self, positions: Sequence[int]) -> dict[int, Weights]:
        if self._model is None or not positions:
            return {}
        found = self._model.weights_of([self._slots[position] for position in positions])
        return dict(zip(positions, found.values(), strict=True))

    def _fetch(self) -> None:
        """Update the members' weights and slots from the model."""
        if self._model is None:
            return
        training = self.training
        slots = self._model.slots_of([self._slots[position] for position in training])
        for (position, weights), found in zip(self._weights(training).items(), slots.values(), strict=True):
            self.members[position].weights, self.members[position].slots = weights, found


class _AtEpochEnd(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """A callback that passes each epoch to the cohort, and ends `fit` when the members must leave the model."""

    def __init__(self, cohort: _Cohort) -> None:
        super().__init__()
        self._cohort = cohort

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Let members leave."""
        if self._cohort.end_epoch(epoch, logs or {}):
            self.model.stop_training = True


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


def _batches(order: SampleOrder, epoch: int, data: SearchData, protocol: Protocol, watcher: Watcher) -> tf.data.Dataset:
    """Return for each epoch from `epoch` on one element: its batches, and whether it is validated."""
    n_train = len(data.y_train)
    validated = [validates(e, data, protocol, watcher) for e in range(protocol.epochs)]

    # TensorFlow never forgets this function, so it must hold neither the data nor the watcher.
    def batches() -> Iterator[tuple[NDArray[np.int32], bool]]:
        keep_memory()  # This data set has just made TensorFlow map every block from 128 KiB on.
        for e in range(epoch, protocol.epochs):
            yield order.batches(e, n_train, protocol.batch_size), validated[e]

    options = tf.data.Options()
    options.autotune.enabled = False  # Its thread sleeps 10, 20, 40, ... ms between looks, and `fit` waits for its end.
    # One shape for all data, so that `fit` is traced once.
    signature = (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((), tf.bool))
    return tf.data.Dataset.from_generator(batches, output_signature=signature).with_options(options)
