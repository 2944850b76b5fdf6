"""A study's answer as text for a terminal: the answer per target and the front, from the object of `search.summary`."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from search.space import describe
from search.summary import smallest_on_validation
from storage.records import StudyRecord, TrialState

__all__ = ["print_answer", "print_studies"]

STATES: tuple[TrialState, ...] = ("complete", "pruned", "fail", "running", "waiting")


def print_answer(console: Console, summary: Mapping[str, Any]) -> None:
    """Prints the answer per target, the front, and what was trained for it."""
    console.print(f"Study '{summary['study']}' on {summary['dataset']}: {_trained(summary)}", highlight=False)
    console.print(_targets(summary))
    console.print(_front(summary))


def print_studies(console: Console, studies: Sequence[StudyRecord]) -> None:
    """Prints a line for each study: its data set, and how its trials stand."""
    table = Table(title="Studies", title_justify="left")
    table.add_column("study")
    table.add_column("data set")
    for state in STATES:
        table.add_column(state, justify="right")
    for study in studies:
        data = study.attributes.get("data", {"name": "not made by howmany"})
        table.add_row(study.name, data["name"], *(str(study.n_trials.get(state, 0)) for state in STATES))
    console.print(table)


def _trained(summary: Mapping[str, Any]) -> str:
    trials = summary["trials"]
    ended = f"{trials['complete']} complete, {trials['pruned']} pruned, {trials['failed']} failed"
    left = trials["running"] + trials["waiting"]
    return (
        f"{summary['networks_trained']} networks trained ({ended}{f', {left} unfinished' if left else ''}), "
        f"{summary['epochs_trained']} epochs, {summary['epochs_saved']} saved by pruning, "
        f"{summary['seconds']:.0f} s of training."
    )


def _targets(summary: Mapping[str, Any]) -> Table:
    table = Table(
        title="Fewest hidden neurons, by the validation accuracy of single networks", title_justify="left"
    )
    for heading in ("target", "neurons", "hidden layers", "validation", "test"):
        table.add_column(heading, justify="right")
    for target in summary["targets"]:
        table.add_row(
            f"{target['accuracy']:g}", *_target_cells(smallest_on_validation(summary, target["accuracy"]))
        )
    return table


def _target_cells(member: Mapping[str, Any] | None) -> tuple[str, str, str, str]:
    if member is None:
        return ("not reached", "", "", "")
    return (
        str(member["neurons"]),
        describe(tuple(member["widths"])),
        f"{member['validation_accuracy']:.4f}",
        "not yet verified",
    )


def _front(summary: Mapping[str, Any]) -> Table:
    table = Table(title="Pareto front: neurons against validation accuracy", title_justify="left")
    for heading in ("neurons", "parameters", "hidden layers", "validation", "trial"):
        table.add_column(heading, justify="right")
    for member in summary["front"]:
        table.add_row(
            str(member["neurons"]),
            f"{member['parameters']:,}",
            describe(tuple(member["widths"])),
            f"{member['validation_accuracy']:.4f}",
            str(member["trial"]),
        )
    return table
