"""A cohort between two epochs, as values: what a checkpoint holds."""

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

    def copied(self) -> "Member":
        """Its own curve; arrays are shared, since nobody writes into them."""
        return replace(self, curve=list(self.curve))

    @property
    def best_epoch(self) -> int:
        """The first epoch of highest validation accuracy; -1 before the first."""
        return int(np.argmax([seen.val_accuracy for seen in self.curve])) if self.curve else -1


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A cohort at the end of an epoch: all that `train_cohort` needs to go on.

    Bit for bit on as many cores as before; on others, where its members are dealt out otherwise, to rounding.

    Attributes:
        epoch: Epochs trained so far.
        networks: The cohort's.
        members: Their states, in order.
        placed: Positions of the members in the model, in the order they lie there.
        compiled: Whether that model is compiled for them.
    """

    epoch: int
    networks: tuple[Network, ...]
    members: tuple[Member, ...]
    placed: tuple[int, ...]
    compiled: bool

    def to_parts(self) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        """As float32 arrays by name, and JSON values for all the rest."""
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
        """The inverse of `to_parts`."""

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
