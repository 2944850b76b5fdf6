"""Keras callbacks of the one-at-a-time engine: thin shells that hand what Keras logs to somebody who decides."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras

from fewest.search.training.outcome import EpochMetrics

__all__ = ["NonFiniteLossError", "Record", "RefuseNonFinite"]


class NonFiniteLossError(ArithmeticError):
    """A network's loss became NaN or infinite: its trial fails, the study goes on."""


class RefuseNonFinite(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Ends a training whose loss is not finite after an epoch.

    Raises:
        NonFiniteLossError: From `fit`, at the end of that epoch.
    """

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Looks at the training loss."""
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise NonFiniteLossError(f"loss is {loss} after epoch {epoch}")


class Record(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Hands every epoch's metrics to `record`, see `EpochMetrics.of`."""

    def __init__(self, record: Callable[[int, EpochMetrics], None], n_validation: int) -> None:
        super().__init__()
        self._record, self._n_validation = record, n_validation

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Passes on what Keras logged."""
        self._record(epoch, EpochMetrics.of(logs or {}, self._n_validation))
