"""The reading commands: they print a stored study as an answer, a list or a report.

A study is read in one transaction, so everything read is from one moment. Reading loads neither TensorFlow nor Optuna
and never writes to the storage.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from fewest.dashboards.console import out
from fewest.dashboards.text import print_answer, print_comparison
from fewest.search.answers.failures import NothingTrainedError, reasons_of_failure
from fewest.search.answers.results import collect, trained
from fewest.search.answers.sentences import statements
from fewest.search.answers.summary import Summary, summarise
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.stored import OurStudy, our_study
from fewest.storage.database import transactions
from fewest.storage.database.database import open_database
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.records import StudyRecord, TrialRecord, VerifiedNetwork
from fewest.storage.trials.results import read_results
from fewest.storage.trials.studies import read_studies, read_study, read_trials

if TYPE_CHECKING:
    from fewest.dashboards.report import ReportData

__all__ = [
    "Found",
    "all_studies",
    "found",
    "print_answer_of",
    "read_found",
    "report_of",
    "storage_at",
    "stored_study",
    "write_study_report",
]


@dataclass(frozen=True)
class Found:
    """A study as the storage had it at one moment.

    Attributes:
        ours: The study, with checked attributes.
        trials: All its trials, by number, without impossible values.
        verified: Networks scored on the test set; empty before verification.
    """

    ours: OurStudy
    trials: Sequence[TrialRecord]
    verified: Sequence[VerifiedNetwork]

    @property
    def study(self) -> StudyRecord:
        """The study as the storage has it."""
        return self.ours.record

    @property
    def config(self) -> StudyConfig:
        """The study's settings."""
        return self.ours.config

    @cached_property
    def summary(self) -> Summary:
        """The study's answer, worked out once."""
        return summarise(self.study, self.config, self.trials, self.verified)


@contextmanager
def storage_at(url: str) -> Iterator[Connection]:
    """Open a storage to read it as of one moment, and close it afterwards."""
    database = open_database(url, create=False)
    try:
        with transactions.reading(database) as connection:
            yield connection
    finally:
        database.dispose()


def stored_study(name: str, url: str) -> StudyRecord:
    """Read a study's record.

    Raises:
        NotFoundError: There is none of that name, or no storage yet.
    """
    with storage_at(url) as connection:
        return read_study(connection, name)


def all_studies(url: str) -> list[StudyRecord]:
    """Read the record of every study in the storage."""
    with storage_at(url) as connection:
        return read_studies(connection)


def found(name: str, url: str) -> Found:
    """Read everything about a study except its curves.

    Raises:
        NotFoundError: There is none of that name, or no storage yet.
    """
    with storage_at(url) as connection:
        return read_found(connection, name)


def read_found(connection: Connection, name: str) -> Found:
    """Read everything about a study except its curves, within the caller's transaction; see `found`."""
    study = read_study(connection, name)
    key = study.study_id
    ours = our_study(study)
    trials = [ours.plausible(trial) for trial in read_trials(connection, key)]
    return Found(ours, trials, read_results(connection, key))


def print_answer_of(name: str, url: str) -> None:
    """Print a study's answer, beside its reference figures if it has any.

    Raises:
        MisuseError: There is no such study, or it is not ours.
        NothingTrainedError: All networks failed, so that there is no answer.
    """
    known = found(name, url)
    if reasons := reasons_of_failure(known.trials, known.verified):
        raise NothingTrainedError(name, reasons)
    console = out()
    print_answer(console, known.summary, statements(known.summary, known.verified))
    results = collect(known.verified)
    architectures = known.config.space.architectures or ()
    listed = {architecture: trained(results.get(architecture, [])) for architecture in architectures}
    if known.config.reference is not None and all(len(accuracies) > 1 for accuracies in listed.values()):
        print_comparison(console, known.config.reference, listed)


def write_study_report(name: str, url: str, output: Path) -> None:
    """Write a study's report as one HTML file.

    Raises:
        NotFoundError: There is no such study.
        ReportError: The file cannot be written.
    """
    from fewest.dashboards.report import write_report

    write_report(output, report_of(name, url))


def report_of(name: str, url: str) -> "ReportData":
    """Read all that a study's report shows, as of one moment.

    Raises:
        NotFoundError: There is no such study.
    """
    from fewest.dashboards.report import ReportData

    with storage_at(url) as connection:
        known = read_found(connection, name)
        curves = read_curves(connection, known.study.study_id)
    data = known.ours.data
    return ReportData(
        answer=known.summary,
        config=known.config,
        trials=known.trials,
        curves=curves,
        verified=known.verified,
        environment=known.ours.environment,
        samples={"training": data.n_training, "validation": data.n_validation, "test": data.n_test},
        columns=[*data.columns, *data.notes],
        generated=datetime.now(UTC),
    )
