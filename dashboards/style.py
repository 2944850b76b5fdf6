"""What all figures share: marks, axes, the template, and how they say what was found.

`colours` has the colours; every depth has its own mark besides. Sizes are drawn at `log2(size + 1)`, so that softmax
alone (no hidden neurons) has a place; accuracies at `-log10(1 - accuracy)`, so that the steps from 90 % to 99 % to
99.9 % are equally high.

A figure's title is a sentence that says what was found; its subtitle says what is drawn.
"""

import html
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import plotly.graph_objects as go

from fewest.dashboards.colours import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    GRID,
    INK,
    LEVEL,
    MUTED,
    ORANGE,
    PAPER,
    PINK,
    SKY,
    VEIL,
    VERMILION,
)
from fewest.search.answers import wording
from fewest.search.answers.wording import plural
from fewest.search.settings.config import Metric
from fewest.search.settings.space import Architecture, describe

__all__ = [
    "LABEL_SHARE",
    "TITLE_COLUMNS",
    "AccuracyAxis",
    "depth_colour",
    "depth_label",
    "depth_mark",
    "drawn_of",
    "finding_of",
    "finish",
    "hover_network",
    "in_metric",
    "level_line",
    "percent",
    "short_percent",
    "size_axis",
    "size_position",
    "target_lines",
    "thinned",
    "whole_percent",
    "wrap_title",
]

Item = TypeVar("Item")

DEPTH_COLOURS: Final = (GREY, BLUE, VERMILION, GREEN, PINK, ORANGE, SKY)
DEPTH_MARKS: Final = ("diamond", "circle", "square", "triangle-up", "cross", "star", "pentagon")
FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

ACCURACY_TICKS: Final = (0.0, 0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
LABEL_SHARE: Final = 0.17
"""Share of an axis that is left free before its first mark, for the targets' labels."""
TITLE_COLUMNS: Final = 84
"""Characters of a title that fit beside each other."""
FINE_TICKS: Final = tuple(percents / 100 for percents in range(100)) + tuple(mills / 1000 for mills in range(991, 1000))
"""For axes that span little."""
TICK_SHARE: Final = 0.045
"""Least share of an axis between two ticks, or their labels would overlap."""


def depth_colour(depth: int) -> str:
    """Return the colour of networks with `depth` hidden layers; very deep ones share the last."""
    return DEPTH_COLOURS[min(depth, len(DEPTH_COLOURS) - 1)]


def depth_mark(depth: int) -> str:
    """Return Plotly's name of the mark of networks with `depth` hidden layers."""
    return DEPTH_MARKS[min(depth, len(DEPTH_MARKS) - 1)]


def depth_label(depth: int) -> str:
    """Name a depth.

    >>> [depth_label(depth) for depth in range(3)]
    ['softmax alone', '1 hidden layer', '2 hidden layers']
    """
    return "softmax alone" if depth == 0 else plural(depth, "hidden layer")


def percent(accuracy: float, digits: int = 2) -> str:
    r"""Write a share as per cent, never parted at the end of a line.

    >>> percent(0.95013), percent(0.9, digits=1)
    ('95.01\xa0%', '90.0\xa0%')
    """
    return f"{100 * accuracy:.{digits}f}\N{NO-BREAK SPACE}%"


def short_percent(accuracy: float) -> str:
    r"""Write a round share as per cent, without noughts at its end; never parted at the end of a line.

    >>> short_percent(0.95), short_percent(0.995)
    ('95\xa0%', '99.5\xa0%')
    """
    return wording.short_percent(accuracy).replace(" ", "\N{NO-BREAK SPACE}")


def whole_percent(share: float) -> str:
    r"""Write a share in whole per cent; never parted at the end of a line.

    >>> whole_percent(0.567), whole_percent(0.004), whole_percent(0.9999)
    ('57\xa0%', 'less than 1\xa0%', 'more than 99\xa0%')
    """
    if 0 < share < 0.005:
        return "less than 1\N{NO-BREAK SPACE}%"
    if 0.995 < share < 1:
        return "more than 99\N{NO-BREAK SPACE}%"
    return percent(share, digits=0)


def thinned(items: Sequence[Item], most: int) -> Sequence[Item]:
    """Choose at most so many items, evenly over all, for a figure that would crawl with all of them.

    >>> thinned([0, 1, 2, 3, 4, 5, 6], 3), thinned([0, 1], 3)
    ([0, 2, 4], [0, 1])
    """
    if len(items) <= most:
        return items
    return [items[len(items) * place // most] for place in range(most)]


def drawn_of(name: str, n_drawn: int, n: int) -> str:
    """Name marks in a legend, and say where `thinned` left some out.

    >>> drawn_of("pruned", 5, 5), drawn_of("pruned", 400, 3200)
    ('pruned', 'pruned (400 of 3,200 drawn)')
    """
    return name if n_drawn == n else f"{name} ({n_drawn:,} of {n:,} drawn)"


def in_metric(figure: go.Figure, metric: Metric) -> go.Figure:
    """Let a finished figure say which accuracy its titles, axis, legend and marks mean; return the figure."""
    if metric == "accuracy":
        return figure
    for trace in figure.data:
        trace.text = trace.text and [wording.accuracy_words(text, metric) for text in trace.text]
        trace.name = trace.name and wording.accuracy_words(trace.name, metric)
    title = figure.layout.title
    title.text, title.subtitle.text = _sentence_in(title.text, metric), _sentence_in(title.subtitle.text, metric)
    wrap_title(figure, TITLE_COLUMNS)
    return figure.for_each_yaxis(
        lambda axis: axis.update(title_text=wording.accuracy_words(axis.title.text or "", metric))
    )


def _sentence_in(sentence: str, metric: Metric) -> str:
    """Say which accuracy a sentence means, which may begin with it."""
    said = wording.accuracy_words(sentence[:1].lower() + sentence[1:], metric)
    return said[:1].upper() + said[1:]


def hover_network(widths: Architecture, *lines: str) -> str:
    """Write what is shown over a network's mark: its layers in bold, then lines of plain text."""
    heading = f"<b>{describe(widths)}</b> ({plural(sum(widths), 'neuron')})"
    return "<br>".join([heading, *(html.escape(line) for line in lines)])


def size_position(size: int) -> float:
    """Place a size along its axis."""
    return math.log2(size + 1)


def size_axis(sizes: Iterable[int]) -> dict[str, Any]:
    """Return Plotly's settings of an axis that shows `sizes`: ticks at 0 and round numbers among them."""
    known = sorted(sizes) or [0, 1]
    low, high = known[0], max(known[-1], known[0] + 1)
    round_numbers = [2**power for power in range(high.bit_length())]
    ticks = [tick for tick in [0, *round_numbers] if low <= tick <= high] or [low, high]
    if len(ticks) <= 4:
        ticks += [tick for power in range(1, high.bit_length()) if low <= (tick := 3 * 2 ** (power - 1)) <= high]
    left, right = size_position(low), size_position(high)
    margin = 0.03 * (right - left) + 0.02
    return {
        "title": {"text": "hidden neurons"},
        "tickvals": [size_position(tick) for tick in ticks],
        "ticktext": [f"{tick:,}" for tick in ticks],
        "range": [left - margin - LABEL_SHARE * (right - left), right + margin],
    }


@dataclass(frozen=True)
class AccuracyAxis:
    """An axis of accuracies, spread towards 100 %.

    Attributes:
        low: The lowest accuracy shown.
        high: The highest accuracy shown.
        least_error: Drawn in place of no error at all, which would lie infinitely high.
    """

    low: float
    high: float
    least_error: float

    @classmethod
    def over(cls, accuracies: Iterable[float]) -> "AccuracyAxis":
        """Make the axis that shows all of these; NaN is ignored, nothing at all shows 0 to 90 %."""
        known = [accuracy for accuracy in accuracies if math.isfinite(accuracy)] or [0.0, 0.9]
        errors = [1.0 - accuracy for accuracy in known if accuracy < 1.0]
        return cls(min(known), max(known), min([0.1, *errors]) / 2)

    def position(self, accuracy: float) -> float:
        """Place an accuracy along this axis."""
        return -math.log10(max(1.0 - accuracy, self.least_error))

    def layout(self, title: str) -> dict[str, Any]:
        """Return Plotly's settings of this axis."""
        bottom, top = self.position(self.low), self.position(self.high)
        margin = 0.05 * (top - bottom) + 0.02
        ticks = self._ticks(ACCURACY_TICKS, bottom - margin, top + margin)
        if len(ticks) <= 3:
            ticks = self._ticks([*ACCURACY_TICKS, *FINE_TICKS], bottom - margin, top + margin)
        if self.high >= 1.0:
            ticks.append(1.0)
        return {
            "title": {"text": title},
            "tickvals": [self.position(tick) for tick in ticks],
            "ticktext": [short_percent(tick) for tick in ticks],
            "range": [bottom - margin, top + margin],
        }

    def _ticks(self, accuracies: Iterable[float], bottom: float, top: float) -> list[float]:
        """Choose those between two positions that can be told from 100 %; of two that are too near, the first."""
        chosen: list[float] = []
        for accuracy in accuracies:
            place, apart = self.position(accuracy), TICK_SHARE * (top - bottom)
            if 1.0 - accuracy <= self.least_error or not bottom <= place <= top:
                continue
            if all(abs(place - self.position(other)) >= apart for other in chosen):
                chosen.append(accuracy)
        return sorted(chosen)


def target_lines(figure: go.Figure, axis: AccuracyAxis, targets: Iterable[tuple[float, str]]) -> None:
    """Draw each target accuracy as a dashed line, labelled at the left, where axes leave room for it."""
    for accuracy, label in targets:
        height = axis.position(accuracy)
        level_line(figure, height)
        figure.add_annotation(
            text=label,
            xref="paper",
            x=0.005,
            xanchor="left",
            y=height,
            yanchor="bottom",
            showarrow=False,
            font={"size": 12, "color": MUTED},
            bgcolor=VEIL,
            borderpad=1,
        )


def level_line(figure: go.Figure, height: float) -> None:
    """Draw a dashed line across the figure, over the grid and under the data."""
    line = {"color": LEVEL, "width": 1.2, "dash": "5px,4px"}
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=height, y1=height, line=line, layer="between")


def finish(figure: go.Figure, finding: str, shown: str = "", *, empty: str | None = None) -> go.Figure:
    """Give a figure its title and the common template.

    Args:
        figure: With its marks and axes.
        finding: What was found, as a sentence without a full stop: the title.
        shown: What is drawn: the subtitle; may be left out where the title says it.
        empty: Said in the middle where there is nothing to draw.
    """
    figure.update_layout(template=_TEMPLATE, title={"text": finding, "subtitle": {"text": shown}})
    wrap_title(figure, TITLE_COLUMNS)
    if empty is not None:
        figure.update_layout(xaxis={"visible": False}, yaxis={"visible": False})
        figure.add_annotation(
            text=empty,
            xref="paper",
            yref="paper",
            x=0.5,
            y=0.5,
            showarrow=False,
            font={"size": 16, "color": MUTED},
        )
    return figure


def finding_of(figure: go.Figure) -> str:
    """Return the title that `finish` gave a figure, on one line."""
    return str(figure.layout.title.text).replace("<br>", " ")


def wrap_title(figure: go.Figure, columns: int) -> None:
    """Wrap a figure's title and subtitle, which Plotly does not.

    Args:
        figure: From `finish`.
        columns: Characters of the title that fit beside each other; the subtitle is smaller.
    """
    shown = str(figure.layout.title.subtitle.text).replace("<br>", " ")
    title = textwrap.wrap(finding_of(figure), columns, break_on_hyphens=False)
    subtitle = textwrap.wrap(shown, columns * 4 // 3, break_on_hyphens=False)
    figure.update_layout(
        title={
            "text": "<br>".join(title),
            "subtitle": {"text": "<br>".join(subtitle)},
            # Plotly puts the middle of a title where it puts that of a single line.
            "pad": {"t": 18 + 11 * (len(title) - 1)},
        },
        margin={"t": 48 + 22 * len(title) + 16 * len(subtitle)},
    )


_AXIS: Final = {
    "gridcolor": GRID,
    "linecolor": FAINT,
    "tickcolor": FAINT,
    "ticks": "outside",
    "ticklen": 5,
    "showline": True,
    "zeroline": False,
    "title": {"standoff": 12, "font": {"size": 13, "color": MUTED}},
    "tickfont": {"size": 12, "color": MUTED},
}

_TEMPLATE: Final = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": INK},
        "title": {
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "font": {"size": 17},
            "subtitle": {"font": {"size": 13, "color": MUTED}},
        },
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "xaxis": _AXIS,
        "yaxis": {**_AXIS, "automargin": True},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": -0.2,
            "yanchor": "top",
            "font": {"size": 12},
            "itemsizing": "constant",
            "bgcolor": "rgba(0,0,0,0)",
        },
        "margin": {"l": 64, "r": 24, "t": 60, "b": 56},
        "height": 460,
        "hoverlabel": {
            "bgcolor": PAPER,
            "bordercolor": FAINT,
            "font": {"family": FONT, "size": 12, "color": INK},
        },
        "hovermode": "closest",
        "bargap": 0,
        "modebar": {
            "remove": ["lasso2d", "select2d", "autoScale2d"],
            "color": FAINT,
            "activecolor": MUTED,
            "bgcolor": "rgba(0,0,0,0)",
        },
    }
)
