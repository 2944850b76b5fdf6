"""How fast the front was found: its hypervolume against networks trained, and against time.

The hypervolume is drawn as a share of the largest possible up to the largest size tried. So it is the mean, over all
sizes on their logarithmic axis, of the best accuracy known at each size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

import plotly.graph_objects as go

from fewest.dashboards.colours import BLUE, MUTED
from fewest.dashboards.elapsed import duration, seconds_worked, time_axis
from fewest.dashboards.style import finish, percent, short_percent
from fewest.search.answers.front import FrontPoint, hypervolume, pareto_front, points_of
from fewest.search.answers.wording import plural
from fewest.storage.trials.records import TrialRecord

__all__ = ["Against", "hypervolume_info", "plot_hypervolume"]

Against: TypeAlias = Literal["networks", "time"]

ALMOST_ALL: Final = 0.999
"""Share of the last hypervolume that a finding speaks of."""


class Gain(NamedTuple):
    """A network that improved the front."""

    trial: int
    networks: int
    """Trials that had ended by then, this one included."""
    seconds: float
    """Worked by then; see `fewest.dashboards.elapsed`."""
    hypervolume: float
    """With this network, as a share in 0..1."""


@dataclass(frozen=True)
class HypervolumeInfo:
    """What the figure shows.

    Attributes:
        gains: Every improvement of the front, in the order in which trials ended.
        n_networks: Trials that ended.
        seconds: Worked in all.
    """

    gains: tuple[Gain, ...]
    n_networks: int
    seconds: float

    @property
    def almost(self) -> Gain | None:
        """The first gain with which the front had `ALMOST_ALL` of its last hypervolume; None without an area."""
        last = self.gains[-1].hypervolume if self.gains else 0.0
        return next((gain for gain in self.gains if gain.hypervolume >= ALMOST_ALL * last > 0), None)

    def finding(self, against: Against) -> str:
        """Say after how many networks, or how long, the front was almost the last one."""
        if self.almost is None:
            return "No two sizes have trained to their end"
        after = f"{self.almost.networks:,} of {plural(self.n_networks, 'network')}"
        if against == "time":
            after = f"{duration(self.almost.seconds)} of {duration(self.seconds)}"
        return f"The front had {short_percent(ALMOST_ALL)} of its hypervolume after {after}"


def hypervolume_info(trials: Sequence[TrialRecord]) -> HypervolumeInfo:
    """Gather what the figure shows of a study; the reference point is the largest size of a trial that ended.

    Args:
        trials: The study's trials, in any order; those that ended count.
    """
    ended = [trial for trial in trials if trial.state in ("complete", "pruned", "fail")]
    position = seconds_worked(ended)
    ordered = sorted(ended, key=lambda trial: (trial.completed is None, trial.completed or trial.number, trial.number))
    counts = [trial.neurons for trial in ended]
    max_size = max((count for count in counts if count is not None), default=0)
    front: list[FrontPoint] = []
    gains: list[Gain] = []
    seconds = 0.0
    for networks, trial in enumerate(ordered, 1):
        seconds = position(trial.completed) if trial.completed else seconds
        for point in points_of([trial]):
            if _is_new(point, front):
                front = pareto_front([*front, point])
                share = hypervolume(front, max_size=max_size) / math.log2(max_size + 1) if max_size else 0.0
                gains.append(Gain(trial.number, networks, seconds, share))
    return HypervolumeInfo(tuple(gains), len(ended), seconds)


def plot_hypervolume(trials: Sequence[TrialRecord], *, against: Against = "networks") -> go.Figure:
    """Draw `hypervolume_info`, which takes the same arguments, against networks or time."""
    info = hypervolume_info(trials)
    figure, finding = go.Figure(), info.finding(against)
    shown = "Hypervolume of the front: the mean, over all sizes, of the best validation accuracy known"
    if info.almost is None:
        return finish(figure, finding, shown, empty="No trial is complete yet.")
    unit, axis = 1.0, {"title": {"text": "networks trained or pruned"}, "rangemode": "tozero"}
    if against == "time":
        unit, axis = time_axis(info.seconds, "time of the search, long pauses left out")
    ends = info.n_networks if against == "networks" else info.seconds / unit
    x = [gain.networks if against == "networks" else gain.seconds / unit for gain in info.gains]
    y = [100 * gain.hypervolume for gain in info.gains]
    figure.add_scatter(
        x=[*x, ends],
        y=[*y, y[-1]],
        mode="lines",
        line={"shape": "hv", "color": BLUE, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"color": BLUE, "size": 5},
        text=[_hover(gain) for gain in info.gains],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    place = info.gains.index(info.almost)
    figure.add_annotation(
        x=x[place],
        y=y[place],
        text=f"{short_percent(ALMOST_ALL)} of the last",
        font={"color": MUTED},
        arrowcolor=MUTED,
        arrowwidth=1,
        standoff=5,
        ax=50,
        ay=40,
    )
    figure.update_xaxes(axis, tickformat=",~r")
    figure.update_yaxes(title={"text": "hypervolume (share of the largest)"}, ticksuffix="\N{NO-BREAK SPACE}%")
    return finish(figure, finding, shown)


def _is_new(point: FrontPoint, front: Sequence[FrontPoint]) -> bool:
    """Say whether no point of the front is as small and as accurate."""
    return all(point.size < member.size or point.accuracy > member.accuracy for member in front)


def _hover(gain: Gain) -> str:
    when = f"{plural(gain.networks, 'network')} ended, {duration(gain.seconds)}"
    return f"<b>{percent(gain.hypervolume)}</b> with trial {gain.trial}<br>{when}"
