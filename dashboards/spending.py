"""Where the budget went: epochs of the search, those that pruning saved, and epochs of verification."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import plotly.graph_objects as go

from fewest.dashboards.colours import BLUE, FAINT, GREEN, INK, ORANGE
from fewest.dashboards.elapsed import duration
from fewest.dashboards.style import finish, whole_percent
from fewest.search.answers.wording import plural
from fewest.storage.trials.records import TrialRecord, TrialState, VerifiedNetwork

__all__ = ["plot_spending", "spending_info"]

SAVED: Final = "saved by pruning"
VERIFICATION: Final = "verification"
_OF_STATE: Final[dict[TrialState, str]] = {
    "complete": "trained to the end",
    "pruned": "trained, then pruned",
    "fail": "failed",
}
COLOURS: Final = {
    "trained to the end": BLUE,
    "trained, then pruned": ORANGE,
    "failed": INK,
    VERIFICATION: GREEN,
    SAVED: FAINT,
}
"""Each part and its colour, in the order in which they are drawn."""

_ROW_PIXELS: Final = 44
_BESIDE_ROWS_PIXELS: Final = 160


class Part(NamedTuple):
    """A part of the budget."""

    name: str
    n_networks: int
    epochs: int
    seconds: float | None
    """Wall-clock seconds of training; None of epochs that were saved."""


@dataclass(frozen=True)
class SpendingInfo:
    """What the figure shows: parts with epochs, in the order of `COLOURS`."""

    parts: tuple[Part, ...]

    @property
    def epochs_trained(self) -> int:
        """Epochs of all networks, in search and verification."""
        return sum(part.epochs for part in self.parts if part.name != SAVED)

    @property
    def finding(self) -> str:
        """Say how much of the epochs verification took, and how many pruning saved."""
        epochs = {part.name: part.epochs for part in self.parts}
        trained = plural(self.epochs_trained, "epoch")
        saved = f"pruning saved {epochs[SAVED]:,} more" if SAVED in epochs else "nothing was pruned"
        if VERIFICATION not in epochs:
            return f"The search trained {trained}; {saved}"
        share = whole_percent(epochs[VERIFICATION] / self.epochs_trained)
        return f"Verification took {share} of {trained}; {saved}"


def spending_info(trials: Sequence[TrialRecord], verified: Sequence[VerifiedNetwork], max_epochs: int) -> SpendingInfo:
    """Gather what the figure shows of a study.

    Args:
        trials: The study's trials, in any order; those that ended count.
        verified: Networks that verification trained.
        max_epochs: Epochs of a training that nothing cuts short.
    """
    parts = []
    for state, name in _OF_STATE.items():
        own = [trial for trial in trials if trial.state == state]
        epochs = sum(trial.epochs or 0 for trial in own)
        parts.append(Part(name, len(own), epochs, sum(trial.seconds or 0.0 for trial in own)))
    seconds = sum(network.seconds for network in verified)
    parts.append(Part(VERIFICATION, len(verified), sum(network.epochs for network in verified), seconds))
    pruned = [trial for trial in trials if trial.state == "pruned"]
    parts.append(Part(SAVED, len(pruned), sum(max_epochs - (trial.epochs or 0) for trial in pruned), None))
    return SpendingInfo(tuple(part for part in parts if part.epochs > 0))


def plot_spending(trials: Sequence[TrialRecord], verified: Sequence[VerifiedNetwork], max_epochs: int) -> go.Figure:
    """Draw `spending_info`, which takes the same arguments."""
    info = spending_info(trials, verified, max_epochs)
    figure = go.Figure()
    shown = "Epochs of training by what they were for; the time is that of training"
    if not info.parts:
        return finish(figure, "No epoch was trained", shown, empty="No trial has ended yet.")
    figure.add_bar(
        x=[part.epochs for part in info.parts],
        y=[_label(part) for part in info.parts],
        orientation="h",
        width=0.7,
        marker={"color": [COLOURS[part.name] for part in info.parts], "line": {"width": 0}},
        text=[f"{part.epochs:,}" for part in info.parts],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
    largest = max(part.epochs for part in info.parts)
    figure.update_xaxes(title={"text": "epochs"}, range=[0, 1.2 * largest], tickformat=",d")
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_layout(height=_BESIDE_ROWS_PIXELS + _ROW_PIXELS * len(info.parts))
    return finish(figure, info.finding, shown)


def _label(part: Part) -> str:
    time = "" if part.seconds is None else f", {duration(part.seconds)}"
    return f"{part.name}<br>{plural(part.n_networks, 'network')}{time}"
