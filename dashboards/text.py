"""A study's answer as text for a terminal."""

import io
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from jinja2 import Template
from rich.console import Console
from rich.table import Table

from fewest.dashboards.console import one_line, say, show
from fewest.search.answers.answer import Findings
from fewest.search.answers.evidence import SHARES
from fewest.search.answers.sentences import best_words, guess_caution
from fewest.search.answers.summary import FrontMember, Summary, TestAccuracy
from fewest.search.answers.wording import WORDING, accuracy_words, interval_words, scope_words
from fewest.search.settings.config import ReferenceConfig
from fewest.search.settings.files import is_finished
from fewest.search.settings.space import Architecture, describe
from fewest.search.settings.stored import OurStudy, our_study, trouble_with
from fewest.storage.trials.records import StudyRecord, TrialState

__all__ = ["answer_html", "answer_text", "print_answer", "print_comparison", "print_studies", "unseen_cells"]

_TEXT_COLUMNS = 100
"""Width of an answer as text, as in a notebook."""

_HTML = Template(
    "<table><caption>{{ title }}</caption>"
    "<thead><tr>{% for heading in headings %}<th>{{ heading }}</th>{% endfor %}</tr></thead>"
    "<tbody>{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody>"
    "</table>{% for statement in statements %}<p>{{ statement }}.</p>{% endfor %}",
    autoescape=True,
)

STATES: tuple[TrialState, ...] = ("complete", "pruned", "fail", "running", "waiting")


def print_answer(console: Console, summary: Summary, statements: Sequence[str]) -> None:
    """Print what was trained, the front, and the answer per target.

    Args:
        console: The terminal.
        summary: The study's answer.
        statements: The answers as sentences; empty before verification.
    """
    say(console, f"Study '{summary.study}' on {summary.dataset}: {_trained(summary)}")
    show(console, _front(summary))
    if statements:
        show(console, _verified(summary))
    else:
        show(console, _not_yet_verified(summary))
        cautions = (guess_caution(target.accuracy, summary.guess, summary.metric) for target in summary.targets)
        statements = [*filter(None, cautions)][:1]
    for statement in (*statements, *filter(None, [best_words(summary)])):
        say(console, f"{statement}.")


def answer_text(summary: Summary, statements: Sequence[str]) -> str:
    """Return the answer per target as a table, and as sentences below it; arguments as for `print_answer`."""
    text = io.StringIO()
    # A notebook would display the text instead of returning it, and asks for colours.
    console = Console(
        file=text,
        width=_TEXT_COLUMNS,
        force_jupyter=False,
        force_terminal=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(_verified(summary) if statements else _not_yet_verified(summary))
    for statement in statements:
        console.print(f"{statement}.")
    return "\n".join(map(str.rstrip, text.getvalue().splitlines()))


def answer_html(summary: Summary, statements: Sequence[str]) -> str:
    """Return the answer per target as an HTML table, and as sentences below it; arguments as for `print_answer`."""
    table = _verified(summary) if statements else _not_yet_verified(summary)
    columns = list(table.columns)
    rows = zip(*(column.cells for column in columns), strict=True)
    headings = [column.header for column in columns]
    return str(_HTML.render(title=table.title, headings=headings, rows=rows, statements=statements))


def print_comparison(
    console: Console, reference: ReferenceConfig, results: Mapping[Architecture, Sequence[float]]
) -> None:
    """Print verified test accuracies beside somebody else's.

    Args:
        console: The terminal.
        reference: Their figures, in the order of `results`.
        results: Test accuracies of each listed architecture, one a seed.
    """
    table = Table(title=f"Test accuracy beside {reference.source}", title_justify="left")
    for heading in ("hidden layers", "theirs", "ours, mean", "sd", "least", "most", "seeds"):
        table.add_column(heading, justify="right")
    for theirs, (architecture, ours) in zip(reference.test_accuracy, results.items(), strict=True):
        measured = (f"{fmean(ours):.4f}", f"{stdev(ours):.4f}", f"{min(ours):.4f}", f"{max(ours):.4f}")
        table.add_row(describe(architecture), f"{theirs:.4f}", *measured, str(len(ours)))
    show(console, table)


def print_studies(console: Console, studies: Sequence[StudyRecord]) -> None:
    """Print a line for each study: its data set, how its trials stand, and how much of its budget they are."""
    table = Table(title="Studies", title_justify="left")
    table.add_column("study")
    table.add_column("data set")
    for state in STATES:
        table.add_column(state, justify="right")
    table.add_column("ended", justify="right")
    for study in studies:
        counts = (str(study.n_trials.get(state, 0)) for state in STATES)
        trouble = trouble_with(study)
        if trouble is None:
            ours = our_study(study)
            table.add_row(one_line(study.name), one_line(ours.data.name), *counts, _ended(ours))
        else:
            table.add_row(one_line(study.name), one_line(trouble), *counts, "")
    show(console, table)


def _ended(study: OurStudy) -> str:
    """Say how many of a study's trials have ended, or that nothing is left to do."""
    if is_finished(study.record, study.config):
        return "finished"
    return f"{study.record.n_ended} of {study.config.n_trials}"


def _trained(summary: Summary) -> str:
    trials = summary.trials
    ended = f"{trials.complete} complete, {trials.pruned} pruned, {trials.failed} failed"
    left = trials.running + trials.waiting
    return (
        f"{summary.networks_trained} networks trained ({ended}{f', {left} unfinished' if left else ''}), "
        f"{summary.epochs_trained} epochs, {summary.epochs_saved} saved by pruning, "
        f"{summary.seconds:.0f} s of training."
    )


def _verified(summary: Summary) -> Table:
    """List the answers over all depths with both intervals of the number of neurons, then the answers of each depth."""
    accuracy = accuracy_words("test accuracy", summary.metric)
    scope = scope_words(summary.shares_split)
    table = Table(title=f"Fewest hidden neurons, by {accuracy} (95 % interval {scope})", title_justify="left")
    for heading in (
        "target",
        *_guess_heading(summary),
        "hidden layers",
        *(WORDING[quantity].adverb for quantity in SHARES),
    ):
        table.add_column(heading, justify="right")
    for target in summary.targets:
        beside = [""] * (1 + len(_guess_heading(summary)))
        overall = (str(target.overall[quantity]) for quantity in SHARES)
        table.add_row(str(target), *_guess_cell(summary), "any", *overall)
        if any(unseen := unseen_cells(target.overall)):
            table.add_row(*beside, "new samples", *unseen)
        for depth, outcomes in target.by_depth.items():
            table.add_row(*beside, str(depth), *(str(outcomes[quantity]) for quantity in SHARES))
        table.add_section()
    return table


def unseen_cells(findings: Findings) -> list[str]:
    """Write the three intervals for new samples; empty where one is not known."""
    intervals = (findings[quantity].new_samples for quantity in SHARES)
    return ["" if interval is None else interval_words(interval) for interval in intervals]


def _not_yet_verified(summary: Summary) -> Table:
    accuracy = accuracy_words("validation accuracy", summary.metric)
    table = Table(title=f"Fewest hidden neurons, by the {accuracy} of single networks", title_justify="left")
    for heading in ("target", *_guess_heading(summary), "neurons", "hidden layers", "validation", "test"):
        table.add_column(heading, justify="right")
    for target in summary.targets:
        member = summary.smallest_on_validation(target.accuracy)
        table.add_row(str(target), *_guess_cell(summary), *_member_cells(member))
    return table


def _guess_heading(summary: Summary) -> list[str]:
    """Head the column of what guessing reaches; studies of older versions have none."""
    return [] if summary.guess is None else ["guessing"]


def _guess_cell(summary: Summary) -> list[str]:
    return [] if summary.guess is None else [f"{summary.guess:.3g}"]


def _member_cells(member: FrontMember | None) -> tuple[str, str, str, str]:
    if member is None:
        return ("not reached", "", "", "")
    layers = describe(member.widths)
    return (str(member.neurons), layers, f"{member.validation_accuracy:.4f}", "not yet verified")


def _front(summary: Summary) -> Table:
    accuracy = accuracy_words("validation accuracy", summary.metric)
    table = Table(title=f"Pareto front by {accuracy}; in test, mean (seeds)", title_justify="left")
    for heading in ("neurons", "parameters", "hidden layers", "validation", "test", "trial"):
        table.add_column(heading, justify="right")
    for member in summary.front:
        table.add_row(
            str(member.neurons),
            f"{member.parameters:,}",
            describe(member.widths),
            f"{member.validation_accuracy:.4f}",
            _test_cell(member.test_accuracy),
            str(member.trial),
        )
    return table


def _test_cell(spread: TestAccuracy | None) -> str:
    return "" if spread is None else f"{spread.mean:.4f} ({spread.seeds})"
