"""A study's report: one HTML file that opens offline, with all figures, their making and how to repeat them.

`ReportData` holds plain values; the caller reads them from a storage. Here they are gathered for the template
`report.html`, which holds the words and their layout; `report.css` is its style. Every accuracy says whether it
was measured on validation samples, during the search, or on the sealed test set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Template
from plotly.offline import get_plotlyjs

from fewest.dashboards.curves import plot_curves
from fewest.dashboards.depth import plot_depth
from fewest.dashboards.elapsed import duration
from fewest.dashboards.front import plot_front
from fewest.dashboards.hypervolume import plot_hypervolume
from fewest.dashboards.importance import plot_importance
from fewest.dashboards.intervals import plot_intervals
from fewest.dashboards.pages import drawn, page_environment
from fewest.dashboards.pruning import plot_pruning, pruning_info
from fewest.dashboards.seeds import Agreement, agreement, plot_seeds
from fewest.dashboards.spending import plot_spending
from fewest.dashboards.style import depth_label, in_metric, percent, short_percent
from fewest.dashboards.timeline import plot_timeline
from fewest.search.answers.answer import Answer
from fewest.search.answers.sentences import best_words, guess_caution
from fewest.search.answers.summary import Summary
from fewest.search.answers.wording import WORDING, accuracy_words, enumerated, plural, scope_words
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import command_for, flattened
from fewest.search.settings.space import Architecture, describe
from fewest.storage.errors import FewestError, Spelled
from fewest.storage.files.atomic import write_whole
from fewest.storage.trials.records import CurvePoint, TrialRecord, VerifiedNetwork

__all__ = ["ReportData", "ReportError", "draw_figures", "render_report", "write_page", "write_report"]


class ReportError(FewestError, OSError):
    """The report cannot be written where it was asked for."""


@dataclass(frozen=True)
class ReportData:
    """All that a report shows.

    Attributes:
        answer: What the study has found.
        config: The study's settings.
        trials: All its trials.
        curves: Learning curves by `trial_id`.
        verified: Networks scored on the test set; empty before verification.
        environment: What the study ran on, by what to call it, e.g. `{"Python": "3.11.2"}`.
        samples: Number of samples of each set: training, validation, test; empty if unknown.
        columns: What was found and made of the data, such as a table's columns, in sentences.
        generated: When the report was made, with its time zone; None leaves it out.
    """

    answer: Summary
    config: StudyConfig
    trials: Sequence[TrialRecord]
    curves: Mapping[int, Sequence[CurvePoint]] = field(repr=False)
    verified: Sequence[VerifiedNetwork] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    columns: Sequence[str] = ()
    generated: datetime | None = None


def write_report(path: Path, report: ReportData) -> None:
    """Write the report as one file, whole or not at all; see `fewest.storage.files.atomic`.

    Args:
        path: The file, a pipe, or stdout.
        report: What it shows.

    Raises:
        ReportError: The file cannot be written.
    """
    write_page(path, render_report(report))


def write_page(path: Path, page: str) -> None:
    """Write a page of HTML as one file, as `write_report` does.

    Raises:
        ReportError: The file cannot be written.
    """
    try:
        write_whole(path, page.encode())
    except BrokenPipeError:
        raise  # Whoever read has seen enough.
    except OSError as error:
        raise ReportError(
            f"The report must go to a file that can be written, got '{path}' ({error.strerror or error}). "
            "Name another with ",
            Spelled("`path`", "`--output`"),
            ".",
        ) from error


def render_report(report: ReportData) -> str:
    """Return the report as HTML."""
    config, answer = report.config, report.answer
    return _template().render(
        report=report,
        answer=answer,
        asked=[short_percent(asked) if isinstance(asked, float) else asked for asked in config.budget.targets],
        best=best_words(answer),
        caution=partial(guess_caution, guess=answer.guess, metric=answer.metric),
        scope=scope_words(answer.shares_split),
        which=partial(accuracy_words, metric=answer.metric),
        wording=WORDING,
        neuron_headings=[f"neurons {words.adverb}" for words in WORDING.values()],
        figures={name: drawn(figure) for name, figure in draw_figures(report).items()},
        agreement=_agreement(report),
        pruning=pruning_info(report.trials, config.training.epochs),
        facts=_facts(report),
        settings=list(flattened(config.settings())),
        command=command_for(config),
        plotly=get_plotlyjs(),
    )


@cache
def _template() -> Template:
    environment = page_environment()
    environment.filters |= {
        "depth_label": depth_label,
        "describe": describe,
        "duration": duration,
        "enumerated": enumerated,
        "interval": _interval,
        "unseen": _unseen,
        "layers": _layers,
        "percent": percent,
        "plural": plural,
        "short_percent": short_percent,
        "thousands": "{:,}".format,
    }
    environment.tests["answered"] = lambda outcome: isinstance(outcome, Answer)
    return environment.get_template("report.html")


def draw_figures(report: ReportData) -> dict[str, go.Figure]:
    """Draw every figure, by name, in the order in which they tell what was found."""
    trials, verified, config = report.trials, report.verified, report.config
    targets = [target.accuracy for target in report.answer.targets]
    epochs = config.training.epochs
    searched = (trials, report.curves, targets)
    figures = {
        "intervals": plot_intervals(report.answer.targets if verified else ()),
        "front": plot_front(*searched),
        "seeds": plot_seeds(verified, targets),
        "depth": plot_depth(trials, verified, targets),
        "importance": plot_importance(trials),
        "hypervolume": plot_hypervolume(trials),
        "hypervolume-time": plot_hypervolume(trials, against="time"),
        "curves": plot_curves(*searched),
        "spending": plot_spending(trials, verified, epochs),
        "pruning": plot_pruning(trials, epochs),
        "timeline": plot_timeline(trials),
    }
    return {name: in_metric(figure, report.answer.metric) for name, figure in figures.items()}


def _agreement(report: ReportData) -> Agreement | None:
    """Compare validation and test accuracy of the verified networks; None if the sets' sizes are unknown.

    How far chance moves a balanced accuracy depends on the sizes of the classes, which nobody has stored.
    """
    if report.answer.metric != "accuracy" or not {"validation", "test"} <= report.samples.keys():
        return None
    return agreement(report.verified, report.samples["validation"], report.samples["test"])


def _facts(report: ReportData) -> dict[str, str]:
    """List when and on what the study ran, by what to call it."""
    starts = [trial.started for trial in report.trials if trial.started]
    ends = [trial.completed for trial in report.trials if trial.completed]
    facts = {"First trial began": f"{min(starts):%Y-%m-%d %H:%M:%S}"} if starts else {}
    facts |= {"Last trial ended": f"{max(ends):%Y-%m-%d %H:%M:%S}"} if ends else {}
    facts["Training, all trials together"] = duration(sum(trial.seconds or 0.0 for trial in report.trials))
    if report.verified:
        facts["Training, all of verification"] = duration(sum(network.seconds for network in report.verified))
    sets = {f"{name.capitalize()} samples": f"{count:,}" for name, count in report.samples.items()}
    if report.verified and sets and not report.answer.shares_split:
        whole = report.samples["training"] + report.samples["validation"]
        sets["Training samples in verification"] = f"{whole:,}"
    columns = {"Data as read": " ".join(report.columns)} if report.columns else {}
    return {**facts, **sets, **columns, **report.environment}


def _layers(widths: Architecture) -> str:
    """Put an architecture into words.

    >>> _layers(()), _layers((13,)), _layers((12, 8))
    ('softmax alone', 'one layer of 13', 'layers of 12 and 8')
    """
    if not widths:
        return "softmax alone"
    return f"one layer of {widths[0]}" if len(widths) == 1 else f"layers of {enumerated(map(str, widths))}"


def _interval(found: Answer) -> str:
    low, high = found.interval
    return f"{low:,} to {high:,}"


def _unseen(found: Answer) -> str:
    """Write the interval for new samples after that for the test set; empty where it is not known.

    >>> _unseen(Answer(13, (13,), (12, 13), 0.95, 20, (11, 15))), _unseen(Answer(13, (13,), (12, 13), 0.95, 20))
    (', 11 to 15 for new samples', '')
    >>> _unseen(Answer(13, (13,), (12, 13), 0.95, 20, (11, None)))
    ', 11 or more for new samples'
    """
    if found.new_samples is None:
        return ""
    low, high = found.new_samples
    return f", {low:,} {'or more' if high is None else f'to {high:,}'} for new samples"
