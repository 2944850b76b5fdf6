"""Real databases to test on: a SQLite file, and a database of the PostgreSQL server that the tests start themselves."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import admin, named
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Engine as Database

from fewest.storage.database.database import open_database
from fewest.storage.trials.cohort_storage import CohortStorage

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql_tables(server: str) -> str:
    """The URL of a database with all tables, for one test after the other."""
    name = "fewest_tests"
    with admin(server) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    url = named(server, name)
    open_database(url, create=True).dispose()
    return url


@pytest.fixture
def postgresql(postgresql_tables: str) -> str:
    """The same database, emptied."""
    with admin(postgresql_tables) as connection:
        connection.exec_driver_sql("TRUNCATE studies, trials, fewest_workers RESTART IDENTITY CASCADE")
    return postgresql_tables


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    open_database(f"sqlite:///{path}", create=True).dispose()
    return path


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a storage with all tables and nothing in them, on each database in turn."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    path = tmp_path / "study.db"
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def storage(url: str) -> Iterator[CohortStorage]:
    """An open storage."""
    opened = CohortStorage(url)
    yield opened
    opened.scoped_session.remove()
    opened.engine.dispose()


@pytest.fixture
def database(storage: CohortStorage) -> Database:
    """The database of an open storage."""
    return storage.engine


@pytest.fixture
def new_study(storage: CohortStorage) -> Callable[..., int]:
    """Makes a study of two objectives with some trials in it."""

    def make(name: str = "study", n_trials: int = 0, state: TrialState = TrialState.RUNNING) -> int:
        study_id = new_study_id(storage, name)
        storage.create_trials(study_id, [template(state)] * n_trials)
        return study_id

    return make


def new_study_id(storage: CohortStorage, name: str) -> int:
    from optuna.study import StudyDirection

    return storage.create_new_study([StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE], name)


def template(state: TrialState = TrialState.RUNNING) -> FrozenTrial:
    return create_trial(
        state=state,
        values=[4.0, 0.5] if state == TrialState.COMPLETE else None,
        user_attrs={"widths": [4]},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "studies.db"


@pytest.fixture
def opened(path: Path) -> Iterator[CohortStorage]:
    """A storage in use."""
    storage = CohortStorage(f"sqlite:///{path}")
    yield storage
    storage.remove_session()
    storage.engine.dispose()
