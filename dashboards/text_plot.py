"""Plots made of characters, for terminals: the front, and one line for a learning curve."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from fewest.search.answers.front import FrontPoint
from fewest.search.answers.wording import short_percent

__all__ = ["front_plot", "sparkline"]

BARS: Final = "▁▂▃▄▅▆▇█"
PLAIN_BARS: Final = ".:-=+*#@"


class _Marks(NamedTuple):
    """The characters of a plot."""

    trial: str
    front: str
    level: str
    flat: str
    up: str
    corner: str
    axis: str


MARKS: Final = _Marks("·", "●", "┄", "─", "│", "┘", "┤")
PLAIN_MARKS: Final = _Marks(".", "o", "-", "_", "|", "_", "|")

LABEL_COLUMNS: Final = 7
LEAST_ERROR: Final = 1e-4


def front_plot(
    front: Sequence[FrontPoint],
    points: Iterable[FrontPoint],
    targets: Iterable[float],
    width: int,
    height: int,
    *,
    plain: bool = False,
) -> list[str]:
    """Plot the front and all complete trials: size to the right, validation accuracy upwards.

    The axes are those of the figures: `log2(size + 1)`, and the logarithm of the error.

    Args:
        front: The front, smallest first.
        points: All complete trials.
        targets: Target accuracies; those between the least and the highest accuracy of the front are drawn.
        width: Columns, labels included.
        height: Lines; the last one has the sizes.
        plain: Whether to use ASCII alone.

    Returns:
        Lines of at most `width` characters; none if there is no front, or no room.

    >>> front = [FrontPoint(0, 0, 0.5), FrontPoint(1, 3, 0.9), FrontPoint(2, 7, 0.95)]
    >>> for line in front_plot(front, front, [0.9], 30, 5):
    ...     print(line.rstrip())
      95 % ┤                     ●
      90 % ┤┄┄┄┄┄┄┄┄┄┄┄┄┄┄●──────┘
           ┤              │
      50 % ┤●─────────────┘
            0             3      7
    """
    columns, rows = width - LABEL_COLUMNS - 1, height - 1
    if not front or columns < 8 or rows < 2:
        return []
    axes = _Axes(columns, rows, front[0].accuracy, front[-1].accuracy, max(front[-1].size, 1))
    marks = PLAIN_MARKS if plain else MARKS
    grid = [[" "] * columns for _ in range(rows)]
    labels = {rows - 1: axes.low, 0: axes.high}
    for target in targets:
        if axes.low < target < axes.high:
            grid[axes.row(target)] = [marks.level] * columns
            labels[axes.row(target)] = target
    for point in points:
        if axes.low <= point.accuracy <= axes.high and point.size <= axes.largest:
            grid[axes.row(point.accuracy)][axes.column(point.size)] = marks.trial
    _draw_steps(grid, axes, front, marks)
    for point in front:
        grid[axes.row(point.accuracy)][axes.column(point.size)] = marks.front
    lines = [
        f"{_label(labels.get(place)):>{LABEL_COLUMNS}}{marks.axis}{''.join(cells)}" for place, cells in enumerate(grid)
    ]
    sizes = [(axes.column(point.size), str(point.size)) for point in front]
    return [*lines, " " * (LABEL_COLUMNS + 1) + _ticks(sizes, columns)]


class _Axes(NamedTuple):
    """Where sizes and accuracies lie on a grid of characters."""

    columns: int
    rows: int
    low: float
    high: float
    largest: int

    def column(self, size: int) -> int:
        return round((self.columns - 1) * math.log2(size + 1) / math.log2(self.largest + 1))

    def row(self, accuracy: float) -> int:
        span = _height(self.high) - _height(self.low)
        share = (_height(self.high) - _height(accuracy)) / span if span > 0 else 1.0
        return round((self.rows - 1) * share)


def _draw_steps(grid: list[list[str]], axes: _Axes, front: Sequence[FrontPoint], marks: _Marks) -> None:
    """Draw the best accuracy at each size: level to the next point's size, then up."""
    for point, following in pairwise(front):
        row, column, top = axes.row(point.accuracy), axes.column(following.size), axes.row(following.accuracy)
        for place in range(axes.column(point.size), column):
            grid[row][place] = marks.flat
        if top < row:
            grid[row][column] = marks.corner
        for place in range(top, row):
            grid[place][column] = marks.up


def sparkline(values: Sequence[float], width: int, *, plain: bool = False) -> str:
    """Draw a curve as one line of at most `width` bars; a longer one is thinned evenly, and NaN is a blank.

    >>> sparkline([0.1, 0.5, 0.8, 0.9, 0.91], 5), sparkline([0.1, 0.9], 5, plain=True), sparkline([], 5)
    ('▁▄▇██', '.@', '')
    >>> sparkline([0.1, 0.1, 0.2, 0.3, 0.4, 0.9], 3)
    '▁▂█'
    """
    bars = PLAIN_BARS if plain else BARS
    n = min(len(values), max(width, 0))
    shown = [values[(place + 1) * len(values) // n - 1] for place in range(n)]
    known = [value for value in shown if math.isfinite(value)]
    low, span = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)

    def bar(value: float) -> str:
        if not math.isfinite(value):
            return " "
        return bars[-1] if span == 0 else bars[min(int(len(bars) * (value - low) / span), len(bars) - 1)]

    return "".join(map(bar, shown))


def _height(accuracy: float) -> float:
    return -math.log10(max(1.0 - accuracy, LEAST_ERROR))


def _label(accuracy: float | None) -> str:
    return "" if accuracy is None else f"{short_percent(accuracy, 1)} "


def _ticks(ticks: Iterable[tuple[int, str]], columns: int) -> str:
    """Write the sizes under their marks, those that have room, and the largest in any case."""
    line = [" "] * columns
    free_to = columns
    for place, text in sorted(ticks, reverse=True):
        start = min(place, columns - len(text))
        if start >= 0 and start + len(text) < free_to + (free_to == columns):
            line[start : start + len(text)] = text
            free_to = start
    return "".join(line)
