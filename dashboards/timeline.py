"""Which worker trained which trials, and when: a bar for each cohort, a row for each worker.

Verification's networks have no times in the storage, so the figure is of the search.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import plotly.graph_objects as go

from fewest.dashboards.colours import BLUE, PAPER
from fewest.dashboards.elapsed import duration, seconds_worked, time_axis
from fewest.dashboards.style import drawn_of, finish, thinned, whole_percent
from fewest.search.answers.wording import plural
from fewest.storage.trials.records import TrialRecord

__all__ = ["plot_timeline", "timeline_info"]

MAX_BARS: Final = 1_000
"""Most cohorts drawn."""

_ROW_PIXELS: Final = 34
_BESIDE_ROWS_PIXELS: Final = 230


class CohortBar(NamedTuple):
    """The trials of a cohort that one worker ended."""

    worker: int
    """Counted from 1, in the order in which workers began."""
    first: int
    """The lowest number of a trial in it."""
    last: int
    n_trials: int
    start: float
    """Seconds worked before the first of them began; see `fewest.dashboards.elapsed`."""
    end: float
    """Seconds worked before the last of them ended."""


@dataclass(frozen=True)
class TimelineInfo:
    """What the figure shows.

    Attributes:
        bars: Cohorts by start.
        workers: The workers' names in the storage, in the order of their numbers; "" where the storage has none.
        seconds: Worked in all.
    """

    bars: tuple[CohortBar, ...]
    workers: tuple[str, ...]
    seconds: float

    @property
    def busy(self) -> float:
        """Share of all workers' time in which they trained, in 0..1; a worker's time is that of the whole search."""
        return sum(_union(self.bars, number) for number in self._numbers) / (len(self.workers) * self.seconds or 1.0)

    @property
    def finding(self) -> str:
        """Say how many workers trained for how long, and how busy they were."""
        n_trials = sum(bar.n_trials for bar in self.bars)
        trained = f"{plural(len(self.workers), 'worker')} trained {plural(n_trials, 'network')}"
        return f"{trained} in {duration(self.seconds)}, busy {whole_percent(min(1.0, self.busy))} of the time"

    @property
    def _numbers(self) -> range:
        return range(1, len(self.workers) + 1)


def timeline_info(trials: Sequence[TrialRecord]) -> TimelineInfo:
    """Gather what the figure shows of a study.

    Args:
        trials: The study's trials, in any order; those that ended and whose times are known count. Trials of
            versions that did not store their worker share a row.
    """
    ended = [trial for trial in trials if trial.started and trial.completed and trial.state != "waiting"]
    ended.sort(key=lambda trial: (trial.started, trial.number))
    workers = tuple(dict.fromkeys(trial.worker or "" for trial in ended))
    position = seconds_worked(ended)
    cohorts: dict[tuple[str, int], list[TrialRecord]] = {}
    for trial in ended:
        key = (trial.worker or "", trial.number if trial.cohort is None else trial.cohort)
        cohorts.setdefault(key, []).append(trial)
    bars = [
        CohortBar(
            workers.index(worker) + 1,
            min(trial.number for trial in cohort),
            max(trial.number for trial in cohort),
            len(cohort),
            min(position(trial.started) for trial in cohort if trial.started),
            max(position(trial.completed) for trial in cohort if trial.completed),
        )
        for (worker, _), cohort in cohorts.items()
    ]
    return TimelineInfo(tuple(bars), workers, max((bar.end for bar in bars), default=0.0))


def plot_timeline(trials: Sequence[TrialRecord]) -> go.Figure:
    """Draw `timeline_info`, which takes the same argument."""
    info = timeline_info(trials)
    figure = go.Figure()
    shown = "Cohorts that each worker trained in the search; a bar runs from a cohort's start to its end"
    if not info.bars:
        return finish(figure, "No network has ended", shown, empty="No trial has ended yet.")
    unit, axis = time_axis(info.seconds, "time of the search, long pauses left out")
    bars = thinned(info.bars, MAX_BARS)
    figure.add_bar(
        base=[bar.start / unit for bar in bars],
        x=[(bar.end - bar.start) / unit for bar in bars],
        y=[f"worker {bar.worker}" for bar in bars],
        orientation="h",
        width=0.7,
        name=drawn_of("cohort", len(bars), len(info.bars)),
        showlegend=len(bars) < len(info.bars),
        marker={"color": BLUE, "opacity": 0.75, "line": {"color": PAPER, "width": 1}},
        hovertext=[_hover(bar, info) for bar in bars],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    figure.update_xaxes(axis)
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=[f"worker {number}" for number in reversed(range(1, len(info.workers) + 1))],
        showgrid=False,
        ticks="",
    )
    figure.update_layout(barmode="overlay", height=_BESIDE_ROWS_PIXELS + _ROW_PIXELS * len(info.workers))
    return finish(figure, info.finding, shown)


def _union(bars: Sequence[CohortBar], worker: int) -> float:
    """Return the seconds in which a worker trained any cohort; cohorts that overlap count once."""
    seconds, end = 0.0, 0.0
    for bar in sorted((bar for bar in bars if bar.worker == worker), key=lambda bar: bar.start):
        seconds += max(0.0, bar.end - max(bar.start, end))
        end = max(end, bar.end)
    return seconds


def _hover(bar: CohortBar, info: TimelineInfo) -> str:
    name = info.workers[bar.worker - 1] or "unknown worker"
    which = f"trials {bar.first} to {bar.last}" if bar.last > bar.first else f"trial {bar.first}"
    took = f"{duration(bar.end - bar.start)}, begun after {duration(bar.start)}"
    return f"<b>{which}</b> ({plural(bar.n_trials, 'trial')})<br>{took}<br>{html.escape(name)}"
