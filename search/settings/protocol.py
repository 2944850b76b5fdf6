"""How a network is trained: one definition, shared by every engine.

A protocol fixes all that decides a network's accuracy besides its architecture, its seed and the data.
`PROTOCOLS` holds the two that ship; a study file picks one by name and may change any field of it.

Both engines see the training images in the same order: epoch `e` of a study uses `batch_order(seed, e, n)`,
cut into whole batches. What is left over when the batch size does not divide the training set sits out that
epoch; the next epoch's order leaves out others.
"""

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PROTOCOLS", "Activation", "Protocol", "batch_order", "learning_rate_at", "n_batches"]

Activation: TypeAlias = Literal["relu", "tanh", "sigmoid"]

PROTOCOLS: dict[str, dict[str, Any]] = {
    "one_cycle": {
        "batch_size": 128,
        "epochs": 15,
        "learning_rate": 2e-2,
        "schedule": "one_cycle",
        "warmup": 0.15,
        "patience": None,
    },
    "notebook": {
        "batch_size": 32,
        "epochs": 200,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "warmup": 0.0,
        "patience": 10,
    },
}
"""Defaults of each shipped protocol, by name."""


class Protocol(BaseModel):
    """Batch size, epochs, learning rate, stopping and activation of every network of a study.

    The optimizer is Adam with Keras's defaults but for the learning rate. With `patience` set, a network that
    has not improved its validation accuracy for that many epochs is complete, and its best weights are
    restored; without, it trains all its epochs and keeps the last weights, as a schedule that ends at zero
    wants.

    Example:
        >>> Protocol(protocol="notebook").patience
        10
        >>> Protocol(protocol="one_cycle", epochs=3).epochs
        3
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["one_cycle", "notebook"] = "one_cycle"
    batch_size: int = Field(ge=1)
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    schedule: Literal["one_cycle", "constant"]
    warmup: float = Field(ge=0, lt=1)
    patience: int | None = Field(ge=1)
    activation: Activation = "relu"

    @model_validator(mode="before")
    @classmethod
    def _fill_from_named(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {**PROTOCOLS.get(given.get("protocol", "one_cycle"), {}), **given}

    @property
    def restores_best(self) -> bool:
        """Whether a finished network goes back to the weights of its best epoch."""
        return self.patience is not None


def n_batches(n_samples: int, batch_size: int) -> int:
    """Whole batches in an epoch; a training set smaller than a batch is one batch of all its samples."""
    return max(1, n_samples // batch_size)


def batch_order(seed: int, epoch: int, n_samples: int, batch_size: int) -> "NDArray[np.int32]":
    """Which training samples each batch of an epoch holds.

    Args:
        seed: The study's seed; networks that train together share their batches.
        epoch: Counted from 0.
        n_samples: Size of the training set.
        batch_size: Samples in a batch.

    Returns:
        Indices into the training set: int32, `(batches, min(batch_size, n_samples))`.
    """
    import numpy as np  # here, for reading commands import this module and have no use for NumPy

    order = np.random.default_rng([seed, epoch]).permutation(n_samples).astype(np.int32)
    batches = n_batches(n_samples, batch_size)
    size = min(batch_size, n_samples)
    return order[: batches * size].reshape(batches, size)


def learning_rate_at(protocol: Protocol, step: float, n_steps: int) -> float:
    """The learning rate at one optimizer step of a whole training.

    `one_cycle` rises linearly from 0 to `learning_rate` over the first `warmup` share of the steps, then
    falls to 0 along half a cosine (Smith & Topin 2017, arXiv 1708.07120, with the cosine of Loshchilov &
    Hutter 2016).

    Args:
        protocol: Gives the shape, the peak and the share of warm-up.
        step: Counted from 0; the midpoint of step `k` is `k + 0.5`.
        n_steps: Optimizer steps in all the epochs of the protocol.
    """
    if protocol.schedule == "constant":
        return protocol.learning_rate
    warm_steps = protocol.warmup * n_steps
    if step < warm_steps:
        return protocol.learning_rate * step / warm_steps
    share = min(1.0, (step - warm_steps) / max(n_steps - warm_steps, 1e-9))
    return protocol.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))
