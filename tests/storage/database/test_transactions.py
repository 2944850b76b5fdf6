"""Transactions: repeated where a failure passes, given up in one clear line where it does not."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event, make_url
from sqlalchemy import Engine as Database

from fewest.storage.database.database import open_database
from fewest.storage.database.driver_errors import explain, may_pass
from fewest.storage.database.transactions import reading, write
from fewest.storage.errors import StorageError
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import read_curves, write_curves
from fewest.storage.trials.records import CurvePoint
from fewest.storage.trials.studies import read_studies

POINT = CurvePoint(0, 1.0, 0.5, 1.0, 0.5)
LOCKED = sa.exc.OperationalError("", {}, sqlite3.OperationalError("database is locked"))
BROKEN = sa.exc.DatabaseError("", {}, sqlite3.DatabaseError("database disk image is malformed"))


class Time:
    """Seconds that pass only in sleep."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Any:
    database = open_database(f"sqlite:///{tmp_path / 'study.db'}", create=True)
    yield database
    database.dispose()


def failing(error: Exception, n_failures: float) -> Callable[[Connection], int]:
    """Work that succeeds after so many failures, and says how many calls it took."""
    n_calls = 0

    def work(_: Connection) -> int:
        nonlocal n_calls
        n_calls += 1
        if n_calls <= n_failures:
            raise error
        return n_calls

    return work


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_passing_failure_is_tried_again(sqlite_database: Database, idempotent: bool) -> None:
    time = Time()
    work = failing(LOCKED, 3)
    assert write(sqlite_database, work, idempotent=idempotent, clock=time, sleep=time.sleep) == 4
    assert 0 < time.seconds < 1


def test_patience_ends(sqlite_database: Database) -> None:
    time = Time()
    with pytest.raises(StorageError, match="another program holds the lock"):
        write(sqlite_database, failing(LOCKED, 1e9), patience_seconds=60, clock=time, sleep=time.sleep)
    assert 50 < time.seconds <= 60


def test_a_lasting_failure_is_not_tried_again(sqlite_database: Database) -> None:
    time = Time()
    with pytest.raises(StorageError, match="damaged"):
        write(sqlite_database, failing(BROKEN, 1), clock=time, sleep=time.sleep)
    assert time.seconds == 0


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_commit_whose_answer_was_lost_is_repeated_only_if_that_does_no_harm(
    sqlite_database: Database, idempotent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    failures = [LOCKED]
    commit = Connection.commit

    def commit_without_an_answer(connection: Connection) -> None:
        commit(connection)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(Connection, "commit", commit_without_an_answer)
    work = failing(LOCKED, 0)
    if idempotent:
        assert write(sqlite_database, work, idempotent=True, clock=time, sleep=time.sleep) == 2
    else:
        with pytest.raises(StorageError):
            write(sqlite_database, work, idempotent=False, clock=time, sleep=time.sleep)


def test_a_failure_that_is_not_the_databases_passes_through_and_nothing_is_kept(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO studies (study_name) VALUES ('half')")
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        write(database, work)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM studies").scalar() == 0


def test_a_writer_waits_for_the_lock(storage: CohortStorage, new_study: Callable[..., int], tmp_path: Path) -> None:
    if storage.engine.dialect.name != "sqlite":
        pytest.skip("Only SQLite locks the whole database.")
    study_id = new_study()
    [trial_id] = storage.create_trials(study_id, [None])
    other = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer = threading.Thread(target=write_curves, args=(storage.engine, {trial_id: [POINT]}))
    writer.start()
    assert read_curves(storage.engine, study_id) == {}  # Readers do not wait.
    writer.join(0.05)
    assert writer.is_alive()
    other.execute("COMMIT")
    writer.join()
    other.close()
    assert read_curves(storage.engine, study_id) == {trial_id: [POINT]}


def test_a_full_disk_is_one_clear_line_from_us_and_from_optuna(
    storage: CohortStorage, new_study: Callable[..., int]
) -> None:
    if storage.engine.dialect.name != "sqlite":
        pytest.skip("A server's disk cannot be filled here.")
    study_id = new_study()
    [trial_id] = storage.create_trials(study_id, [None])
    storage.engine.dispose()

    @event.listens_for(storage.engine, "connect")
    def allow_no_more_pages(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    with pytest.raises(StorageError, match=r"disk is full\. Make room, then try again"):
        write_curves(storage.engine, {trial_id: [POINT._replace(epoch=i) for i in range(1000)]})
    with pytest.raises(StorageError, match="disk is full"):
        storage.set_trial_user_attr(trial_id, "key", "x" * 100_000)
    assert read_curves(storage.engine, study_id) == {}


def test_a_connection_cut_in_mid_transaction_is_opened_again(postgresql: str) -> None:
    database = open_database(postgresql, create=True)
    n_calls = 0

    def work(connection: Connection) -> int:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 1:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        return int(connection.exec_driver_sql("SELECT 42").scalar_one())

    assert write(database, work) == 42
    assert n_calls == 2
    database.dispose()


def test_a_server_that_restarts_is_waited_for(postgresql: str, restart_server: Callable[[], None]) -> None:
    storage = CohortStorage(postgresql)
    study_id = storage.create_new_study([0, 1], "study")  # type: ignore[list-item]
    [trial_id] = storage.create_trials(study_id, [None])
    restart_server()
    write_curves(storage.engine, {trial_id: [POINT]})
    assert read_curves(storage.engine, study_id) == {trial_id: [POINT]}
    storage.engine.dispose()


def test_a_connection_cut_while_idle_is_replaced_for_optuna_too(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewest.storage.database.postgresql._PING_AFTER_SECONDS", 0.0)
    storage = CohortStorage(postgresql)
    assert storage.get_all_studies() == []
    admin = open_database(postgresql, create=True)
    with admin.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    assert storage.get_all_studies() == []
    for database in (storage.engine, admin):
        database.dispose()


def test_a_reader_whose_connection_was_cut_begins_anew(postgresql: str, restart_server: Callable[[], None]) -> None:
    """Workers that wait for others only read: a restart must not end them."""
    database = open_database(postgresql, create=True)
    assert read_studies(database) == []
    restart_server()  # Too short ago for the connection to be tried before it is used.
    assert read_studies(database) == []
    database.dispose()


def test_a_reader_waits_for_a_server_that_does_not_answer(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, away = Database.connect, [LOCKED] * 3

    def connect_later(database: Database) -> Connection:
        if away:
            raise away.pop()
        return connect(database)

    monkeypatch.setattr(Database, "connect", connect_later)
    monkeypatch.setattr("fewest.storage.database.transactions._FIRST_PAUSE_SECONDS", 0.0)
    assert read_studies(sqlite_database) == []
    away[:] = [LOCKED]
    with pytest.raises(StorageError, match="cannot be"), reading(sqlite_database, patience_seconds=-1):
        pass


@pytest.mark.parametrize(
    ("said", "transient"),
    [("database is locked", True), ("database or disk is full", False), ("no such table: x", False)],
)
def test_of_sqlites_failures_only_locks_pass(said: str, transient: bool) -> None:
    assert (
        may_pass(sa.exc.OperationalError("", {}, sqlite3.OperationalError(said)), make_url("sqlite:///x")) == transient
    )


def test_an_unknown_failure_is_quoted_without_passwords_and_in_one_line(sqlite_database: Database) -> None:
    error = sa.exc.DBAPIError("", {}, sqlite3.Error("odd password=secret thing\nand more"))
    said = str(explain(error, sqlite_database.url))
    assert "odd password=*** thing" in said
    assert "\n" not in said
