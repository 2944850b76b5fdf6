"""What was pruned and when: how long each trial trained, in the order in which trials began."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import plotly.graph_objects as go

from fewest.dashboards.colours import BLUE, INK, ORANGE
from fewest.dashboards.style import drawn_of, finish, hover_network, level_line, thinned, whole_percent
from fewest.search.answers.wording import plural
from fewest.search.settings.space import Architecture
from fewest.storage.trials.records import TrialRecord, TrialState

__all__ = ["plot_pruning", "pruning_info"]

MAX_BARS: Final = 600
"""Most bars of each outcome; a screen has hardly more columns."""
COLOURS: Final[dict[TrialState, str]] = {"complete": BLUE, "pruned": ORANGE, "fail": INK}
NAMES: Final[dict[TrialState, str]] = {"complete": "complete", "pruned": "pruned", "fail": "failed"}


class PruningBar(NamedTuple):
    """One trial that ended."""

    trial: int
    state: TrialState
    widths: Architecture
    epochs: int
    reason: str | None


@dataclass(frozen=True)
class PruningInfo:
    """What the figure shows.

    Attributes:
        bars: Trials that ended, by number.
        max_epochs: Epochs of an untouched training.
        epochs_trained: By all trials that ended.
        epochs_saved: What pruned trials did not train.
        median_pruned_after: Epochs after which half of the pruned trials had stopped; None if none was.
    """

    bars: tuple[PruningBar, ...]
    max_epochs: int
    epochs_trained: int
    epochs_saved: int
    median_pruned_after: float | None

    @property
    def finding(self) -> str:
        """Say what share of the search's epochs pruning saved, and how early."""
        if self.median_pruned_after is None:
            return f"Nothing was pruned: {plural(len(self.bars), 'network')} trained {self.epochs_trained:,} epochs"
        share = whole_percent(self.epochs_saved / max(1, self.epochs_saved + self.epochs_trained))
        within = f"{self.median_pruned_after:g} of {self.max_epochs}"
        return f"Pruning saved {share} of the search's epochs; half of the cuts came within {within}"


def pruning_info(trials: Sequence[TrialRecord], max_epochs: int) -> PruningInfo:
    """Gather what the figure shows of a study.

    Args:
        trials: The study's trials, in any order.
        max_epochs: Epochs of a training that nothing cuts short.
    """
    bars = tuple(
        PruningBar(trial.number, trial.state, trial.widths or (), trial.epochs or 0, trial.reason)
        for trial in sorted(trials, key=lambda trial: trial.number)
        if trial.state in NAMES
    )
    pruned = [bar.epochs for bar in bars if bar.state == "pruned"]
    return PruningInfo(
        bars,
        max_epochs,
        sum(bar.epochs for bar in bars),
        sum(max_epochs - epochs for epochs in pruned),
        statistics.median(pruned) if pruned else None,
    )


def plot_pruning(trials: Sequence[TrialRecord], max_epochs: int) -> go.Figure:
    """Draw `pruning_info`, which takes the same arguments."""
    info = pruning_info(trials, max_epochs)
    figure = go.Figure()
    shown = "Epochs trained by each trial, in the order in which trials began"
    if not info.bars:
        return finish(figure, info.finding, shown, empty="No trial has ended yet.")
    for state, name in NAMES.items():
        of_state = [bar for bar in info.bars if bar.state == state]
        bars = thinned(of_state, MAX_BARS)
        if bars:
            figure.add_bar(
                x=[bar.trial for bar in bars],
                y=[bar.epochs for bar in bars],
                width=max(1.0, len(info.bars) / MAX_BARS),
                name=drawn_of(name, len(bars), len(of_state)),
                marker={"color": COLOURS[state], "line": {"width": 0}, "opacity": 0.75},
                hovertext=[_hover(bar) for bar in bars],
                hovertemplate="%{hovertext}<extra></extra>",
            )
    level_line(figure, max_epochs)
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(title={"text": "trial number"}, showgrid=False, tickformat="d")
    figure.update_yaxes(title={"text": "epochs trained"}, rangemode="tozero", tickformat="d")
    return finish(figure, info.finding, shown)


def _hover(bar: PruningBar) -> str:
    lines = [f"trial {bar.trial}, {NAMES[bar.state]} after {bar.epochs} epochs"]
    return hover_network(bar.widths, *lines, *([bar.reason] if bar.reason else []))
