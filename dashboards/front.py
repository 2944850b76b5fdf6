"""The Pareto front: size against validation accuracy, every trial a mark, targets as lines."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import plotly.graph_objects as go

from fewest.dashboards.colours import FAINT, INK, PAPER
from fewest.dashboards.style import (
    AccuracyAxis,
    depth_colour,
    depth_label,
    depth_mark,
    drawn_of,
    finish,
    hover_network,
    percent,
    short_percent,
    size_axis,
    size_position,
    target_lines,
    thinned,
)
from fewest.search.answers.front import FrontPoint, pareto_front, points_of, smallest_reaching, staircase
from fewest.search.answers.wording import plural
from fewest.search.settings.space import Architecture
from fewest.storage.trials.records import CurvePoint, TrialRecord

__all__ = ["front_info", "plot_front"]

MAX_DOTS: Final = 1_000
"""Most marks of pruned trials, and of each depth's trials off the front: more hide each other."""


class Dot(NamedTuple):
    """One trial in the figure."""

    trial: int
    widths: Architecture
    size: int
    accuracy: float
    """Validation accuracy; of a pruned trial, the best it had shown."""
    seed: int | None
    pruned: bool
    on_front: bool


@dataclass(frozen=True)
class FrontInfo:
    """What the figure shows.

    Attributes:
        dots: Trials whose accuracy is known, by number.
        front: The front, from small to large.
        steps: Corners of the best accuracy known at each size.
        targets: Each target with the fewest neurons on the front that reach it, or None.
    """

    dots: tuple[Dot, ...]
    front: tuple[FrontPoint, ...]
    steps: tuple[tuple[int, float], ...]
    targets: tuple[tuple[float, int | None], ...]

    @property
    def finding(self) -> str:
        """Say what reaches the highest target that was reached."""
        reached = [(target, least) for target, least in self.targets if least is not None]
        if not self.targets or not self.front:
            return "No network has trained to its end"
        if not reached:
            return f"No network reached a validation accuracy of {short_percent(self.targets[0][0])}"
        target, least = reached[-1]
        what = f"{_count(least)} reached"
        missed = [target for target, least in self.targets if least is None]
        more = f"; no network reached {short_percent(missed[0])}" if missed else ""
        return f"{what} a validation accuracy of {short_percent(target)}{more}"


def front_info(
    trials: Sequence[TrialRecord],
    curves: Mapping[int, Sequence[CurvePoint]],
    targets: Sequence[float],
) -> FrontInfo:
    """Gather what the figure shows of a study.

    Args:
        trials: The study's trials, in any order.
        curves: Learning curves by `trial_id`; only those of pruned trials are looked at.
        targets: Accuracies asked for.
    """
    front = pareto_front(points_of(trials))
    members = {point.trial for point in front}
    dots = [
        Dot(
            trial.number,
            trial.widths or (),
            point.size,
            point.accuracy,
            trial.seed,
            trial.state == "pruned",
            trial.number in members,
        )
        for trial in sorted(trials, key=lambda trial: trial.number)
        for point in (_point(trial, curves.get(trial.trial_id, ())),)
        if point is not None
    ]
    reached = [(target, smallest_reaching(front, target)) for target in sorted(targets)]
    return FrontInfo(
        tuple(dots),
        tuple(front),
        tuple(staircase(front, max((dot.size for dot in dots), default=0))),
        tuple((target, point.size if point else None) for target, point in reached),
    )


def plot_front(
    trials: Sequence[TrialRecord],
    curves: Mapping[int, Sequence[CurvePoint]],
    targets: Sequence[float],
) -> go.Figure:
    """Draw `front_info`, which takes the same arguments."""
    info = front_info(trials, curves, targets)
    figure = go.Figure()
    shown = "Validation accuracy of every trial; along the line no smaller network was as accurate"
    if not info.dots:
        return finish(figure, info.finding, shown, empty="No trial has ended yet.")
    axis = AccuracyAxis.over([*(dot.accuracy for dot in info.dots), *(target for target, _ in info.targets)])
    _draw_pruned(figure, axis, [dot for dot in info.dots if dot.pruned])
    _draw_steps(figure, axis, info.steps)
    for depth in sorted({len(dot.widths) for dot in info.dots if not dot.pruned}):
        _draw_complete(figure, axis, depth, [dot for dot in info.dots if not dot.pruned and len(dot.widths) == depth])
    target_lines(figure, axis, [(target, _target_label(target, least)) for target, least in info.targets])
    figure.update_xaxes(size_axis(dot.size for dot in info.dots))
    figure.update_yaxes(axis.layout("validation accuracy"))
    return finish(figure, info.finding, shown)


def _count(neurons: int) -> str:
    return plural(neurons, "neuron") if neurons else "Softmax alone"


def _point(trial: TrialRecord, curve: Sequence[CurvePoint]) -> FrontPoint | None:
    if trial.state != "pruned":
        return next(iter(points_of([trial])), None)
    shown = [point.val_accuracy for point in curve if math.isfinite(point.val_accuracy)]
    return FrontPoint(trial.number, trial.neurons, max(shown)) if shown and trial.neurons is not None else None


def _target_label(target: float, least: int | None) -> str:
    found = "not reached" if least is None else _count(least).lower()
    return f"{short_percent(target)}: {found}"


def _draw_pruned(figure: go.Figure, axis: AccuracyAxis, dots: Sequence[Dot]) -> None:
    drawn = thinned(dots, MAX_DOTS)
    if drawn:
        figure.add_scatter(
            x=[size_position(dot.size) for dot in drawn],
            y=[axis.position(dot.accuracy) for dot in drawn],
            mode="markers",
            name=drawn_of("pruned, at the best it showed", len(drawn), len(dots)),
            marker={"color": FAINT, "size": 5, "symbol": "x-thin", "line": {"color": FAINT, "width": 1.5}},
            text=[_hover(dot) for dot in drawn],
            hovertemplate="%{text}<extra></extra>",
        )


def _draw_steps(figure: go.Figure, axis: AccuracyAxis, steps: Sequence[tuple[int, float]]) -> None:
    if steps:
        figure.add_scatter(
            x=[size_position(size) for size, _ in steps],
            y=[axis.position(accuracy) for _, accuracy in steps],
            mode="lines",
            name="Pareto front",
            line={"color": INK, "width": 1.5},
            hoverinfo="skip",
        )


def _draw_complete(figure: go.Figure, axis: AccuracyAxis, depth: int, dots: Sequence[Dot]) -> None:
    group = f"depth {depth}"
    drawn = [*thinned([dot for dot in dots if not dot.on_front], MAX_DOTS), *(dot for dot in dots if dot.on_front)]
    figure.add_scatter(  # for the legend alone: the real marks differ in size
        x=[None],
        y=[None],
        mode="markers",
        name=drawn_of(depth_label(depth), len(drawn), len(dots)),
        legendgroup=group,
        marker={"color": depth_colour(depth), "symbol": depth_mark(depth), "size": 9},
    )
    figure.add_scatter(
        x=[size_position(dot.size) for dot in drawn],
        y=[axis.position(dot.accuracy) for dot in drawn],
        mode="markers",
        legendgroup=group,
        showlegend=False,
        marker={
            "color": depth_colour(depth),
            "symbol": depth_mark(depth),
            "size": [11 if dot.on_front else 6 for dot in drawn],
            "opacity": [1.0 if dot.on_front else 0.45 for dot in drawn],
            "line": {"color": [INK if dot.on_front else PAPER for dot in drawn], "width": 1},
        },
        text=[_hover(dot) for dot in drawn],
        hovertemplate="%{text}<extra></extra>",
    )


def _hover(dot: Dot) -> str:
    accuracy = f"validation accuracy {percent(dot.accuracy)}" + (" when pruned" if dot.pruned else "")
    return hover_network(dot.widths, accuracy, f"trial {dot.trial}, seed {dot.seed}")
