"""`fewest compare`: read several studies, of one storage or of several, and print or write them side by side."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from fewest.dashboards.comparison_text import print_studies_compared
from fewest.dashboards.console import out
from fewest.dashboards.found import found
from fewest.search.answers.comparison import ComparedStudy, Comparison, compare
from fewest.search.answers.front import pareto_front, points_of
from fewest.search.answers.results import collect
from fewest.search.answers.sampling import sampling_of
from fewest.search.settings.files import storage_option
from fewest.storage.database.urls import parse_url
from fewest.storage.database.urls import shown as shown_url
from fewest.storage.errors import MisuseError
from fewest.storage.files.atomic import is_stdout

__all__ = ["compare_studies"]

_ELSEWHERE = re.compile(r"(?s)(?P<name>.+?)@(?P<url>(?:sqlite|postgres(?:ql)?)(?:\+\w+)?://.*)")


def compare_studies(names: Sequence[str], url: str, form: str, output: Path | None) -> None:
    """Print studies side by side, or write them as a report.

    Args:
        names: Names of the studies, the first of which the others are compared with. `NAME@URL` is in another storage.
        url: URL of the storage of the others.
        form: `table` or `json`.
        output: The report to write; None prints instead.

    Raises:
        MisuseError: There are fewer than two studies, one is named twice, or one does not exist or is not ours.
        StorageError: A storage cannot be read.
    """
    comparison = _compared(names, url)
    if output is not None:
        from fewest.dashboards.comparison_report import render_comparison
        from fewest.dashboards.report import write_page

        write_page(output, render_comparison(comparison, datetime.now(UTC)))
        click.echo(output, err=is_stdout(output))
    elif form == "json":
        click.echo(json.dumps(comparison.to_json(), indent=2))
    else:
        print_studies_compared(out(), comparison)


def _compared(names: Sequence[str], url: str) -> Comparison:
    asked = [_place(name, url) for name in names]
    if len(asked) < 2:
        raise MisuseError(f"`NAME` must be given for at least two studies, got {len(asked)}. Name another one.")
    twice = next((place for place, count in Counter(asked).items() if count > 1), None)
    if twice is not None:
        raise MisuseError(f"`NAME` must be different studies, got '{twice[0]}' twice. Name another one.")
    known = [found(name, storage) for name, storage in asked]
    studies = [
        ComparedStudy(
            label,
            each.ours,
            collect(each.verified),
            tuple(pareto_front(points_of(each.trials))),
            sampling_of(each.study.attributes["data"], each.verified),
            storage_option(storage),
        )
        for label, each, (_, storage) in zip(_labels(asked), known, asked, strict=True)
    ]
    return compare(studies)


def _place(name: str, url: str) -> tuple[str, str]:
    """Split a study's name from the storage named with it.

    >>> _place("mnist@postgresql://me@server/studies", "sqlite:///fewest.db")
    ('mnist', 'postgresql://me@server/studies')
    >>> _place("a@b", "sqlite:///fewest.db")
    ('a@b', 'sqlite:///fewest.db')
    """
    elsewhere = _ELSEWHERE.fullmatch(name)
    return (elsewhere["name"], elsewhere["url"]) if elsewhere else (name, url)


def _labels(asked: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield a label for each study: its name, with its storage where another study has that name."""
    counts = Counter(name for name, _ in asked)
    for name, url in asked:
        yield name if counts[name] == 1 else f"{name} in {shown_url(parse_url(url))}"
