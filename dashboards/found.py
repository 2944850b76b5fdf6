"""Stored studies, read for those who show them: each in one transaction, so everything read is from one moment.

Reading loads neither TensorFlow nor Optuna, and never writes to the storage.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection

from fewest.search.answers.summary import Summary, summarise
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.stored import OurStudy, our_study
from fewest.storage.database import transactions
from fewest.storage.database.database import open_database
from fewest.storage.trials.records import StudyRecord, TrialRecord, VerifiedNetwork
from fewest.storage.trials.results import read_results
from fewest.storage.trials.studies import read_studies, read_study, read_trials

__all__ = ["Found", "all_studies", "found", "read_found", "storage_at", "stored_study"]


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
