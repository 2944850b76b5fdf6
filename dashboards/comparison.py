"""Studies side by side: the fronts of all in one figure, under what their answers say."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from fewest.dashboards.style import (
    AccuracyAxis,
    depth_colour,
    depth_mark,
    finish,
    percent,
    short_percent,
    size_axis,
    size_position,
    target_lines,
)
from fewest.search.answers.comparison import Comparison
from fewest.search.answers.comparison_sentences import headline
from fewest.search.answers.front import FrontPoint, staircase
from fewest.search.answers.wording import plural

__all__ = ["comparison_info", "plot_comparison"]

N_COLOURS = 6
"""Studies beyond so many share colours, but not the pair of colour and mark."""


@dataclass(frozen=True)
class ComparisonInfo:
    """What the figure shows.

    Attributes:
        fronts: Each study's label, front, and corners of the best accuracy known at each size.
        targets: Target accuracies of any study.
    """

    fronts: tuple[tuple[str, tuple[FrontPoint, ...], tuple[tuple[int, float], ...]], ...]
    targets: tuple[float, ...]


def comparison_info(comparison: Comparison) -> ComparisonInfo:
    """Gather what the figure shows; every front is drawn as far as the largest network on any."""
    largest = max((point.size for front in comparison.fronts for point in front), default=0)
    fronts = zip(comparison.studies, comparison.fronts, strict=True)
    return ComparisonInfo(
        tuple((label, front, tuple(staircase(front, largest))) for label, front in fronts),
        tuple(target.accuracy for target in comparison.targets),
    )


def plot_comparison(comparison: Comparison) -> go.Figure:
    """Draw the fronts of all studies by validation accuracy; the title says what the answers are."""
    info = comparison_info(comparison)
    figure = go.Figure()
    points = [point for _, front, _ in info.fronts for point in front]
    title = html.escape(headline(comparison))
    if not points:
        return finish(figure, title, empty="No trial has ended yet.")
    axis = AccuracyAxis.over([*(point.accuracy for point in points), *info.targets])
    for place, (label, front, steps) in enumerate(info.fronts):
        _draw_front(figure, axis, place, label, front, steps)
    target_lines(figure, axis, [(target, f"target {short_percent(target)}") for target in info.targets])
    figure.update_xaxes(size_axis(point.size for point in points))
    figure.update_yaxes(axis.layout("validation accuracy"))
    return finish(figure, title)


def _draw_front(
    figure: go.Figure,
    axis: AccuracyAxis,
    place: int,
    label: str,
    front: Sequence[FrontPoint],
    steps: Sequence[tuple[int, float]],
) -> None:
    colour, mark = depth_colour(1 + place % N_COLOURS), depth_mark(1 + place % (N_COLOURS - 1))
    name = html.escape(label)
    figure.add_scatter(
        x=[size_position(corner) for corner, _ in steps],
        y=[axis.position(accuracy) for _, accuracy in steps],
        mode="lines",
        legendgroup=name,
        showlegend=False,
        line={"color": colour, "width": 1.5},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[size_position(point.size) for point in front],
        y=[axis.position(point.accuracy) for point in front],
        mode="markers",
        name=name,
        legendgroup=name,
        marker={"color": colour, "symbol": mark, "size": 9},
        text=[
            f"<b>{name}</b><br>{plural(point.size, 'neuron')}, validation accuracy {percent(point.accuracy)}"
            f"<br>trial {point.trial}"
            for point in front
        ],
        hovertemplate="%{text}<extra></extra>",
    )
