"""An engine's reports on a network: its metrics after each epoch, and its outcome."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.metrics import restored
from fewest.search.settings.config import Metric

__all__ = ["EpochMetrics", "Outcome", "Weights"]


class EpochMetrics(NamedTuple):
    """A network after an epoch: losses are mean cross-entropies in nats, accuracies the study's metric in 0..1.

    `val_loss` and `val_accuracy` are NaN after an epoch in which the watcher did not want them; see `Watcher`.
    """

    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float

    @classmethod
    def of(cls, logs: Mapping[str, Any], n_validation: int, metric: Metric = "accuracy") -> "EpochMetrics":
        """Read Keras's logs of an epoch; restore the validation accuracy, see `metrics.restored`.

        What was not measured is NaN.

        >>> EpochMetrics.of({"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": np.float32(0.9)}, 100)
        EpochMetrics(loss=1.0, accuracy=0.5, val_loss=1.0, val_accuracy=0.9)
        """
        metrics = cls(*(float(logs.get(name, math.nan)) for name in cls._fields))
        if math.isnan(metrics.val_accuracy):
            return metrics
        return metrics._replace(val_accuracy=restored(metric, metrics.val_accuracy, n_validation))


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """The outcome of one network's training.

    Attributes:
        state: The end of its training: complete, pruned or failed.
        curve: Its metrics after each epoch.
        best_epoch: The epoch, counted from 0, of the kept weights.
        validation_accuracy: Validation accuracy of the kept weights, 0..1; NaN without validation samples.
        seconds: This network's share of the wall-clock training time.
        weights: `[kernel, bias, ...]` as in a stock network; empty if pruned or failed.
        reason: Why it was pruned or failed; None if complete.
    """

    state: Literal["complete", "pruned", "failed"]
    curve: tuple[EpochMetrics, ...]
    best_epoch: int
    validation_accuracy: float
    seconds: float
    weights: list[NDArray[np.float32]]
    reason: str | None

    @property
    def training_loss(self) -> float:
        """Training loss over the epoch of the kept weights, in nats; NaN before the first epoch's end."""
        return self.curve[self.best_epoch].loss if self.curve else math.nan


Weights: TypeAlias = list[NDArray[np.float32]]
"""A network's arrays as in a stock network: `[kernel, bias, ...]`, kernels float32 `(fan_in, fan_out)`."""
