"""The answer's intervals on an axis of neurons: for each target, with luck, typically and to be safe.

Where softmax alone is the typical answer, as many neurons as one hidden layer takes are shown instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import plotly.graph_objects as go

from fewest.dashboards.colours import BLUE, GREEN, PAPER, VERMILION
from fewest.dashboards.style import finish, short_percent, size_axis, size_position
from fewest.search.answers.answer import Answer, Finding, Findings, TargetAnswer
from fewest.search.answers.evidence import Quantity
from fewest.search.answers.wording import WORDING, interval_words, plural

__all__ = ["intervals_info", "plot_intervals"]

_ORDER: Final[tuple[Quantity, ...]] = ("possible", "typical", "reliable")
_COLOURS: Final[dict[Quantity, str]] = {"possible": GREEN, "typical": BLUE, "reliable": VERMILION}
_MARKS: Final[dict[Quantity, str]] = {"possible": "triangle-up", "typical": "circle", "reliable": "square"}
_ROW_PIXELS: Final = 26
_BESIDE_ROWS_PIXELS: Final = 230


class Range(NamedTuple):
    """One of the three answers to a target.

    Attributes:
        quantity: Which of them.
        neurons: The answer; None where there is none.
        low: The lower end of the 95 % interval, in neurons.
        high: Its upper end; None where no upper end is known.
        said: The answer with both its intervals, or why there is none.
        new_samples: The interval for new samples; None where it is not known.
    """

    quantity: Quantity
    neurons: int | None
    low: int
    high: int | None
    said: str
    new_samples: tuple[int, int | None] | None = None


class TargetRanges(NamedTuple):
    """A target with its answers, in the order with luck, typically, to be safe.

    Attributes:
        accuracy: The test accuracy to reach, in 0..1.
        one_layer: Whether the answers are those of one hidden layer, because softmax alone is typically enough.
        ranges: The answers.
    """

    accuracy: float
    one_layer: bool
    ranges: tuple[Range, ...]

    @property
    def finding(self) -> str:
        """Say how many neurons reach the target, and how many make it safe."""
        typical, reliable = self.ranges[1], self.ranges[2]
        reached = f"{short_percent(self.accuracy)} test accuracy"
        if self.one_layer and typical.neurons is not None:
            of_layer = f"{plural(typical.neurons, 'neuron')} in one hidden layer"
            return f"Softmax alone reaches {reached}; {of_layer} do, too{_safely(typical.neurons, reliable)}"
        if typical.neurons == 0:
            return f"Softmax alone reaches {reached}{_safely(0, reliable)}"
        if typical.neurons is None:
            return f"{reached}: {typical.said}"
        verb = "reaches" if typical.neurons == 1 else "reach"
        return f"{plural(typical.neurons, 'neuron')} {verb} {reached}{_safely(typical.neurons, reliable)}"


@dataclass(frozen=True)
class IntervalsInfo:
    """What the figure shows: targets, lowest first."""

    targets: tuple[TargetRanges, ...]

    @property
    def finding(self) -> str:
        """Say what is found for the highest target with a typical answer, else for the lowest."""
        answered = [target for target in self.targets if target.ranges[1].neurons is not None]
        if not self.targets:
            return "No network has been verified"
        return answered[-1].finding if answered else self.targets[0].finding


def intervals_info(targets: Sequence[TargetAnswer]) -> IntervalsInfo:
    """Gather what the figure shows of a study's answers; before verification, pass none."""
    return IntervalsInfo(tuple(_of_target(target) for target in sorted(targets, key=lambda one: one.accuracy)))


def plot_intervals(targets: Sequence[TargetAnswer]) -> go.Figure:
    """Draw `intervals_info`, which takes the same argument."""
    info = intervals_info(targets)
    figure = go.Figure()
    shown = "Fewest hidden neurons: the mark is the answer, the bar its 95 % interval, the line that for new samples"
    if not info.targets:
        return finish(figure, info.finding, shown, empty="Not yet verified on the test set.")
    ranges = [one for target in info.targets for one in target.ranges]
    ends = [(one.low, one.high, one.neurons, *(one.new_samples or ())) for one in ranges]
    sizes = [end for known in ends for end in known if end is not None]
    axis = size_axis(sizes)
    for quantity in _ORDER:
        rows = [(_row(info, target, one), one) for target in info.targets for one in target.ranges]
        _draw(figure, quantity, [(row, one) for row, one in rows if one.quantity == quantity], axis["range"][1])
    figure.update_xaxes(axis)
    figure.update_yaxes(
        title={"text": "test accuracy"},
        tickvals=[_row(info, target, target.ranges[1]) for target in info.targets],
        ticktext=[_label(target) for target in info.targets],
        range=[-0.8, 4 * len(info.targets) - 1.2],
        showgrid=False,
        ticks="",
    )
    figure.update_layout(height=_BESIDE_ROWS_PIXELS + 4 * _ROW_PIXELS * len(info.targets))
    return finish(figure, info.finding, shown)


def _of_target(target: TargetAnswer) -> TargetRanges:
    typical = target.overall["typical"]
    one_layer = isinstance(typical, Answer) and typical.neurons == 0 and 1 in target.by_depth
    findings: Findings = target.by_depth[1] if one_layer else target.overall
    return TargetRanges(target.accuracy, one_layer, tuple(_range(name, findings[name]) for name in _ORDER))


def _range(quantity: Quantity, found: Finding) -> Range:
    if isinstance(found, Answer):
        further = "" if found.new_samples is None else f", {interval_words(found.new_samples)} for new samples"
        return Range(quantity, found.neurons, *found.interval, f"{found}{further}", found.new_samples)
    return Range(quantity, None, found.at_least, None, str(found))


def _safely(typical: int, reliable: Range) -> str:
    if reliable.neurons is None:
        return f"; {WORDING['reliable'].adverb}: {reliable.said}"
    more = reliable.neurons - typical
    if more <= 0:
        return " with nine seeds in ten"
    return "; one more makes it safe" if more == 1 else f"; {more:,} more make it safe"


def _label(target: TargetRanges) -> str:
    return short_percent(target.accuracy) + ("<br>one layer" if target.one_layer else "")


def _row(info: IntervalsInfo, target: TargetRanges, one: Range) -> int:
    """Return the height of an answer: four rows a target, one of them empty, with luck at the top."""
    return 4 * info.targets.index(target) + 2 - _ORDER.index(one.quantity)


def _draw(figure: go.Figure, quantity: Quantity, rows: Sequence[tuple[int, Range]], right: float) -> None:
    colour = _COLOURS[quantity]
    for row, one in rows:
        _draw_interval(figure, row, (one.low, one.high), colour, right, width=7 if one.high is not None else 2)
        if one.new_samples is not None:
            _draw_interval(figure, row, one.new_samples, colour, right, width=2)
    figure.add_scatter(
        x=[size_position(one.low if one.neurons is None else one.neurons) for _, one in rows],
        y=[row for row, _ in rows],
        mode="markers+text",
        name=WORDING[quantity].adverb,
        marker={
            "color": [PAPER if one.neurons is None else colour for _, one in rows],
            "symbol": _MARKS[quantity],
            "size": 11,
            "line": {"color": colour, "width": 1.5},
        },
        text=["" if one.neurons is None else f"{one.neurons:,}" for _, one in rows],
        textposition="top center",
        textfont={"size": 11},
        hovertext=[f"<b>{WORDING[quantity].adverb}</b>: {one.said}" for _, one in rows],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _draw_interval(
    figure: go.Figure, row: int, interval: tuple[int, int | None], colour: str, right: float, *, width: int
) -> None:
    """Draw an interval as a line, dotted as far as `right` where it has no upper end."""
    low, high = interval
    line = {"color": colour, "width": width, "dash": "solid" if high is not None else "2px,4px"}
    ends = [size_position(low), right if high is None else size_position(high)]
    figure.add_scatter(x=ends, y=[row, row], mode="lines", line=line, opacity=0.55, showlegend=False, hoverinfo="skip")
