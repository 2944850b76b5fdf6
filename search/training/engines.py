"""The two engines: they train networks and report every epoch; what that means for a study is the watcher's business.

`keras` trains one stock `keras.Sequential` after another, with Keras's own callbacks and Optuna's; it is the
reference, and the way for any model. `population` trains a whole cohort as one Keras model. Given the same
networks, data and batch seed they give the same networks to rounding.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from typing import Protocol as Interface

import keras
import numpy as np
import optuna
from optuna_integration import KerasPruningCallback

from fewest.search.data.samples import SearchData
from fewest.search.settings.protocol import Protocol, batch_order, n_batches
from fewest.search.settings.space import Network, SearchSpace
from fewest.search.training.callbacks import NonFiniteLossError, Record, RefuseNonFinite
from fewest.search.training.network import build, optimizer
from fewest.search.training.outcome import EpochMetrics, Outcome
from fewest.search.training.snapshot import Snapshot
from fewest.search.training.trial import FrontTrial

__all__ = ["ENGINES", "Bystander", "Engine", "KerasEngine", "PopulationEngine", "Watcher"]


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
    """Trains networks."""

    def cohort_size(self, data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
        """How many networks should be handed to `train` at once."""

    def train(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        *,
        batch_seed: int,
        watcher: Watcher,
    ) -> list[Outcome]:
        """Trains networks to their end, or to where the watcher prunes them.

        Args:
            networks: What to train.
            data: Training and validation samples.
            protocol: How.
            batch_seed: Decides the order of the training samples, see `protocol.batch_order`.
            watcher: Told of every epoch; what it raises stops the training and is passed on.

        Returns:
            An outcome for each network, in order.
        """


class KerasEngine:
    """One stock `keras.Sequential` after another: `fit`, Keras's callbacks, Optuna's pruning callback."""

    def cohort_size(self, data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
        """One: they do not train together."""
        return 1

    def train(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        *,
        batch_seed: int,
        watcher: Watcher,
    ) -> list[Outcome]:
        """See `Engine.train`."""
        return [
            _train_one(member, network, data, protocol, batch_seed, watcher) for member, network in enumerate(networks)
        ]


class PopulationEngine:
    """A cohort as one Keras model."""

    def __init__(self) -> None:
        from fewest.search.training.population.model import use_one_thread_per_operation

        use_one_thread_per_operation()

    def cohort_size(self, data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
        """As many as memory and arithmetic favour."""
        from fewest.search.training.population.cohort import cohort_size

        return cohort_size(data, protocol, space)

    def train(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        *,
        batch_seed: int,
        watcher: Watcher,
    ) -> list[Outcome]:
        """See `Engine.train`."""
        from fewest.search.training.population.cohort import train_cohort

        def on_epoch_end(epoch: int, metrics: Mapping[int, EpochMetrics]) -> dict[int, str]:
            watcher.record(epoch, metrics)
            verdicts = {member: watcher.judge(member, epoch, seen.val_accuracy) for member, seen in metrics.items()}
            return {member: reason for member, reason in verdicts.items() if reason is not None}

        return train_cohort(
            networks,
            data,
            protocol,
            batch_seed=batch_seed,
            on_epoch_end=on_epoch_end,
            on_checkpoint=lambda epoch, take: watcher.checkpoint(take),
            start=watcher.start(),
        )


ENGINES: dict[str, Callable[[], Engine]] = {"keras": KerasEngine, "population": PopulationEngine}
"""Engines by the name a study file uses."""


class _EpochBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras is untyped
    """The training set in the protocol's batches, in the order of the epoch that began last."""

    def __init__(self, data: SearchData, protocol: Protocol, batch_seed: int) -> None:
        super().__init__()
        self._data, self._protocol, self._seed = data, protocol, batch_seed
        self.begin(0)

    def __len__(self) -> int:
        return n_batches(len(self._data.y_train), self._protocol.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = self._order[index]
        return self._data.x_train[rows], self._data.y_train[rows]

    def begin(self, epoch: int) -> None:
        """Draws an epoch's order. Keras's `on_epoch_end` would not do: `fit` calls that before the first epoch, too."""
        self._order = batch_order(self._seed, epoch, len(self._data.y_train), self._protocol.batch_size)


def _train_one(
    member: int, network: Network, data: SearchData, protocol: Protocol, batch_seed: int, watcher: Watcher
) -> Outcome:
    model = build(network, data, protocol.activation)
    model.compile(optimizer(protocol, len(data.y_train)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    batches = _EpochBatches(data, protocol, batch_seed)
    curve: list[EpochMetrics] = []
    trial = watcher.trial(member)

    def record(epoch: int, metrics: EpochMetrics) -> None:
        curve.append(metrics)
        watcher.record(epoch, {member: metrics})

    started = time.perf_counter()
    state, reason = "complete", None
    try:
        model.fit(
            batches,
            epochs=protocol.epochs,
            validation_data=(data.x_validation, data.y_validation),
            validation_batch_size=len(data.y_validation),
            callbacks=[
                *_callbacks(protocol, record, len(data.y_validation), trial),
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=lambda epoch, logs: batches.begin(epoch),
                    on_epoch_end=lambda epoch, logs: watcher.checkpoint(None),
                ),
            ],
            shuffle=False,
            verbose=0,
        )
    except optuna.TrialPruned:
        state, reason = "pruned", trial.reason if trial else None
    except NonFiniteLossError as error:
        state, reason = "failed", str(error)
    return _outcome(model, state, reason, curve, protocol, time.perf_counter() - started)


def _callbacks(
    protocol: Protocol, record: Callable[[int, EpochMetrics], None], n_validation: int, trial: FrontTrial | None
) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [RefuseNonFinite(), Record(record, n_validation)]
    if trial is not None:
        callbacks.append(KerasPruningCallback(trial, "val_accuracy"))
    if protocol.patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_accuracy", mode="max", patience=protocol.patience, restore_best_weights=True
            )
        )
    return callbacks


def _outcome(
    model: keras.Sequential,
    state: Any,
    reason: str | None,
    curve: list[EpochMetrics],
    protocol: Protocol,
    seconds: float,
) -> Outcome:
    accuracies = [metrics.val_accuracy for metrics in curve]
    best = len(curve) - 1
    if protocol.restores_best and curve:
        best = int(np.argmax(accuracies))
    return Outcome(
        state=state,
        curve=tuple(curve),
        best_epoch=best,
        validation_accuracy=accuracies[best] if curve else float("nan"),
        seconds=seconds,
        weights=model.get_weights() if state == "complete" else [],
        reason=reason,
    )
