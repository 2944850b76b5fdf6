"""Progress of a search on stderr: a bar where the terminal can redraw one, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from fewest.dashboards.console import say
from fewest.search.listener import Progress as Standing

__all__ = ["duration", "following"]

SECONDS_BETWEEN_LINES = 10.0
"""Least seconds between two plain lines, except that ended trials always get one."""

Show = Callable[[Standing], None]


@contextmanager
def following(console: Console, *, quiet: bool) -> Iterator[Show]:
    """Yield a function that shows a search's progress; finish the drawing on leaving.

    Args:
        console: Console to draw on: a bar if its terminal can redraw one, lines otherwise.
        quiet: Whether to draw nothing.
    """
    if quiet:
        yield lambda standing: None
    elif console.is_interactive:
        with _bar(console) as bar:
            yield _on_bar(bar)
    else:
        yield _in_lines(console, time.monotonic)


def describe(standing: Standing) -> str:
    """Describe a study's progress in a line.

    >>> describe(Standing("search", 70, 500, 16, 4, 15, 40, 1, [(0, 0.921), (8, 0.9132)]))
    'search: 70 of 500 networks (40 pruned, 1 failed), 16 training, epoch 5 of 15; validation front 0: 0.921, 8: 0.913'
    >>> describe(Standing("verification", 70, 136, 66, 4, 15))
    'verification: 70 of 136 networks, 66 training, epoch 5 of 15'
    >>> describe(Standing("verification", 70, 136, 66, 4, 15, seconds_left=100.0))
    'verification: 70 of 136 networks, 66 training, epoch 5 of 15; about 2 min left'
    """
    line = (
        f"{standing.stage}: {standing.n_finished} of {standing.n_networks} networks{_ended(standing)}, "
        f"{standing.n_training} training, epoch {standing.epoch + 1} of {standing.n_epochs}"
    )
    left = "" if standing.seconds_left is None else f"; {duration(standing.seconds_left)} left"
    return f"{line}{left}" + (f"; validation front {_front(standing.front)}" if standing.front else "")


def duration(seconds: float) -> str:
    """Say about how long something takes, to about a tenth.

    >>> [duration(seconds) for seconds in (0.0, 12.0, 83.0, 100.0, 3_500.0, 6_000.0, 300_000.0)]
    ['about 5 s', 'about 10 s', 'about 80 s', 'about 2 min', 'about 58 min', 'about 1.7 h', 'about 83 h']
    """
    if seconds < 90:
        return f"about {max(5, 10 * round(seconds / 10))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    hours = seconds / 3600
    return f"about {hours:.1f} h" if hours < 10 else f"about {hours:.0f} h"


def _ended(standing: Standing) -> str:
    ends = {"pruned": standing.n_pruned, "failed": standing.n_failed}
    told = ", ".join(f"{count} {end}" for end, count in ends.items() if count)
    return f" ({told})" if told else ""


def _front(front: Sequence[tuple[int, float]], most: int = 5) -> str:
    """Write sizes and validation accuracies of at most `most` points of the front: its ends, and some between."""
    if len(front) > most:
        front = [front[round(k * (len(front) - 1) / (most - 1))] for k in range(most)]
    return ", ".join(f"{size}: {accuracy:.3f}" for size, accuracy in front)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        TextColumn("{task.fields[more]}", markup=False),
        console=console,
    )


def _on_bar(bar: Progress) -> Show:
    tasks: dict[str, TaskID] = {}

    def show(standing: Standing) -> None:
        if standing.stage not in tasks:
            tasks[standing.stage] = bar.add_task(standing.stage, total=None, more="", left="")
        front = f"validation front {_front(standing.front, most=3)}" if standing.front else ""
        bar.update(
            tasks[standing.stage],
            total=standing.n_networks,
            completed=standing.n_finished,
            more=f"{_ended(standing)} {front}".strip(),
            left="" if standing.seconds_left is None else f"{duration(standing.seconds_left)} left",
        )

    return show


def _in_lines(console: Console, clock: Callable[[], float]) -> Show:
    shown_at, shown_finished = float("-inf"), -1

    def show(standing: Standing) -> None:
        nonlocal shown_at, shown_finished
        if standing.n_finished == shown_finished and clock() - shown_at < SECONDS_BETWEEN_LINES:
            return
        shown_at, shown_finished = clock(), standing.n_finished
        say(console, describe(standing))

    return show
