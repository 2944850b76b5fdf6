"""Studies side by side as text for a terminal: settings that differ, answers, and what they say."""

from rich.console import Console
from rich.table import Table

from fewest.dashboards.console import one_line, say, show
from fewest.dashboards.text import unseen_cells
from fewest.search.answers.comparison import ComparedAnswer, Comparison
from fewest.search.answers.comparison_sentences import difference_sentences
from fewest.search.answers.evidence import SHARES, Quantity
from fewest.search.answers.wording import WORDING

__all__ = ["ERROR_NOTE", "cell", "depth_words", "new_samples_cells", "print_studies_compared"]

ERROR_NOTE = (
    "Brackets hold 95 % intervals on the test set. 'Fewer' and 'more' are against the first study, on the test set as "
    "well. Each such difference by itself is a mistake in about 5 % of comparisons at most, or in 1 % where a sentence "
    "says 99 % sure."
)


def print_studies_compared(console: Console, comparison: Comparison) -> None:
    """Print the settings that differ, the answers, and what they say.

    Args:
        console: The terminal.
        comparison: The studies side by side.
    """
    if comparison.settings:
        show(console, _settings(comparison))
    else:
        say(console, "The studies have the same settings.")
    show(console, _answers(comparison))
    say(console, ERROR_NOTE)
    for target in comparison.targets:
        for sentence in difference_sentences(target):
            say(console, f"{sentence}.")
    for remark in comparison.remarks:
        say(console, f"Note: {remark}")


def cell(answer: ComparedAnswer, quantity: Quantity) -> str:
    """Write an answer, and how it differs from the first study's if it does."""
    finding = str(answer.findings[quantity])
    unlike = None if answer.against_first is None else answer.against_first[quantity]
    return finding if unlike is None or unlike.sure is None else f"{finding}, {unlike.range} {unlike.outcome}"


def new_samples_cells(answer: ComparedAnswer) -> list[str]:
    """Write the three intervals for new samples of answers over all depths; empty where none is known."""
    cells = unseen_cells(answer.findings) if answer.depth is None else []
    return cells if any(cells) else []


def depth_words(depth: int | None) -> str:
    """Name a number of hidden layers; None is any."""
    return "any" if depth is None else str(depth)


def _settings(comparison: Comparison) -> Table:
    table = Table(title="Settings that differ", title_justify="left")
    for heading in ("setting", *comparison.studies):
        table.add_column(one_line(heading))
    for row in comparison.settings:
        table.add_row(row.words, *map(one_line, row.values))
    return table


def _answers(comparison: Comparison) -> Table:
    table = Table(title="Fewest hidden neurons, by test accuracy (95 % interval)", title_justify="left")
    table.add_column("target", justify="right")
    table.add_column("hidden layers", justify="right")
    for heading in ("study", *(WORDING[quantity].adverb for quantity in SHARES)):
        table.add_column(heading)
    for target in comparison.targets:
        accuracy, depth = f"{target.accuracy:g}", ""
        for answer in target.answers:
            words = depth_words(answer.depth)
            cells = [cell(answer, quantity) for quantity in SHARES]
            table.add_row(accuracy, "" if words == depth else words, one_line(answer.study), *cells)
            if unseen := new_samples_cells(answer):
                table.add_row("", "", "  for new samples", *unseen)
            accuracy, depth = "", words
        table.add_section()
    return table
