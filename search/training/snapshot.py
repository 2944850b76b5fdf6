"""A cohort between two epochs as values: the content of a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewest.search.settings.space import Network
from fewest.search.training.outcome import EpochMetrics, Weights

__all__ = ["Member", "Snapshot"]


@dataclass(eq=False)
class Member:
    """One network of a cohort, between epochs.

    Attributes:
        state: `training` until it leaves.
        curve: Metrics of each epoch so far.
        seconds: Its share of the wall-clock time so far.
        weights: Stock arrays: present ones during training; kept ones when complete; none when pruned or failed.
        slots: Adam's first and second moments during training, each like `weights`; None before the first step.
        best_weights: Weights of its best epoch so far, if the protocol restores them.
        reason: Why it was pruned or failed; None otherwise.
    """

    state: str = "training"
    curve: list[EpochMetrics] = field(default_factory=list)
    seconds: float = 0.0
    weights: Weights = field(default_factory=list)
    slots: tuple[Weights, Weights] | None = None
    best_weights: Weights = field(default_factory=list)
    reason: str | None = None

    def copied(self) -> "Member":
        """Return a copy with a curve of its own; arrays are shared, since nothing writes into them."""
        return replace(self, curve=list(self.curve))

    @property
    def best_epoch(self) -> int:
        """The first epoch of highest validation accuracy; -1 before the first."""
        return int(np.argmax([seen.val_accuracy for seen in self.curve])) if self.curve else -1


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A cohort at the end of an epoch: all that `train_cohort` needs to continue.

    On as many cores as before, the continued training is identical bit for bit. On another number the members
    are dealt out differently, which changes rounding.

    Attributes:
        epoch: Epochs trained so far.
        networks: The cohort's networks.
        members: Their states, in order.
        placed: Members in the model, in that model's order.
        compiled: Whether that model is compiled for them.
    """

    epoch: int
    networks: tuple[Network, ...]
    members: tuple[Member, ...]
    placed: tuple[int, ...]
    compiled: bool

    def to_parts(self) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        """Return float32 arrays by name, and all other values as JSON."""
        arrays: dict[str, NDArray[np.float32]] = {}
        plain = []
        for position, member in enumerate(self.members):
            groups = {"weights": member.weights, "best": member.best_weights}
            groups |= dict(zip(("first", "second"), member.slots or (), strict=False))
            for name, group in groups.items():
                arrays |= {f"{position}/{name}/{index}": array for index, array in enumerate(group)}
            plain.append(
                [member.state, member.curve, member.seconds, member.reason, {n: len(g) for n, g in groups.items()}]
            )
        meta = {
            "epoch": self.epoch,
            "networks": self.networks,
            "members": plain,
            "placed": self.placed,
            "compiled": self.compiled,
        }
        return arrays, meta

    @classmethod
    def from_parts(cls, arrays: Mapping[str, NDArray[np.float32]], meta: Mapping[str, Any]) -> "Snapshot":
        """Build a snapshot from the results of `to_parts`."""

        def member(position: int, plain: list[Any]) -> Member:
            state, curve, seconds, reason, sizes = plain
            groups = {name: [arrays[f"{position}/{name}/{i}"] for i in range(size)] for name, size in sizes.items()}
            slots = (groups["first"], groups["second"]) if "first" in groups else None
            metrics = [EpochMetrics(*seen) for seen in curve]
            return Member(state, metrics, seconds, groups["weights"], slots, groups["best"], reason)

        return cls(
            epoch=meta["epoch"],
            networks=tuple(Network(tuple(architecture), seed) for architecture, seed in meta["networks"]),
            members=tuple(member(position, plain) for position, plain in enumerate(meta["members"])),
            placed=tuple(meta["placed"]),
            compiled=meta["compiled"],
        )
