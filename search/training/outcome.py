"""What an engine tells of a network: its metrics after each epoch, and what became of it in the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["EpochMetrics", "Outcome", "Weights"]


class EpochMetrics(NamedTuple):
    """A network after an epoch: losses are mean cross-entropies in nats, accuracies shares in 0..1."""

    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float

    @classmethod
    def of(cls, logs: Mapping[str, Any], n_validation: int) -> "EpochMetrics":
        """From Keras's logs of an epoch, whose validation accuracy is a float32 share of so many samples.

        90 of 100 right is 0.8999999761581421 there and would miss a target of 0.9.

        >>> EpochMetrics.of({"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": np.float32(0.9)}, 100)
        EpochMetrics(loss=1.0, accuracy=0.5, val_loss=1.0, val_accuracy=0.9)
        """
        metrics = cls(*(float(logs[name]) for name in cls._fields))
        return metrics._replace(val_accuracy=round(metrics.val_accuracy * n_validation) / n_validation)


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What became of one network.

    Attributes:
        state: How its training ended.
        curve: Its metrics after each epoch.
        best_epoch: Epoch, counted from 0, whose weights were kept.
        validation_accuracy: Of the kept weights.
        seconds: This network's share of the wall-clock training time.
        weights: `[kernel, bias, ...]` as a stock network holds them; empty if pruned or failed.
        reason: Why it was pruned or failed.
    """

    state: Literal["complete", "pruned", "failed"]
    curve: tuple[EpochMetrics, ...]
    best_epoch: int
    validation_accuracy: float
    seconds: float
    weights: list[NDArray[np.float32]]
    reason: str | None


Weights: TypeAlias = list[NDArray[np.float32]]
"""A network's arrays as a stock network holds them: `[kernel, bias, ...]`, kernels `(fan_in, fan_out)`."""
