"""A storage URL -> an engine on a database that is sound, of a version we know and, where asked, made ready.

SQLite runs with a write-ahead log, foreign keys and a patient lock; PostgreSQL through psycopg 3. Whatever
stands in the way becomes one clear line, and a storage that could not be opened is left as it was found.

    engine = open_engine("sqlite:///fewest.db", create=False)     # reading commands
    storage = optuna_storage("sqlite:///fewest.db")               # studies; storage.engine is the engine
"""

import importlib.util
import os
import re
import sqlite3
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from fewest.storage.database.faults import clear_errors
from fewest.storage.database.location import (
    DEFAULT_URL,
    check_sqlite_file,
    network_file_system,
    no_studies,
    opened_by_sqlite,
    parse_url,
    place_of,
    sqlite_path,
)
from fewest.storage.database.tables import HEAD_REVISION, REVISIONS, VERSION_TABLE
from fewest.storage.database.transactions import BUSY_SECONDS, reading, write
from fewest.storage.errors import MisuseError, StorageError

if TYPE_CHECKING:
    pass

__all__ = ["DEFAULT_URL", "network_file_system", "open_engine"]

_CONNECT_SECONDS = 10
"""How long to wait for a PostgreSQL server that does not answer."""

_N_JOURNAL_ATTEMPTS = 40

_PING_AFTER_SECONDS = 1.0
"""A PostgreSQL connection that lay idle for longer is tried before it is used."""

_MIGRATION_LOCK = 0x666577657374
"""PostgreSQL's advisory lock under which tables are made: "fewest" in ASCII."""


class Versions(NamedTuple):
    """What a database says of its tables."""

    optuna: str | None
    """Optuna's Alembic revision, None without its version table."""
    ours: str | None
    has_studies: bool
    """Whether Optuna's tables are there."""
    n_tables: int


def open_engine(url: str = DEFAULT_URL, *, create: bool) -> Engine:
    """Open a storage.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; behind a pooler that works by
            transaction the latter with `?prepare_threshold=none`.
        create: Make what is missing (the SQLite file, Optuna's tables, ours) and migrate ours. If false the
            storage must exist, and the engine refuses to write.

    Returns:
        An engine whose URL carries the password: show `place_of(engine.url)`, never the URL itself.

    Raises:
        MisuseError: The URL is not one, or names a folder.
        NotFoundError: The storage does not exist, or holds no studies, and `create` is false.
        StorageError: The storage cannot be read (or, with `create`, written), is damaged, is another
            program's, or was made by a newer release of fewest or Optuna, or an Optuna too old.
    """
    parsed = parse_url(url)
    engine = _sqlite(parsed, create=create) if parsed.drivername == "sqlite" else _postgresql(parsed, create=create)
    place = place_of(parsed)
    try:
        with clear_errors(place):
            with reading(engine, patience_seconds=0) as connection:
                versions = _read_versions(connection)
            known = _optuna_revisions()
            _judge(versions, known, place, create=create, is_file=parsed.drivername == "sqlite")
            if create:
                _use_write_ahead_log(engine)
                if not versions.has_studies or versions.ours != HEAD_REVISION:
                    write(engine, _prepare)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _sqlite(url: URL, *, create: bool) -> Engine:
    path = sqlite_path(url)
    check_sqlite_file(path, create=create)
    query, read_only = _opening_mode(path, create=create)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.as_uri()}?{query}", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
        )
        opened_by_sqlite(path)
        return connection

    engine = sa.create_engine(url, creator=connect)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")  # With a write-ahead log a crash cannot corrupt.
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    return engine


def _opening_mode(path: Path, *, create: bool) -> tuple[str, bool]:
    """How SQLite is to open the file: its URI's query, and whether to forbid writing.

    A reader that may write opens the file for writing all the same, for otherwise SQLite leaves its log
    behind; one that may not, and finds no log, tells SQLite that nobody else writes either, as it could not
    make the shared memory file.
    """
    if create:
        return "mode=rwc", False
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw", True
    has_log = any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-journal"))
    return "mode=ro" if has_log else "mode=ro&immutable=1", True


def _postgresql(url: URL, *, create: bool) -> Engine:
    missing = StorageError(
        "A PostgreSQL storage needs the psycopg package, which is not installed. "
        "Install it with `pip install fewest[postgres]`."
    )
    if importlib.util.find_spec("psycopg") is None:
        raise missing
    defaults = {"connect_timeout": _CONNECT_SECONDS, "application_name": "fewest"}
    try:
        engine = sa.create_engine(
            url,
            connect_args={key: value for key, value in defaults.items() if key not in url.query} | _preparing(url),
            execution_options={} if create else {"postgresql_readonly": True},
        )
    except ImportError as error:  # psycopg without a libpq
        raise missing from error
    _ping_after_idling(engine)
    return engine


def _preparing(url: URL) -> dict[str, int | None]:
    """The URL's `prepare_threshold` as psycopg takes it: how often a statement runs before it is prepared; None never.

    Poolers that work by transaction need `none`, unless they keep statements themselves.
    """
    asked = url.query.get("prepare_threshold")
    if asked is None:
        return {}
    if asked == "none":
        return {"prepare_threshold": None}
    if not (isinstance(asked, str) and asked.isdecimal()):
        raise MisuseError(
            "`prepare_threshold` in a storage's URL must be `none`, for a pooler that works by transaction, or how "
            f"often a statement runs before it is prepared, got {asked!r}."
        )
    return {"prepare_threshold": int(asked)}


def _ping_after_idling(engine: Engine) -> None:
    """Replace connections that a server's restart has cut, as `pool_pre_ping` does, but without asking each time.

    Bookkeeping is bursts of short transactions, of which a ping would take a tenth.
    """

    @event.listens_for(engine, "checkin")
    def remember(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None or time.monotonic() - idle_since < _PING_AFTER_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # The pool then opens another.


def _read_versions(connection: Connection) -> Versions:
    tables = set(sa.inspect(connection).get_table_names())

    def revision(table: str) -> str | None:
        if table not in tables:
            return None
        found = connection.exec_driver_sql(f"SELECT version_num FROM {table}").scalar()
        return None if found is None else str(found)

    return Versions(
        optuna=revision("alembic_version"),
        ours=revision(VERSION_TABLE),
        has_studies="studies" in tables,
        n_tables=len(tables),
    )


def _judge(versions: Versions, known: tuple[str, ...], place: str, *, create: bool, is_file: bool) -> None:
    """Refuse a database that this release must not touch, or has nothing to read from."""
    if versions.ours is not None and versions.ours not in REVISIONS:
        raise StorageError(
            f"The storage {place} must not be newer than this fewest, and its tables are of revision "
            f"{versions.ours!r}, beyond {HEAD_REVISION!r}. Upgrade fewest, or name another storage."
        )
    if versions.optuna is not None and versions.optuna not in known:
        raise StorageError(
            f"The storage {place} must not be newer than the installed Optuna, but its tables are of "
            f"revision {versions.optuna!r}, beyond {known[-1]!r}. "
            "Upgrade Optuna with `pip install -U optuna`, or name another storage."
        )
    if versions.optuna is not None and versions.optuna != known[-1]:
        raise StorageError(
            f"The storage {place} must have the installed Optuna's tables, and its are of the older revision "
            f"{versions.optuna!r}. Keep a copy, then upgrade it with `optuna storage upgrade --storage URL`."
        )
    if versions.has_studies:
        return
    if is_file and versions.n_tables > 0:
        raise StorageError(f"The storage must be a database of studies, and {place} holds another program's tables.")
    if not create:
        raise no_studies(place)


@cache
def _optuna_revisions() -> tuple[str, ...]:
    """The Alembic revisions that the installed Optuna knows, the newest last.

    They are read from the files, as importing Optuna and Alembic to learn them takes half a second.
    """
    spec = importlib.util.find_spec("optuna")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0], "storages", "_rdb", "alembic", "versions")
    after: dict[str | None, str] = {}
    for file in folder.glob("*.py"):
        names = dict(re.findall(r'^(revision|down_revision)\s*=\s*["\']([^"\']+)', file.read_text("utf-8"), re.M))
        if "revision" in names:
            after[names.get("down_revision")] = names["revision"]
    chain: list[str] = []
    while (following := after.get(chain[-1] if chain else None)) is not None:
        chain.append(following)
    return tuple(chain)


def _use_write_ahead_log(engine: Engine) -> None:
    """Let readers and one writer work side by side; the file remembers it.

    Left alone on a network file system, where the log's shared memory cannot work, and in a file that somebody
    else keeps busy: it works without, and the next to open it tries again. SQLite does not wait for the lock this
    takes, so two processes that open a new file together have to repeat it.
    """
    if engine.dialect.name != "sqlite" or network_file_system(sqlite_path(engine.url)):
        return
    with engine.connect() as connection:
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal":
            return
        for _ in range(_N_JOURNAL_ATTEMPTS):
            try:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except sa.exc.OperationalError as error:
                if "locked" not in str(error):
                    raise
                time.sleep(0.05)


def _prepare(connection: Connection) -> None:
    """Make the tables that are missing; of several processes that try at once, the first does it."""
    from fewest.storage.database import migrations

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    versions = _read_versions(connection)
    if not versions.has_studies:
        _create_optuna_tables(connection)
    if versions.ours != HEAD_REVISION:
        migrations.upgrade(connection)


def _create_optuna_tables(connection: Connection) -> None:
    """What `RDBStorage` does on an empty database, in one transaction, which it does not."""
    import optuna
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from optuna.storages._rdb import models

    models.BaseModel.metadata.create_all(connection)
    connection.execute(
        sa.insert(models.VersionInfoModel).values(
            version_info_id=1, schema_version=models.SCHEMA_VERSION, library_version=optuna.__version__
        )
    )
    script = ScriptDirectory(str(Path(models.__file__).parent / "alembic"))
    MigrationContext.configure(connection).stamp(script, "head")
