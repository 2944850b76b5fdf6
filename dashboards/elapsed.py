"""The time in which a study was worked on: seconds since its first trial began, without long pauses.

A study may stop overnight and go on. Pauses in which no trial ran are left out where they are long, so that a figure
shows work; short ones, between two cohorts, count.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from fewest.storage.trials.records import TrialRecord

__all__ = ["duration", "seconds_worked", "time_axis"]

LONGEST_PAUSE_SECONDS: Final = 60.0
"""Longer without a running trial is a pause, and left out."""

_UNITS: Final = ((2 * 3600.0, 3600.0, "hours"), (2 * 60.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
"""The shortest time that each unit is for, its seconds, its name."""


class _Span(NamedTuple):
    """A stretch of work without a long pause."""

    start: datetime
    end: datetime
    before: float
    """Seconds worked before it."""


def seconds_worked(trials: Iterable[TrialRecord]) -> Callable[[datetime], float]:
    """Return the function from a moment to the seconds worked before it.

    Args:
        trials: A study's trials; those that have not ended, or whose times are unknown, are ignored.

    Returns:
        A function that never falls; 0 before the first trial, all seconds worked after the last.
    """
    known = sorted(
        (trial.started, max(trial.started, trial.completed)) for trial in trials if trial.started and trial.completed
    )
    spans: list[_Span] = []
    for start, end in known:
        last = spans[-1] if spans else _Span(start, start, 0.0)
        if (start - last.end).total_seconds() <= LONGEST_PAUSE_SECONDS:
            spans[-1:] = [_Span(last.start, max(last.end, end), last.before)]
        else:
            spans.append(_Span(start, end, last.before + (last.end - last.start).total_seconds()))

    def position(moment: datetime) -> float:
        span = next((span for span in reversed(spans) if span.start <= moment), None)
        return 0.0 if span is None else span.before + (min(moment, span.end) - span.start).total_seconds()

    return position


def time_axis(seconds: float, title: str) -> tuple[float, dict[str, Any]]:
    """Choose the unit of an axis of time.

    Args:
        seconds: The longest time shown.
        title: What the time is; the unit is added in brackets.

    Returns:
        Seconds of the unit, and Plotly's settings of the axis.

    >>> time_axis(90, "time"), time_axis(7300, "time")[0]
    ((1.0, {'title': {'text': 'time (seconds)'}, 'rangemode': 'tozero'}), 3600.0)
    """
    unit_seconds, unit = next((each, name) for least, each, name in _UNITS if seconds >= least)
    return unit_seconds, {"title": {"text": f"{title} ({unit})"}, "rangemode": "tozero"}


def duration(seconds: float) -> str:
    """Write seconds as people say them.

    >>> duration(9.25), duration(90), duration(7300)
    ('9.2 s', '1 min 30 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
