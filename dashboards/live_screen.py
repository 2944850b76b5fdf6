"""The screen of `fewest watch`: a study's state as lines for a terminal. Pure; `live_state` reads the state.

Each part has a least and a most height. A small terminal shows the first parts, a large one more lines of each.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from fewest.dashboards.console import one_line
from fewest.dashboards.live_state import LiveState, RunningTrial, SeenWorker
from fewest.dashboards.text_plot import front_plot, sparkline
from fewest.search.answers.answer import Findings
from fewest.search.answers.front import smallest_reaching
from fewest.search.answers.wording import WORDING, interval_words, plural, scope_words, short_percent
from fewest.search.settings.files import command_on
from fewest.search.settings.space import describe

__all__ = ["screen"]

MOST_PLOT_COLUMNS: Final = 110
CURVE_COLUMNS: Final = 20
SOFTMAX: Final = "0 (0-0)"
"""The answer that no hidden neuron is needed."""

Line = tuple[str, str]
"""A line of text and its style."""


@dataclass(frozen=True, eq=False)
class _Part:
    """One part of the screen.

    Attributes:
        least: Lines that it needs to say anything.
        most: Lines that it can fill.
        lines: Writes it in so many lines.
    """

    least: int
    most: int
    lines: Callable[[int], Sequence[Line]]


def screen(
    state: LiveState, width: int, height: int, *, plain: bool = False, live: bool = True, storage: str = ""
) -> Text:
    """Write a study's state in at most `height` lines of at most `width` columns.

    Args:
        state: The study at one moment.
        width: Columns of the terminal, at least 1.
        height: Lines of the terminal, at least 1.
        plain: Whether to use ASCII alone.
        live: Whether the screen is kept up to date, and keys are listened to.
        storage: The option of a command that names the storage; see `storage_option`.
    """
    head = _wrapped([_opening(state, storage), _standing(state)], width)
    if state.trouble is not None:
        head += _wrapped([(state.trouble, "yellow")], width)
    foot: list[Line] = [(_farewell(state), "dim")] if live else []
    answers, workers = _part(_answer_lines(state), 5), _part(_worker_lines(state), 4)
    plot = _plot(state, width, plain)
    running, pruned = _part(_running_lines(state, plain), 3), _part(_pruned_lines(state, width), 3)
    given = _shares([answers, workers, plot, running, pruned], height - len(head) - len(foot))
    body = [line for part in (answers, plot, workers, running, pruned) for line in part.lines(given[part])]
    lines = [*head, *body, *foot][: max(height, 1)]
    return Text("\n").join([_cut(text, style, width, plain) for text, style in lines])


def _shares(parts: Sequence[_Part], room: int) -> dict[_Part, int]:
    """Give each part its least height as long as there is room, then share the rest out; the first parts come first."""
    given: dict[_Part, int] = {}
    for part in parts:
        given[part] = part.least if part.least <= room else 0
        room -= given[part]
    for part in parts:
        more = min(room, part.most - given[part]) if given[part] else 0
        given[part] += more
        room -= more
    return given


def _part(lines: Sequence[Line], least: int) -> _Part:
    """Make a part of a heading and as many lines as there is room for, but at least so many if there are as many."""
    return _Part(min(len(lines), least), len(lines), lambda height: lines[:height])


def _opening(state: LiveState, storage: str) -> Line:
    return f"{one_line(state.name)} on {one_line(state.dataset)}: {_stage(state, storage)}", "bold"


def _stage(state: LiveState, storage: str) -> str:
    """Say what the study is doing.

    Running trials without any worker belong to another program. Where nothing runs and a worker lives, it verifies.
    """
    alone = all(worker.is_gone for worker in state.workers)
    if state.finished:
        return "finished"
    if state.counts.get("running", 0) and not (state.workers and alone):
        return f"searching{_left(state)}"
    if not alone:
        return f"verifying{_left(state)}"
    return f"nobody works on it; `{command_on('resume', state.name, storage)}` goes on"


def _left(state: LiveState) -> str:
    """Say about how long the study still takes; nothing where that is not known, or more than was expected."""
    least, most = map(_duration, state.seconds_left or (0.0, 0.0))
    if most == _duration(0.0):
        return ""
    return f", about {most} left" if least == most else f", about {least} to {most} left"


def _standing(state: LiveState) -> Line:
    counts = state.counts
    ends = {"pruned": counts.get("pruned", 0), "failed": counts.get("fail", 0)}
    ended = sum(ends.values()) + counts.get("complete", 0)
    said = ", ".join(f"{count} {end}" for end, count in ends.items() if count)
    parts = [f"{ended} of {state.n_trials} networks searched{f' ({said})' if said else ''}"]
    parts += [f"{counts[name]} {name}" for name in ("running", "waiting") if counts.get(name, 0)]
    if state.n_verified:
        parts.append(f"{state.n_verified} verified")
    return ", ".join(parts), ""


def _farewell(state: LiveState) -> str:
    return "Nothing is left to do. q or Ctrl-C leaves." if state.finished else "q or Ctrl-C leaves; the study goes on."


def _answer_lines(state: LiveState) -> list[Line]:
    if not state.answers:
        lines = [_heading("fewest so far, by validation accuracy")]
        for target in state.targets:
            point = smallest_reaching(state.front, target)
            found = "not reached yet" if point is None else plural(point.size, "neuron")
            lines.append((f"  {short_percent(target):>7}  {found}", ""))
        return lines
    lines = [_heading(f"fewest hidden neurons, by test accuracy (95 % interval {scope_words(state.shares_split)})")]
    for answer in state.answers:
        lines.append((f"  {short_percent(answer.accuracy):>7}  {_found(answer.overall)}", ""))
        if unseen := _unseen(answer.overall):
            lines.append((f"           for new samples {unseen}", ""))
        if str(answer.overall["typical"]) == SOFTMAX and 1 in answer.by_depth:
            lines.append((f"           with one hidden layer {_found(answer.by_depth[1])}", ""))
    return lines


def _found(findings: Findings) -> str:
    return ", ".join(f"{findings[name]} {words.adverb}" for name, words in WORDING.items())


def _unseen(findings: Findings) -> str:
    """Write the intervals for new samples; empty where none is known."""
    known = ((findings[name].new_samples, words.adverb) for name, words in WORDING.items())
    return ", ".join(f"{interval_words(interval)} {adverb}" for interval, adverb in known if interval is not None)


def _plot(state: LiveState, width: int, plain: bool) -> _Part:
    columns = min(width, MOST_PLOT_COLUMNS)

    def lines(height: int) -> list[Line]:
        drawn = front_plot(state.front, state.points, state.targets, columns, height - 1, plain=plain)
        title = "front: validation accuracy by hidden neurons"
        return [_heading(title), *((line, "cyan") for line in drawn)] if drawn else []

    return _Part(7, 14, lines) if lines(7) else _part([], 0)


def _worker_lines(state: LiveState) -> list[Line]:
    if not state.workers:
        return []
    return [_heading("workers"), *map(_worker_line, state.workers)]


def _worker_line(worker: SeenWorker) -> Line:
    record, silent = worker.record, f"{worker.silent_seconds:.0f} s"
    holds = f"{plural(record.n_running, 'trial')}" if record.n_running else "no trial"
    if record.process == "gone":
        said, style = "its process has ended; another worker may take its trials", "red"
    elif record.process == "stopped":
        said, style = f"stopped, silent for {silent}", "yellow"
    elif worker.is_gone:
        said, style = f"silent for {silent}; another worker may take its trials", "red"
    elif worker.heard:
        said, style = f"last heartbeat {silent} ago", "green"
    else:
        said, style = f"no heartbeat seen yet in {silent}", ""
    return f"  {one_line(record.host)} process {record.pid}: {holds}, {said}", style


def _running_lines(state: LiveState, plain: bool) -> list[Line]:
    if not state.running:
        return []
    n_running = state.counts.get("running", 0)
    heading = _heading(f"in training: {plural(n_running, 'network')}, the newest first")
    return [heading, *((_running_line(trial, state.n_epochs, plain), "") for trial in state.running)]


def _running_line(trial: RunningTrial, n_epochs: int, plain: bool) -> str:
    at = f"epoch {len(trial.accuracies)} of {n_epochs}"
    last = f"{trial.accuracies[-1]:.4f}" if trial.accuracies else ""
    curve = sparkline(trial.accuracies, CURVE_COLUMNS, plain=plain)
    return f"  trial {trial.number:<5} {describe(trial.widths):<12} {at:<17} {last:<6} {curve}"


def _pruned_lines(state: LiveState, width: int) -> list[Line]:
    lines: list[Line] = []
    for trial in state.pruned:
        said = f"trial {trial.number} ({describe(trial.widths or ())}): {one_line(trial.reason or 'no reason kept')}"
        wrapped = textwrap.wrap(said, max(width, 20), initial_indent="  ", subsequent_indent="    ")
        lines += [(line, "") for line in wrapped]
    return [_heading("pruned last"), *lines] if lines else []


def _heading(text: str) -> Line:
    return text, "bold blue"


def _wrapped(lines: Sequence[Line], width: int) -> list[Line]:
    return [(part, style) for text, style in lines for part in textwrap.wrap(one_line(text), max(width, 10)) or [""]]


def _cut(text: str, style: str, width: int, plain: bool) -> Text:
    line = Text(text, style=style, no_wrap=True, end="")
    line.truncate(max(width, 1), overflow="crop" if plain else "ellipsis")
    return line


def _duration(seconds: float) -> str:
    """Write about how long something takes.

    >>> _duration(42.4), _duration(200), _duration(7500)
    ('42 s', '3 min', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
