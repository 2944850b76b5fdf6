"""Studies side by side: a figure of their fronts, and tables for a terminal."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from rich.console import Console
from rich.table import Table

from fewest.dashboards.console import one_line, say, show
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
from fewest.search.answers.comparison import ComparedAnswer, Comparison
from fewest.search.answers.evidence import SHARES, Quantity
from fewest.search.answers.front import FrontPoint, Size, staircase
from fewest.search.answers.verdicts import headline, verdicts
from fewest.search.answers.wording import WORDING, plural

__all__ = ["ERROR_NOTE", "cell", "comparison_info", "depth_words", "plot_comparison", "print_studies_compared"]

N_COLOURS = 6
"""Studies beyond so many share colours, but not the pair of colour and mark."""

ERROR_NOTE = (
    "Brackets hold 95 % intervals. 'Fewer' and 'more' are against the first study. Each such difference by itself "
    "is a mistake in at most 5 % of comparisons, or in at most 1 % where a sentence says 99 % sure."
)


@dataclass(frozen=True)
class ComparisonInfo:
    """What the figure shows.

    Attributes:
        size: Unit of the fronts' sizes.
        fronts: Each study's label, front, and corners of the best accuracy known at each size.
        targets: Target accuracies of any study.
    """

    size: Size
    fronts: tuple[tuple[str, tuple[FrontPoint, ...], tuple[tuple[int, float], ...]], ...]
    targets: tuple[float, ...]


def comparison_info(comparison: Comparison) -> ComparisonInfo:
    """Gather what the figure shows; every front is drawn as far as the largest network on any."""
    largest = max((point.size for front in comparison.fronts for point in front), default=0)
    fronts = zip(comparison.studies, comparison.fronts, strict=True)
    return ComparisonInfo(
        comparison.size,
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
        _draw_front(figure, axis, place, label, front, steps, info.size)
    target_lines(figure, axis, [(target, f"target {short_percent(target)}") for target in info.targets])
    figure.update_xaxes(size_axis((point.size for point in points), info.size))
    figure.update_yaxes(axis.layout("validation accuracy"))
    return finish(figure, title)


def _draw_front(
    figure: go.Figure,
    axis: AccuracyAxis,
    place: int,
    label: str,
    front: Sequence[FrontPoint],
    steps: Sequence[tuple[int, float]],
    size: Size,
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
    unit = size.removesuffix("s")
    figure.add_scatter(
        x=[size_position(point.size) for point in front],
        y=[axis.position(point.accuracy) for point in front],
        mode="markers",
        name=name,
        legendgroup=name,
        marker={"color": colour, "symbol": mark, "size": 9},
        text=[
            f"<b>{name}</b><br>{plural(point.size, unit)}, validation accuracy {percent(point.accuracy)}"
            f"<br>trial {point.trial}"
            for point in front
        ],
        hovertemplate="%{text}<extra></extra>",
    )


def print_studies_compared(console: Console, comparison: Comparison) -> None:
    """Print the settings that differ, the answers, and what they say.

    Args:
        console: The terminal.
        comparison: The studies side by side.
    """
    if comparison.settings:
        show(console, _settings(comparison))
    else:
        say(console, "The studies have the same settings.")
    show(console, _answers(comparison))
    say(console, ERROR_NOTE)
    for target in comparison.targets:
        for sentence in verdicts(target):
            say(console, f"{sentence}.")
    for remark in comparison.remarks:
        say(console, f"Note: {remark}")


def cell(answer: ComparedAnswer, quantity: Quantity) -> str:
    """Write an answer, and how it differs from the first study's if it does."""
    finding = str(answer.findings[quantity])
    unlike = None if answer.against_first is None else answer.against_first[quantity]
    return finding if unlike is None or unlike.sure is None else f"{finding}, {unlike.range} {unlike.outcome}"


def depth_words(depth: int | None) -> str:
    """Name a number of hidden layers; None is any."""
    return "any" if depth is None else str(depth)


def _settings(comparison: Comparison) -> Table:
    table = Table(title="Settings that differ", title_justify="left")
    for heading in ("setting", *comparison.studies):
        table.add_column(one_line(heading))
    for row in comparison.settings:
        table.add_row(row.words, *map(one_line, row.values))
    return table


def _answers(comparison: Comparison) -> Table:
    table = Table(title="Fewest hidden neurons, by test accuracy (95 % interval)", title_justify="left")
    table.add_column("target", justify="right")
    table.add_column("hidden layers", justify="right")
    for heading in ("study", *(WORDING[quantity].adverb for quantity in SHARES)):
        table.add_column(heading)
    for target in comparison.targets:
        accuracy, depth = f"{target.accuracy:g}", ""
        for answer in target.answers:
            words = depth_words(answer.depth)
            cells = [cell(answer, quantity) for quantity in SHARES]
            table.add_row(accuracy, "" if words == depth else words, one_line(answer.study), *cells)
            accuracy, depth = "", words
        table.add_section()
    return table
