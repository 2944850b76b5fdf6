"""What several tests of the storage do with it: a bare study in a SQLite file, rows counted, records compared."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.trial import TrialState
from sqlalchemy import Engine as Database

from fewest.storage.database.database import open_database
from fewest.storage.database.transactions import reading
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.studies import read_studies

COHORT = 16


def make_study(storage: CohortStorage, name: str = "study") -> int:
    from optuna.study import StudyDirection

    directions = [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
    return storage.create_whole_study(
        name, directions, [], attributes={"settings": 1}, metric_names=["neurons", "accuracy"]
    )


def train(storage: CohortStorage, study_id: int) -> None:
    ids = storage.create_trials(study_id, [None] * COHORT)
    storage.finish_trials([FinishedTrial(trial_id, TrialState.COMPLETE, [4.0, 0.5]) for trial_id in ids])


def complete(path: Path) -> dict[str, int]:
    """How many trials of each study a file has."""
    database = open_database(f"sqlite:///{path}", create=False)
    try:
        with reading(database) as connection:
            return {study.name: study.n_trials.get("complete", 0) for study in read_studies(connection)}
    finally:
        database.dispose()


@contextmanager
def at_most(n_bytes: int) -> Iterator[None]:
    """A disk on which no file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def count(database: Database, table: str) -> int:
    """The rows of a table."""
    with database.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def same(left: object, right: object) -> bool:
    """Whether two records hold the same, NaN included."""
    return repr(left) == repr(right)  # NaN is not equal to itself, but written alike.
