"""A study's report: one HTML file that opens offline, with all figures, their making and how to repeat them.

`ReportData` holds plain values; the caller reads them from a storage. Here they are gathered for the template
`report.html`, which holds the words and their layout; `report.css` is its style. Every accuracy says whether it
was measured on validation samples, during the search, or on the sealed test set.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from plotly.offline import get_plotlyjs

from fewest.dashboards.curves import plot_curves
from fewest.dashboards.depth import plot_depth
from fewest.dashboards.front import plot_front
from fewest.dashboards.pruning import plot_pruning, pruning_info
from fewest.dashboards.seeds import Agreement, agreement, plot_seeds
from fewest.dashboards.style import depth_label, percent, short_percent
from fewest.search.answers.answer import Answer
from fewest.search.answers.summary import Summary
from fewest.search.answers.wording import WORDING, plural
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import command_for, flattened
from fewest.search.settings.space import Architecture, describe
from fewest.storage.errors import FewestError
from fewest.storage.files.atomic import write_whole
from fewest.storage.trials.records import CurvePoint, TrialRecord, VerifiedNetwork

__all__ = ["ReportData", "ReportError", "render_report", "write_page", "write_report"]


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
        columns: What was found and made of a table's columns, in sentences.
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
            "Name another with `--output`."
        ) from error


def render_report(report: ReportData) -> str:
    """Return the report as HTML."""
    config = report.config
    return _template().render(
        report=report,
        answer=report.answer,
        targets=config.budget.targets,
        size=config.space.size,
        wording=WORDING,
        neuron_headings=[f"neurons {words.adverb}" for words in WORDING.values()],
        figures=_figures(report),
        agreement=_agreement(report),
        pruning=pruning_info(report.trials, config.training.epochs),
        facts=_facts(report),
        settings=list(flattened(config.settings())),
        command=command_for(config),
        plotly=get_plotlyjs(),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("fewest.dashboards", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "depth_label": depth_label,
        "describe": describe,
        "duration": _duration,
        "enumerated": _enumerated,
        "interval": _interval,
        "layers": _layers,
        "percent": percent,
        "plural": plural,
        "short_percent": short_percent,
        "thousands": "{:,}".format,
    }
    environment.tests["answered"] = lambda outcome: isinstance(outcome, Answer)
    return environment.get_template("report.html")


def _figures(report: ReportData) -> dict[str, str]:
    """Draw every figure, as HTML by name."""
    trials, verified, targets = report.trials, report.verified, report.config.budget.targets
    searched = (trials, report.curves, targets, report.config.space.size)
    return {
        "front": _drawn(plot_front(*searched)),
        "seeds": _drawn(plot_seeds(verified, targets)),
        "depth": _drawn(plot_depth(trials, verified, targets)),
        "curves": _drawn(plot_curves(*searched)),
        "pruning": _drawn(plot_pruning(trials, report.config.training.epochs)),
    }


def _drawn(drawing: go.Figure) -> str:
    """Turn a figure into HTML without its title, which the section's heading and caption say already."""
    drawing.update_layout(title=None, margin={"t": 32})
    config = {"displaylogo": False, "responsive": True, "showSendToCloud": False, "plotlyServerURL": ""}
    height = f"{drawing.layout.template.layout.height}px"
    return str(drawing.to_html(full_html=False, include_plotlyjs=False, config=config, default_height=height))


def _agreement(report: ReportData) -> Agreement | None:
    """Compare validation and test accuracy of the verified networks; None if the sets' sizes are unknown."""
    if not {"validation", "test"} <= report.samples.keys():
        return None
    return agreement(report.verified, report.samples["validation"], report.samples["test"])


def _facts(report: ReportData) -> dict[str, str]:
    """List when and on what the study ran, by what to call it."""
    starts = [trial.started for trial in report.trials if trial.started]
    ends = [trial.completed for trial in report.trials if trial.completed]
    facts = {"First trial began": f"{min(starts):%Y-%m-%d %H:%M:%S}"} if starts else {}
    facts |= {"Last trial ended": f"{max(ends):%Y-%m-%d %H:%M:%S}"} if ends else {}
    facts["Training, all trials together"] = _duration(sum(trial.seconds or 0.0 for trial in report.trials))
    if report.verified:
        facts["Training, all of verification"] = _duration(sum(network.seconds for network in report.verified))
    sets = {f"{name.capitalize()} samples": f"{count:,}" for name, count in report.samples.items()}
    columns = {"Columns": " ".join(report.columns)} if report.columns else {}
    return {**facts, **sets, **columns, **report.environment}


def _layers(widths: Architecture) -> str:
    """Put an architecture into words.

    >>> _layers(()), _layers((13,)), _layers((12, 8))
    ('softmax alone', 'one layer of 13', 'layers of 12 and 8')
    """
    if not widths:
        return "softmax alone"
    return f"one layer of {widths[0]}" if len(widths) == 1 else f"layers of {_enumerated(map(str, widths))}"


def _interval(found: Answer) -> str:
    low, high = found.interval
    return f"{low:,} to {high:,}"


def _duration(seconds: float) -> str:
    """Write seconds as people say them.

    >>> _duration(9.25), _duration(90), _duration(7300)
    ('9.2 s', '1 min 30 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _enumerated(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
