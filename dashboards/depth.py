"""What each number of hidden layers reaches: accuracy against neurons, one line a depth.

Before verification the lines are the best validation accuracies that single networks of each depth reached.
After it they are means of test accuracy over seeds, with 95 % intervals of the mean (Student's t).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from fewest.dashboards.colours import PAPER
from fewest.dashboards.style import (
    AccuracyAxis,
    depth_colour,
    depth_label,
    depth_mark,
    finish,
    hover_network,
    percent,
    short_percent,
    size_axis,
    size_position,
    target_lines,
)
from fewest.search.answers.front import FrontPoint, pareto_front
from fewest.search.answers.wording import enumerated, plural
from fewest.search.settings.space import Architecture
from fewest.storage.trials.records import TrialRecord, VerifiedNetwork

__all__ = ["depth_info", "plot_depth"]


class DepthPoint(NamedTuple):
    """One architecture of a depth's line."""

    widths: Architecture
    accuracy: float
    """The best validation accuracy, or the mean test accuracy."""
    interval: tuple[float, float] | None
    """95 % of the mean; None of a single network."""
    n_networks: int


@dataclass(frozen=True)
class DepthInfo:
    """What the figure shows.

    Attributes:
        accuracy_of: The set that accuracies were measured on.
        lines: For each depth, its architectures by number of neurons, strictly rising in both.
        targets: Accuracies asked for.
    """

    accuracy_of: Literal["validation", "test"]
    lines: dict[int, tuple[DepthPoint, ...]]
    targets: tuple[float, ...]

    @property
    def finding(self) -> str:
        """Say how many neurons each depth takes to the highest target that any depth reached."""
        measure = "validation accuracy" if self.accuracy_of == "validation" else "mean test accuracy"
        for target in reversed(self.targets):
            least = {depth: size for depth, line in self.lines.items() if (size := _least(line, target)) is not None}
            if 0 in least:
                return f"Softmax alone reached a {measure} of {short_percent(target)}"
            if least:
                return f"A {measure} of {short_percent(target)} took {_takes(least)}"
        if not self.targets or not self.lines:
            return "No network has trained to its end"
        return f"No depth reached a {measure} of {short_percent(self.targets[0])}"


def _least(line: Sequence[DepthPoint], target: float) -> int | None:
    return next((sum(point.widths) for point in line if point.accuracy >= target), None)


def _takes(least: dict[int, int]) -> str:
    """Write the neurons of each depth.

    >>> _takes({1: 13, 2: 22, 3: 32})
    '13 neurons in 1 layer, 22 in 2 and 32 in 3'
    """
    (depth, neurons), *others = least.items()
    parts = [f"{plural(neurons, 'neuron')} in {plural(depth, 'layer')}", *(f"{n:,} in {depth}" for depth, n in others)]
    return enumerated(parts)


def depth_info(
    trials: Sequence[TrialRecord], verified: Sequence[VerifiedNetwork], targets: Sequence[float]
) -> DepthInfo:
    """Gather what the figure shows of a study.

    Args:
        trials: The study's trials; complete ones count until something is verified.
        verified: Networks scored on the test set; when there are any, they alone count.
        targets: Accuracies asked for.
    """
    points = _test_points(verified) if verified else _validation_points(trials)
    lines = {
        depth: _rising([point for point in points if len(point.widths) == depth])
        for depth in sorted({len(point.widths) for point in points})
    }
    return DepthInfo("test" if verified else "validation", lines, tuple(sorted(targets)))


def plot_depth(
    trials: Sequence[TrialRecord], verified: Sequence[VerifiedNetwork], targets: Sequence[float]
) -> go.Figure:
    """Draw `depth_info`, which takes the same arguments."""
    info = depth_info(trials, verified, targets)
    figure = go.Figure()
    measured = "best validation accuracy" if info.accuracy_of == "validation" else "mean test accuracy"
    shown = (
        "Best validation accuracy of a single network up to each size, by number of hidden layers"
        if info.accuracy_of == "validation"
        else "Mean test accuracy over seeds with 95 % intervals, by number of hidden layers"
    )
    points = [point for line in info.lines.values() for point in line]
    if not points:
        return finish(figure, info.finding, shown, empty="No trial has ended yet.")
    ends = [end for point in points for end in (point.interval or ())]
    axis = AccuracyAxis.over([*(point.accuracy for point in points), *ends, *info.targets])
    for depth, line in info.lines.items():
        _draw_line(figure, axis, depth, line, info.accuracy_of)
    target_lines(figure, axis, [(target, f"target {short_percent(target)}") for target in info.targets])
    figure.update_xaxes(size_axis(sum(point.widths) for point in points))
    figure.update_yaxes(axis.layout(measured))
    return finish(figure, info.finding, shown)


def _validation_points(trials: Sequence[TrialRecord]) -> list[DepthPoint]:
    return [
        DepthPoint(trial.widths, trial.validation_accuracy, None, 1)
        for trial in sorted(trials, key=lambda trial: trial.number)
        if trial.state == "complete" and trial.widths is not None
        if trial.validation_accuracy is not None and math.isfinite(trial.validation_accuracy)
    ]


def _test_points(verified: Sequence[VerifiedNetwork]) -> list[DepthPoint]:
    scores: dict[Architecture, list[float]] = {}
    for network in verified:
        if math.isfinite(network.test_accuracy):
            scores.setdefault(network.widths, []).append(network.test_accuracy)
    return [DepthPoint(widths, statistics.fmean(seen), _interval(seen), len(seen)) for widths, seen in scores.items()]


def _interval(scores: Sequence[float]) -> tuple[float, float] | None:
    """Return the mean's 95 % interval by Student's t, within 0..1."""
    if len(scores) < 2:
        return None
    from scipy.stats import t

    half = float(t.ppf(0.975, len(scores) - 1)) * statistics.stdev(scores) / math.sqrt(len(scores))
    mean = statistics.fmean(scores)
    return max(0.0, mean - half), min(1.0, mean + half)


def _rising(points: Sequence[DepthPoint]) -> tuple[DepthPoint, ...]:
    front = pareto_front(FrontPoint(place, sum(point.widths), point.accuracy) for place, point in enumerate(points))
    return tuple(points[member.trial] for member in front)


def _draw_line(figure: go.Figure, axis: AccuracyAxis, depth: int, line: Sequence[DepthPoint], accuracy_of: str) -> None:
    heights = [axis.position(point.accuracy) for point in line]
    spans = [point.interval or (point.accuracy, point.accuracy) for point in line]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [axis.position(high) - height for (_, high), height in zip(spans, heights, strict=True)],
        "arrayminus": [height - axis.position(low) for (low, _), height in zip(spans, heights, strict=True)],
        "thickness": 1.2,
        "width": 3,
    }
    figure.add_scatter(
        x=[size_position(sum(point.widths)) for point in line],
        y=heights,
        error_y=bars if any(point.interval for point in line) else None,
        mode="lines+markers",
        name=depth_label(depth),
        line={"color": depth_colour(depth), "width": 1.8},
        marker={"symbol": depth_mark(depth), "size": 8, "line": {"color": PAPER, "width": 1}},
        text=[hover_network(point.widths, *_hover_lines(point, accuracy_of)) for point in line],
        hovertemplate="%{text}<extra></extra>",
    )


def _hover_lines(point: DepthPoint, accuracy_of: str) -> list[str]:
    if accuracy_of == "validation":
        return [f"validation accuracy {percent(point.accuracy)}"]
    lines = [f"test accuracy {percent(point.accuracy)}, mean of {plural(point.n_networks, 'seed')}"]
    if point.interval:
        lines.append(f"95 % interval {percent(point.interval[0])} to {percent(point.interval[1])}")
    return lines
