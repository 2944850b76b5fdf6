"""The `keras` engine: one stock `keras.Sequential` after another, with Keras's callbacks and Optuna's.

It is the reference for the `population` engine, and works for any model.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SearchData
from fewest.search.settings.keras_settings import keras, settle
from fewest.search.settings.protocol import Protocol, n_batches
from fewest.search.settings.seeds import SampleOrder
from fewest.search.settings.space import Network, SearchSpace
from fewest.search.training.cost import Cost
from fewest.search.training.interface import Watcher, validates
from fewest.search.training.network import accuracy_of, build, extract, optimizer, predict_labels
from fewest.search.training.outcome import EpochMetrics, Outcome, Weights
from fewest.search.training.trial import FrontTrial

__all__ = ["EpochRecorder", "NonFiniteLossError", "RefuseNonFinite", "stock_cost"]

STEP_SECONDS = 1.2e-3
"""Approximate seconds of an optimizer step of Keras's `fit`, however small the network."""


class KerasEngine:
    """One stock `keras.Sequential` after another: `fit`, Keras's callbacks, Optuna's pruning callback."""

    def __init__(self) -> None:
        settle()

    def cohort_size(self, data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
        """Return 1: the networks do not train together."""
        return 1

    def train(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        *,
        order: SampleOrder,
        watcher: Watcher,
    ) -> list[Outcome]:
        """See `Engine.train`."""
        return [_train_one(member, network, data, protocol, order, watcher) for member, network in enumerate(networks)]

    def right(
        self,
        networks: Sequence[Network],
        weights: Sequence[Weights],
        x: Images,
        y: NDArray[np.int32],
        data: SearchData,
        protocol: Protocol,
    ) -> NDArray[np.bool_]:
        """See `Engine.right`."""
        trained = (extract(network, arrays, data, protocol) for network, arrays in zip(networks, weights, strict=True))
        return np.array([predict_labels(model, x) == y for model in trained], np.bool_).reshape(len(networks), len(y))


def stock_cost(data: SearchData, protocol: Protocol) -> Cost:
    """Return what networks cost one after another, roughly (docs/measurements/training-speed.md)."""
    n_steps = n_batches(len(data.y_train), protocol.batch_size)
    return Cost(start=1.5, cohort=0.7, epoch=n_steps * STEP_SECONDS, network_epoch=0.0)


class _EpochBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras is untyped
    """The training set in the protocol's batches, in the order of the epoch that began last."""

    def __init__(self, data: SearchData, protocol: Protocol, order: SampleOrder) -> None:
        super().__init__()
        self._data, self._protocol, self._order = data, protocol, order
        self.begin(0)

    def __len__(self) -> int:
        return n_batches(len(self._data.y_train), self._protocol.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = self._batches[index]
        return self._data.x_train[rows], self._data.y_train[rows]

    def begin(self, epoch: int) -> None:
        """Draw an epoch's order. `on_epoch_end` would not do: `fit` calls it before the first epoch, too."""
        self._batches = self._order.batches(epoch, len(self._data.y_train), self._protocol.batch_size)


def _train_one(
    member: int, network: Network, data: SearchData, protocol: Protocol, order: SampleOrder, watcher: Watcher
) -> Outcome:
    model = build(network, data, protocol.activation)
    model.compile(
        optimizer(protocol, len(data.y_train)), "sparse_categorical_crossentropy", metrics=[accuracy_of(data)]
    )
    batches = _EpochBatches(data, protocol, order)
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
            validation_freq=[e + 1 for e in range(protocol.epochs) if validates(e, data, protocol, watcher)],
            callbacks=[
                *_callbacks(protocol, record, data, trial),
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
    protocol: Protocol, record: Callable[[int, EpochMetrics], None], data: SearchData, trial: FrontTrial | None
) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [RefuseNonFinite(), EpochRecorder(record, data)]
    if trial is not None:
        # Imported here because it imports Keras, which `keras_settings` must import first.
        from optuna_integration import KerasPruningCallback

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


class NonFiniteLossError(ArithmeticError):
    """A network's loss became NaN or infinite: its trial fails, the study goes on."""


class RefuseNonFinite(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """A callback that ends a training when its loss is not finite after an epoch.

    Raises:
        NonFiniteLossError: From `fit`, at the end of that epoch.
    """

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Check the training loss."""
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise NonFiniteLossError(f"loss is {loss} after epoch {epoch}")


class EpochRecorder(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """A callback that passes every epoch's metrics to `record`, see `EpochMetrics.of`."""

    def __init__(self, record: Callable[[int, EpochMetrics], None], data: SearchData) -> None:
        super().__init__()
        self._record, self._data = record, data

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Pass Keras's logs on."""
        self._record(epoch, EpochMetrics.of(logs or {}, len(self._data.y_validation), self._data.metric))
