"""A study's report: one HTML file that opens offline, with all figures, their making and how to repeat them.

`ReportData` holds plain values; gathering them from a storage is the caller's. Every accuracy says whether it
was measured on validation samples, during the search, or on the sealed test set.
"""

import contextlib
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from fewest.dashboards.curves import plot_curves
from fewest.dashboards.depth import plot_depth
from fewest.dashboards.front import plot_front
from fewest.dashboards.page import Markup, columns, escaped, figure, folded, page, paragraph, section, table
from fewest.dashboards.pruning import plot_pruning, pruning_info
from fewest.dashboards.seeds import agreement, plot_seeds
from fewest.dashboards.style import depth_label, percent, plural, short_percent
from fewest.search.answers.front import Size
from fewest.search.settings.space import describe
from fewest.storage.errors import FewestError
from fewest.storage.trials.records import CurvePoint, TrialRecord, VerifiedNetwork

__all__ = ["ReportData", "ReportError", "render_report", "write_report"]

CLAIMS: Final = {
    "typical": ("typically", "the median seed reaches it"),
    "reliable": ("to be safe", "at least 90 % of seeds reach it"),
    "possible": ("with luck", "one seed in twenty reaches it"),
}
"""The three answers to a target: how each is put, and what it means; `fewest.search.answers.answer` derives them."""

NOT_VERIFIED: Final = "not yet verified"


class ReportError(FewestError, OSError):
    """The report cannot be written where it was asked for."""


@dataclass(frozen=True)
class ReportData:
    """All that a report shows.

    Attributes:
        study: The study's name.
        answer: The object that `fewest answer --format json` prints; what verification fills may be None.
        settings: The study's settings, nested as in a study file.
        trials: All its trials.
        curves: Learning curves by `trial_id`.
        command: What repeats the study, as typed in a shell; by default `fewest run` with the study's name.
        verified: Networks scored on the test set; empty before verification.
        environment: What the study ran on, by what to call it, e.g. `{"Python": "3.11.2"}`.
        samples: How many samples each set has, by its name: training, validation, test.
        generated: When the report was made, with its time zone; None leaves it out.
    """

    study: str
    answer: Mapping[str, Any]
    settings: Mapping[str, Any]
    trials: Sequence[TrialRecord]
    curves: Mapping[int, Sequence[CurvePoint]] = field(repr=False)
    command: str = ""
    verified: Sequence[VerifiedNetwork] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    generated: datetime | None = None

    @property
    def targets(self) -> list[float]:
        """Accuracies asked for."""
        return [target["accuracy"] for target in self.answer["targets"]]

    @property
    def size(self) -> Size:
        """What the study minimises."""
        return "parameters" if self.settings.get("space", {}).get("size") == "parameters" else "neurons"

    @property
    def max_epochs(self) -> int:
        """Epochs of a training that nothing cuts short."""
        given = self.answer["protocol"].get("epochs")
        return int(given or max((trial.epochs or 0 for trial in self.trials), default=0))


def write_report(path: str | os.PathLike[str], report: ReportData) -> None:
    """Writes the report as one file, whole or not at all; a report that was there is replaced.

    Raises:
        ReportError: The file cannot be written.
    """
    target = Path(path).expanduser().resolve()
    text = render_report(report)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise ReportError(
            f"The report must go to a file that can be written, got '{path}' ({error.strerror or error}). "
            "Name another with `--output`."
        ) from error


def render_report(report: ReportData) -> str:
    """The report as HTML."""
    return page(
        f"How many neurons? {report.study}",
        _heading(report),
        [
            _answer(report),
            _front(report),
            *([_seeds(report)] if report.verified else []),
            _depth(report),
            _curves(report),
            _pruning(report),
            _how(report),
            _repeat(report),
            Markup("<footer>Made by fewest. This file is complete: it loads nothing from anywhere.</footer>"),
        ],
        get_plotlyjs(),
    )


# The question and the answer


def _heading(report: ReportData) -> list[Markup]:
    what = "parameters" if report.size == "parameters" else "hidden neurons"
    targets = _enumerated([short_percent(target) for target in report.targets])
    made = f", report of {report.generated:%d %B %Y, %H:%M %Z}" if report.generated else ""
    return [
        Markup("<h1>How many neurons?</h1>"),
        paragraph(
            f"How many {what} does a network need to reach an accuracy of {targets} "
            f"on {report.answer['dataset']}, with its {report.answer['classes']:,} classes?"
        ),
        paragraph(f"Study “{report.study}”{made}", "muted"),
    ]


def _answer(report: ReportData) -> Markup:
    cards = [_card(target, report) for target in report.answer["targets"]]
    by_depth = list(_by_depth_rows(report.answer["targets"]))
    headings = ["test accuracy", "depth", *(f"neurons {adverb}" for adverb, _ in CLAIMS.values())]
    return section(
        "The answer",
        Markup(f'<div class="answers">\n{"".join(cards)}\n</div>'),
        paragraph(_effort(report)),
        *([Markup("<h3>By number of hidden layers</h3>"), table(headings, by_depth)] if by_depth else []),
    )


def _effort(report: ReportData) -> str:
    """What the answer rests on, in a few sentences."""
    answer, trials = report.answer, report.answer["trials"]
    n_verified = len(report.verified)
    searched = (
        f"The search trained {plural(answer['networks_trained'] - n_verified, 'network')}: "
        f"{trials['complete']:,} complete, {trials['pruned']:,} pruned, {trials['failed']:,} failed. "
    )
    spent = f"{plural(answer['epochs_trained'], 'epoch')} in {_duration(answer['seconds'])} of training"
    if n_verified:
        return searched + (
            f"Verification trained {plural(n_verified, 'network')} more and scored each once on the sealed test set; "
            f"together {spent}. Sizes in brackets are 95 % intervals of the size itself."
        )
    return searched + (
        f"That took {spent}. Sizes are those of single networks by their validation accuracy; they are not yet "
        "verified on the test set."
    )


def _card(target: Mapping[str, Any], report: ReportData) -> Markup:
    heading = f"{short_percent(target['accuracy'])} test accuracy"
    if not report.verified:
        return _card_before_verification(target["accuracy"], report)
    typical, others = target["typical"], [_claim_line(target, claim) for claim in CLAIMS if claim != "typical"]
    if typical is None:
        return _box(heading, _why_not(target, "typical"), ["typically", *others], settled=False)
    lines = [
        f"typically ({_interval(typical)}), {_layers(typical['widths'])}: "
        f"test accuracy {percent(typical['test_accuracy'])} over {plural(typical['seeds'], 'seed')}",
        *others,
    ]
    one_layer = target["by_depth"].get("1", {}).get("typical")
    if typical["neurons"] == 0 and one_layer is not None:
        lines.append(f"with one hidden layer {one_layer['neurons']:,} typically ({_interval(one_layer)})")
    return _box(heading, plural(typical["neurons"], "neuron"), lines, settled=True)


def _claim_line(target: Mapping[str, Any], claim: str) -> str:
    """One of the answers beside the typical one."""
    found, (adverb, meaning) = target[claim], CLAIMS[claim]
    if found is None:
        return f"{adverb}: {_why_not(target, claim)}"
    return f"{found['neurons']:,} {adverb} ({_interval(found)}): {meaning}"


def _card_before_verification(accuracy: float, report: ReportData) -> Markup:
    heading = f"{short_percent(accuracy)} validation accuracy"
    reaching = [member for member in report.answer["front"] if member["validation_accuracy"] >= accuracy]
    if not reaching:
        return _box(heading, "not reached", ["No network of the search reached it."], settled=False)
    least = min(reaching, key=lambda member: (member[report.size], member["trial"]))
    by_parameters = report.size == "parameters"
    lines = [
        f"{_layers(least['widths'])}, trial {least['trial']}: "
        f"validation accuracy {percent(least['validation_accuracy'])}",
        f"test accuracy: {NOT_VERIFIED}",
    ]
    number = plural(least[report.size], "parameter" if by_parameters else "neuron")
    return _box(heading, number, lines, settled=False)


def _box(heading: str, number: str, lines: Iterable[str], *, settled: bool) -> Markup:
    return Markup(
        f'<div class="answer{"" if settled else " open"}"><h3>{escaped(heading)}</h3>'
        f'<div class="figure">{escaped(number)}</div>{"".join(map(paragraph, lines))}</div>'
    )


def _by_depth_rows(targets: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    for target in targets:
        opening = short_percent(target["accuracy"])
        for depth, answers in sorted(target["by_depth"].items(), key=lambda item: int(item[0])):
            cells = [
                f"{answers[claim]['neurons']:,} ({_interval(answers[claim])})"
                if answers[claim]
                else _why_not(answers, claim)
                for claim in CLAIMS
            ]
            yield [opening, depth_label(int(depth)).replace(" ", "\N{NO-BREAK SPACE}"), *cells]
            opening = ""


def _why_not(answers: Mapping[str, Any], claim: str) -> str:
    """The reason that an answer is null, where one is given."""
    return str(answers.get("unanswered", {}).get(claim, "not shown"))


def _layers(widths: Sequence[int]) -> str:
    """An architecture in words.

    >>> _layers([]), _layers([13]), _layers([12, 8])
    ('softmax alone', 'one layer of 13', 'layers of 12 and 8')
    """
    if not widths:
        return "softmax alone"
    return f"one layer of {widths[0]}" if len(widths) == 1 else f"layers of {_enumerated(list(map(str, widths)))}"


def _interval(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{low:,} to {high:,}"


# The figures


def _front(report: ReportData) -> Markup:
    return section(
        "The front",
        figure(
            _drawn(plot_front(report.trials, report.curves, report.targets, report.size)),
            "Validation accuracy of every trial. Along the line no smaller network was as accurate; where "
            "it crosses a dashed target is the smallest size that reached it. Point at a mark for its layers "
            "and seed.",
        ),
        _front_table(report.answer["front"]),
    )


def _front_table(front: Sequence[Mapping[str, Any]]) -> Markup:
    if not front:
        return paragraph("No trial is complete yet.", "muted")
    rows = [
        [
            f"{member['neurons']:,}",
            f"{member['parameters']:,}",
            describe(tuple(member["widths"])),
            member["trial"],
            percent(member["validation_accuracy"]),
            *_test_cells(member["test_accuracy"]),
        ]
        for member in front
    ]
    headings = ["neurons", "parameters", "hidden layers", "trial", "validation accuracy", "test accuracy"]
    return table([*headings, "lowest to highest", "seeds"], rows, numbers=(0, 1, 3, 4, 5, 6, 7))


def _test_cells(spread: Mapping[str, Any] | None) -> list[str]:
    if spread is None:
        return [NOT_VERIFIED, "", ""]
    mean = f"{percent(spread['mean'])} ± {100 * spread['sd']:.2f}"
    return [mean, f"{percent(spread['min'])} to {percent(spread['max'])}", f"{spread['seeds']:,}"]


def _seeds(report: ReportData) -> Markup:
    agree = _agreement(report)
    return section(
        "Verified on the test set",
        figure(
            _drawn(plot_seeds(report.verified, report.targets)),
            "Test accuracy of every network that verification trained. A bar spans the middle 80 % of an "
            "architecture's seeds, its notch is their median: a notch above a target is a typical size for "
            "it, a bar wholly above it a reliable one.",
        ),
        *([paragraph(agree)] if agree else []),
    )


def _agreement(report: ReportData) -> str | None:
    """Whether validation and test accuracy of the verified networks differ by more than chance; None if unknown."""
    if not {"validation", "test"} <= report.samples.keys():
        return None
    found = agreement(report.verified, report.samples["validation"], report.samples["test"])
    if found is None:
        return None
    where = "above" if found.gap >= 0 else "below"
    return (
        f"Over all verified networks validation accuracy is {100 * abs(found.gap):.2f} points {where} test "
        f"accuracy; with {report.samples['validation']:,} and {report.samples['test']:,} samples chance "
        f"explains up to {100 * found.chance:.2f}. "
        + (
            "The two disagree by more than chance: trust the test accuracy."
            if found.by_more_than_chance
            else "The two agree."
        )
    )


def _depth(report: ReportData) -> Markup:
    caption = (
        "Mean test accuracy over seeds, with 95 % intervals of the mean, of the architectures verified."
        if report.verified
        else "The best validation accuracy of a single network up to each size, by number of hidden layers."
    )
    return section(
        "Accuracy by depth",
        figure(_drawn(plot_depth(report.trials, report.verified, report.targets)), caption),
    )


def _curves(report: ReportData) -> Markup:
    return section(
        "Learning curves",
        figure(
            _drawn(plot_curves(report.trials, report.curves, report.targets, report.size)),
            "Validation accuracy after each epoch. Crosses mark where trials were pruned; the strong colours "
            "are the front's.",
        ),
    )


def _pruning(report: ReportData) -> Markup:
    info = pruning_info(report.trials, report.max_epochs)
    pruned = sum(bar.state == "pruned" for bar in info.bars)
    said = f"Of {plural(len(info.bars), 'trial')} that ended, {pruned:,} were pruned"
    if info.median_pruned_after is not None:
        said += (
            f", half of them within {info.median_pruned_after:g} of {report.max_epochs} epochs: "
            f"{plural(info.epochs_saved, 'epoch')} saved, {info.epochs_trained:,} trained"
        )
    caption = "Epochs trained by each trial, in the order in which trials began. Point at a bar for the reason."
    return section(
        "What was pruned, and when",
        paragraph(f"{said}."),
        figure(_drawn(plot_pruning(report.trials, report.max_epochs)), caption),
    )


def _drawn(drawing: go.Figure) -> Markup:
    """A figure without its title, which the section's heading and caption say already."""
    drawing.update_layout(title=None, margin={"t": 32})
    config = {"displaylogo": False, "responsive": True, "showSendToCloud": False, "plotlyServerURL": ""}
    height = f"{drawing.layout.template.layout.height}px"
    return Markup(drawing.to_html(full_html=False, include_plotlyjs=False, config=config, default_height=height))


# How it was run


def _how(report: ReportData) -> Markup:
    settings = [[name, Markup(f"<code>{escaped(value)}</code>")] for name, value in _flat(report.settings)]
    sets = {f"{name.capitalize()} samples": f"{count:,}" for name, count in report.samples.items()}
    ran = list({**_times(report.trials, report.verified), **sets, **report.environment}.items())
    seeds = [
        [trial.number, describe(trial.widths), trial.seed, trial.state]
        for trial in sorted(report.trials, key=lambda trial: trial.number)
        if trial.widths is not None
    ]
    return section(
        "How the study was run",
        columns(
            Markup(f"<h3>Time, data, versions, machine</h3>{table(['what', 'value'], ran)}"),
            Markup(f"<h3>Settings</h3>{table(['setting', 'value'], settings)}"),
        ),
        folded("Seeds of all trials", table(["trial", "hidden layers", "seed", "state"], seeds, numbers=(0, 2))),
    )


def _times(trials: Sequence[TrialRecord], verified: Sequence[VerifiedNetwork]) -> dict[str, str]:
    starts = [trial.started for trial in trials if trial.started]
    ends = [trial.completed for trial in trials if trial.completed]
    trained = sum(trial.seconds or 0.0 for trial in trials)
    times = {"First trial began": f"{min(starts):%Y-%m-%d %H:%M:%S}"} if starts else {}
    times |= {"Last trial ended": f"{max(ends):%Y-%m-%d %H:%M:%S}"} if ends else {}
    times |= {"Training, all trials together": _duration(trained)}
    scored = sum(network.seconds for network in verified)
    return times | ({"Training, all of verification": _duration(scored)} if verified else {})


def _repeat(report: ReportData) -> Markup:
    command = report.command or f"fewest run {shlex.quote(report.study)}"
    return section(
        "How to repeat it",
        paragraph(
            "With the same versions, one worker and these settings, the same seed gives the same trials. "
            "The command continues a study of this name if the storage has one: name a new storage to start "
            "afresh."
        ),
        Markup(f"<pre>{escaped(command)}</pre>"),
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", "none" if value is None else value


def _duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> _duration(9.25), _duration(90), _duration(7300)
    ('9.2 s', '1 min 30 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _enumerated(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
