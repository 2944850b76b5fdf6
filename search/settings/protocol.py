"""Training protocols: one definition of a network's training, shared by every engine.

A protocol fixes everything that decides a network's accuracy, except its architecture, its seed and the data.
`PROTOCOLS` holds the two that ship; a study file picks one by name and may change any field of it.

Both engines see the training samples in the same order (`seeds.SampleOrder`), cut into whole batches. The samples left
over are not used in that epoch; the next epoch's order leaves out others.
"""

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["PROTOCOLS", "Activation", "Protocol", "learning_rate_at", "n_batches"]

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

    The optimizer is Adam with Keras's defaults, except for the learning rate. With `patience` set, a network is
    complete when its validation accuracy has not improved for that many epochs, and its best weights are restored.
    Without `patience`, it trains all its epochs and keeps the last weights, which suits a schedule that ends at zero.

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

    if TYPE_CHECKING:  # A caller may leave out any field: the named protocol supplies it.

        def __init__(self, **given: Any) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _fill_from_named(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {**PROTOCOLS.get(given.get("protocol", "one_cycle"), {}), **given}

    @property
    def restores_best(self) -> bool:
        """Whether a finished network returns to the weights of its best epoch."""
        return self.patience is not None

    def order_index(self, index: int) -> int:
        """Return the number of the sample order that an architecture's network `index` sees in verification.

        A schedule that ends at zero averages the order out, so all networks share order 0. A constant rate does not
        average it out, so each network has an order of its own.
        """
        return index if self.schedule == "constant" else 0


def n_batches(n_samples: int, batch_size: int) -> int:
    """Count the whole batches in an epoch; a training set smaller than a batch is one batch of all its samples."""
    return max(1, n_samples // batch_size)


def learning_rate_at(protocol: Protocol, step: float, n_steps: int) -> float:
    """Return the learning rate at one optimizer step of a whole training.

    `one_cycle` rises linearly from 0 to `learning_rate` over the first `warmup` share of the steps, then
    falls to 0 along half a cosine (Smith & Topin 2017, arXiv 1708.07120, with the cosine of Loshchilov &
    Hutter 2016).

    Args:
        protocol: Protocol with the schedule's shape, peak and share of warm-up.
        step: Optimizer step, counted from 0; the midpoint of step `k` is `k + 0.5`.
        n_steps: Number of optimizer steps in all epochs of the protocol.
    """
    if protocol.schedule == "constant":
        return protocol.learning_rate
    warm_steps = protocol.warmup * n_steps
    if step < warm_steps:
        return protocol.learning_rate * step / warm_steps
    share = min(1.0, (step - warm_steps) / max(n_steps - warm_steps, 1e-9))
    return protocol.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))
