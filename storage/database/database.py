"""Storage URLs opened as databases: checked, of a known version and, where asked, prepared.

Every obstacle is reported in one clear line. A storage that cannot be opened is left unchanged.

    database = open_database("sqlite:///fewest.db", create=False)     # reading commands
    storage = optuna_storage("sqlite:///fewest.db")                   # studies; storage.engine is the database
"""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage import DEFAULT_URL
from fewest.storage.database import optuna_private
from fewest.storage.database.dialects import dialect_of
from fewest.storage.database.driver_errors import clear_errors
from fewest.storage.database.tables import HEAD_REVISION, REVISIONS, VERSION_TABLE
from fewest.storage.database.transactions import reading, write
from fewest.storage.database.urls import parse_url, shown
from fewest.storage.errors import StorageError, no_studies

__all__ = ["is_writable", "open_database"]


class _Versions(NamedTuple):
    """The versions of a database's tables."""

    optuna: str | None
    """Optuna's Alembic revision, None without its version table."""
    ours: str | None
    has_studies: bool
    """Whether Optuna's tables are there."""
    n_tables: int


def open_database(url: str = DEFAULT_URL, *, create: bool) -> Database:
    """Open a storage.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; behind a pooler in transaction
            mode the latter with `?prepare_threshold=none`.
        create: Whether to create what is missing (the SQLite file, Optuna's tables, ours) and to migrate ours. If
            false, the storage must exist, and the database refuses to write.

    Returns:
        A database whose URL carries the password: show `shown(database.url)`, never the URL itself.

    Raises:
        MisuseError: The URL is not one, or names a folder.
        NotFoundError: The storage does not exist, or holds no studies, and `create` is false.
        StorageError: The storage cannot be read (or, with `create`, written), is damaged, is another
            program's, or was made by a newer release of fewest or Optuna, or an Optuna too old.
    """
    parsed = parse_url(url)
    dialect = dialect_of(parsed)
    was_there = dialect.is_there(parsed)
    database = dialect.connect(parsed, create=create)
    try:
        with clear_errors(parsed):
            with reading(database, patience_seconds=0) as connection:
                versions = _read_versions(connection)
                hint = "" if versions.n_tables else dialect.why_empty(connection)
            _judge(versions, optuna_private.revisions(), shown(parsed), is_file=dialect.IS_FILE)
            if not create and not versions.has_studies:
                raise no_studies(shown(parsed), hint)
            if create:
                dialect.settle(database)
                if not versions.has_studies or versions.ours != HEAD_REVISION:
                    write(database, _prepare)
                    dialect.fold_log(database)
    except BaseException:
        database.dispose()
        if not was_there:
            dialect.discard(parsed)
        raise
    return database


def is_writable(url: str) -> bool:
    """Say whether this user may write to an existing storage, as far as that is known before it is opened.

    Args:
        url: As for `open_database`.
    """
    parsed = parse_url(url)
    return dialect_of(parsed).is_writable(parsed)


def _read_versions(connection: Connection) -> _Versions:
    tables = set(sa.inspect(connection).get_table_names())

    def revision(table: str) -> str | None:
        if table not in tables:
            return None
        found = connection.exec_driver_sql(f"SELECT version_num FROM {table}").scalar()
        return None if found is None else str(found)

    return _Versions(
        optuna=revision(optuna_private.REVISION_TABLE),
        ours=revision(VERSION_TABLE),
        has_studies="studies" in tables,
        n_tables=len(tables),
    )


def _judge(versions: _Versions, known: tuple[str, ...], storage: str, *, is_file: bool) -> None:
    """Refuse a database that this release must not touch."""
    if versions.ours is not None and versions.ours not in REVISIONS:
        raise StorageError(
            f"The storage {storage} must not be newer than this fewest, and its tables are of revision "
            f"{versions.ours!r}, beyond {HEAD_REVISION!r}. Upgrade fewest, or name another storage."
        )
    if versions.optuna is not None and versions.optuna not in known:
        raise StorageError(
            f"The storage {storage} must not be newer than the installed Optuna, but its tables are of "
            f"revision {versions.optuna!r}, beyond {known[-1]!r}. "
            "Upgrade Optuna with `pip install -U optuna`, or name another storage."
        )
    if versions.optuna is not None and versions.optuna != known[-1]:
        raise StorageError(
            f"The storage {storage} must have the installed Optuna's tables, and its are of the older revision "
            f"{versions.optuna!r}. Keep a copy, then upgrade it with `optuna storage upgrade --storage URL`."
        )
    if is_file and versions.n_tables > 0 and not versions.has_studies:
        raise StorageError(f"The storage must be a database of studies, and {storage} holds another program's tables.")


def _prepare(connection: Connection) -> None:
    """Create the missing tables; of several processes that try at once, the first does it."""
    from fewest.storage.database import migrations

    dialect_of(connection).lock_tables(connection)
    versions = _read_versions(connection)
    if not versions.has_studies:
        optuna_private.create_tables(connection)
    if versions.ours != HEAD_REVISION:
        migrations.upgrade(connection)
