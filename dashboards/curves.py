"""Learning curves: validation accuracy after each epoch, of pruned, complete and front trials."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

import plotly.graph_objects as go

from fewest.dashboards.colours import FAINT, FAINT_BLUE, INK, LEVEL
from fewest.dashboards.style import (
    LABEL_SHARE,
    AccuracyAxis,
    depth_colour,
    depth_label,
    drawn_of,
    finish,
    hover_network,
    percent,
    short_percent,
    target_lines,
    thinned,
)
from fewest.search.answers.front import pareto_front, points_of
from fewest.search.answers.wording import plural
from fewest.search.settings.space import Architecture
from fewest.storage.trials.records import CurvePoint, TrialRecord

__all__ = ["curves_info", "plot_curves"]

Kind: TypeAlias = Literal["pruned", "complete", "front"]

MAX_BACKGROUND_CURVES: Final = 400
"""More pruned (or complete) curves than this say nothing more, and make the figure slow to draw."""


class Curve(NamedTuple):
    """One trial's curve."""

    trial: int
    widths: Architecture
    kind: Kind
    epochs: tuple[int, ...]
    """Counted from 0, as stored; drawn from 1, as epochs trained."""
    accuracies: tuple[float, ...]
    """Validation accuracy after each of `epochs`; never NaN."""


@dataclass(frozen=True)
class CurvesInfo:
    """What the figure shows: curves by trial number, and the accuracies asked for."""

    curves: tuple[Curve, ...]
    targets: tuple[float, ...]

    @property
    def finding(self) -> str:
        """Say how many networks reached the front and how many were pruned before."""
        counts = Counter(curve.kind for curve in self.curves)
        pruned = f"{counts['pruned']:,} were" if counts["pruned"] > 1 else ("1 was" if counts["pruned"] else "none was")
        return f"{counts['front']:,} of {plural(len(self.curves), 'network')} make up the front; {pruned} pruned"


def curves_info(
    trials: Sequence[TrialRecord],
    curves: Mapping[int, Sequence[CurvePoint]],
    targets: Sequence[float],
) -> CurvesInfo:
    """Gather what the figure shows of a study.

    Args:
        trials: The study's trials; only those that ended pruned or complete are shown.
        curves: Learning curves by `trial_id`. Points that are not finite are left out.
        targets: Accuracies asked for.
    """
    front = {point.trial for point in pareto_front(points_of(trials))}
    shown = [
        _curve(trial, curves.get(trial.trial_id, ()), trial.number in front)
        for trial in sorted(trials, key=lambda trial: trial.number)
        if trial.state in ("pruned", "complete")
    ]
    return CurvesInfo(tuple(curve for curve in shown if curve.epochs), tuple(sorted(targets)))


def plot_curves(
    trials: Sequence[TrialRecord],
    curves: Mapping[int, Sequence[CurvePoint]],
    targets: Sequence[float],
) -> go.Figure:
    """Draw `curves_info`, which takes the same arguments; of very many curves off the front, an even selection."""
    info = curves_info(trials, curves, targets)
    figure = go.Figure()
    shown = "Validation accuracy after each epoch; crosses mark where trials were pruned"
    if not info.curves:
        return finish(figure, info.finding, shown, empty="No learning curve has been stored yet.")
    axis = AccuracyAxis.over([score for curve in info.curves for score in curve.accuracies] + [*info.targets])
    _draw_background(figure, axis, _of_kind(info, "complete"), "complete", FAINT_BLUE)
    _draw_background(figure, axis, _of_kind(info, "pruned"), "pruned", FAINT)
    drawn: set[int] = set()
    for curve in _of_kind(info, "front"):
        _draw_front_member(figure, axis, curve, in_legend=len(curve.widths) not in drawn)
        drawn.add(len(curve.widths))
    target_lines(figure, axis, [(target, f"target {short_percent(target)}") for target in info.targets])
    last = 1 + max(epoch for curve in info.curves for epoch in curve.epochs)
    figure.update_xaxes(
        title={"text": "epochs trained"}, range=[0.5 - LABEL_SHARE * last, last + 0.5], tickvals=_epoch_ticks(last)
    )
    figure.update_yaxes(axis.layout("validation accuracy"))
    return finish(figure, info.finding, shown)


def _epoch_ticks(last: int) -> list[int]:
    """Choose round numbers of epochs, at most twenty.

    >>> _epoch_ticks(3), _epoch_ticks(30)
    ([1, 2, 3], [5, 10, 15, 20, 25, 30])
    """
    apart = next(step for step in (1, 5, 20, 100, 500, last) if last <= 20 * step)
    return [epoch for epoch in range(1, last + 1) if epoch % apart == 0]


def _curve(trial: TrialRecord, points: Sequence[CurvePoint], on_front: bool) -> Curve:
    known = [point for point in sorted(points) if math.isfinite(point.val_accuracy)]
    kind: Kind = "front" if on_front else "pruned" if trial.state == "pruned" else "complete"
    epochs = tuple(point.epoch for point in known)
    return Curve(trial.number, trial.widths or (), kind, epochs, tuple(point.val_accuracy for point in known))


def _of_kind(info: CurvesInfo, kind: Kind) -> list[Curve]:
    return [curve for curve in info.curves if curve.kind == kind]


def _draw_background(figure: go.Figure, axis: AccuracyAxis, of_kind: Sequence[Curve], kind: Kind, colour: str) -> None:
    """Draw curves of a kind as one trace with gaps: hundreds of traces would make the page crawl."""
    curves = thinned(of_kind, MAX_BACKGROUND_CURVES)
    if not curves:
        return
    name = drawn_of(kind, len(curves), len(of_kind))
    x: list[int | None] = []
    y: list[float | None] = []
    for curve in curves:
        x += [*(epoch + 1 for epoch in curve.epochs), None]
        y += [*(round(axis.position(score), 4) for score in curve.accuracies), None]
    figure.add_scatter(x=x, y=y, mode="lines", name=name, line={"color": colour, "width": 1}, hoverinfo="skip")
    if kind == "pruned":
        figure.add_scatter(
            x=[curve.epochs[-1] + 1 for curve in curves],
            y=[axis.position(curve.accuracies[-1]) for curve in curves],
            mode="markers",
            showlegend=False,
            marker={"symbol": "x-thin", "size": 5, "line": {"color": LEVEL, "width": 1.2}},
            text=[_hover(curve, len(curve.epochs) - 1, "pruned here, ") for curve in curves],
            hovertemplate="%{text}<extra></extra>",
        )


def _draw_front_member(figure: go.Figure, axis: AccuracyAxis, curve: Curve, *, in_legend: bool) -> None:
    depth = len(curve.widths)
    figure.add_scatter(
        x=[epoch + 1 for epoch in curve.epochs],
        y=[axis.position(score) for score in curve.accuracies],
        mode="lines" if len(curve.epochs) > 1 else "markers",
        name=f"front, {depth_label(depth)}",
        legendgroup=f"depth {depth}",
        showlegend=in_legend,
        line={"color": depth_colour(depth), "width": 1.5},
        opacity=0.85,
        marker={"color": depth_colour(depth), "size": 7, "line": {"color": INK, "width": 1}},
        text=[_hover(curve, place) for place in range(len(curve.epochs))],
        hovertemplate="%{text}<extra></extra>",
    )


def _hover(curve: Curve, place: int, what: str = "") -> str:
    accuracy = f"{what}validation accuracy {percent(curve.accuracies[place])}"
    return hover_network(curve.widths, accuracy, f"trial {curve.trial}, epoch {curve.epochs[place] + 1}")
