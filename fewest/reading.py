"""What the reading commands do: everything the storage holds of a study, as an answer, a list or a report.

Reading loads neither TensorFlow nor Optuna and never writes to the storage.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import Engine as Database

from fewest.dashboards.text import print_answer, print_comparison
from fewest.search.answers.results import collect
from fewest.search.answers.summary import statements, summarise
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import command_for, stored_config
from fewest.storage.database.database import open_database
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.records import CurvePoint, StudyRecord, TrialRecord, VerifiedNetwork
from fewest.storage.trials.results import read_results
from fewest.storage.trials.studies import read_studies, read_study, read_trials

__all__ = ["Found", "all_studies", "found", "print_answer_of", "reading", "stored_study", "write_study_report"]


@dataclass(frozen=True)
class Found:
    """All that the storage holds of a study; `curves` by trial id."""

    study: StudyRecord
    config: StudyConfig
    trials: Sequence[TrialRecord]
    curves: Mapping[int, Sequence[CurvePoint]]
    verified: Sequence[VerifiedNetwork]

    @property
    def summary(self) -> dict[str, Any]:
        """The answer as one object: see `fewest.search.answers.summary`."""
        return summarise(self.study, self.config, self.trials, self.verified)


@contextmanager
def reading(url: str) -> Iterator[Database]:
    """A storage to read from; nothing of it stays open afterwards."""
    database = open_database(url, create=False)
    try:
        yield database
    finally:
        database.dispose()


def stored_study(name: str, url: str) -> StudyRecord:
    """A study as the storage has it.

    Raises:
        NotFoundError: There is none of that name, or no storage yet.
    """
    with reading(url) as database:
        return read_study(database, name)


def all_studies(url: str) -> list[StudyRecord]:
    """Every study in the storage."""
    with reading(url) as database:
        return read_studies(database)


def found(name: str, url: str) -> Found:
    """All about a study.

    Raises:
        NotFoundError: There is none of that name, or no storage yet.
    """
    with reading(url) as database:
        study = read_study(database, name)
        key = study.study_id
        config = stored_config(name, study.attributes)
        return Found(study, config, read_trials(database, key), read_curves(database, key), read_results(database, key))


def print_answer_of(name: str, url: str) -> None:
    """Prints what a study has found, beside the figures it refers to if it has any."""
    known = found(name, url)
    console = Console()
    print_answer(console, known.summary, statements(known.config, known.verified))
    results = collect(known.verified)
    listed = {architecture: results.get(architecture, []) for architecture in known.config.space.architectures or ()}
    if known.config.reference is not None and all(len(accuracies) > 1 for accuracies in listed.values()):
        print_comparison(console, known.config.reference, listed)


def write_study_report(name: str, url: str, output: Path) -> None:
    """Writes what a study has found as one HTML file.

    Raises:
        NotFoundError: There is no such study.
        ReportError: The file cannot be written.
    """
    from fewest.dashboards.report import ReportData, write_report

    known = found(name, url)
    data = known.study.attributes["data"]
    report = ReportData(
        study=name,
        answer=known.summary,
        settings=known.config.settings(),
        trials=known.trials,
        curves=known.curves,
        command=command_for(known.config),
        verified=known.verified,
        environment=known.study.attributes["environment"],
        samples={kind: data[f"n_{kind}"] for kind in ("training", "validation", "test")},
        generated=datetime.now(UTC),
    )
    write_report(output, report)
