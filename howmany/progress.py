"""What is shown while a search runs: a bar on a terminal, plain lines elsewhere. Everything goes to stderr."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from search.loop import Progress as Standing

__all__ = ["following"]

SECONDS_BETWEEN_LINES = 10.0
"""Plain lines come no more often than this, but for one whenever trials ended."""

Show = Callable[[Standing], None]


@contextmanager
def following(console: Console, *, quiet: bool) -> Iterator[Show]:
    """Gives a function that shows where a search stands; what it drew is finished on leaving.

    Args:
        console: Where to draw: a bar if it is a terminal, lines otherwise.
        quiet: Draw nothing.
    """
    if quiet:
        yield lambda standing: None
    elif console.is_terminal:
        with _bar(console) as bar:
            yield _on_bar(bar)
    else:
        yield _in_lines(console, time.monotonic)


def describe(standing: Standing) -> str:
    """Where a search stands, in a line.

    >>> describe(Standing(70, 40, 1, 500, 16, 4, 15, [(0, 0.921), (8, 0.9132), (16, 0.947)]))
    '70 of 500 networks (40 pruned, 1 failed), 16 training, epoch 5 of 15; front 0: 0.921, 8: 0.913, 16: 0.947'
    """
    return (
        f"{standing.n_finished} of {standing.n_trials} networks ({_ended(standing)}), {standing.n_training} training, "
        f"epoch {standing.epoch + 1} of {standing.n_epochs}; front {_front(standing.front)}"
    )


def _ended(standing: Standing) -> str:
    failed = f", {standing.n_failed} failed" if standing.n_failed else ""
    return f"{standing.n_pruned} pruned{failed}"


def _front(front: Sequence[tuple[int, float]], most: int = 5) -> str:
    """The front's ends and what lies evenly between them; sizes with validation accuracies."""
    if len(front) > most:
        front = [front[round(k * (len(front) - 1) / (most - 1))] for k in range(most)]
    return ", ".join(f"{size}: {accuracy:.3f}" for size, accuracy in front) or "empty so far"


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("networks"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[ended]} · {task.fields[front]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _on_bar(bar: Progress) -> Show:
    task = bar.add_task("", total=None, ended="", front="")

    def show(standing: Standing) -> None:
        bar.update(
            task,
            total=standing.n_trials,
            completed=standing.n_finished,
            ended=_ended(standing),
            front=f"front {_front(standing.front, most=3)}",
        )

    return show


def _in_lines(console: Console, clock: Callable[[], float]) -> Show:
    shown_at, shown_finished = float("-inf"), -1

    def show(standing: Standing) -> None:
        nonlocal shown_at, shown_finished
        if standing.n_finished == shown_finished and clock() - shown_at < SECONDS_BETWEEN_LINES:
            return
        shown_at, shown_finished = clock(), standing.n_finished
        console.print(describe(standing), soft_wrap=True, highlight=False, markup=False)

    return show
