"""PostgreSQL behind `Dialect`: its URLs, its connections through psycopg 3, its transactions and its faults.

`fewest.storage.database.dialects.Dialect` says what each public function does.
"""

import re
import time
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import URL, Connection, event
from sqlalchemy import Engine as Database
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from fewest.storage.errors import MisuseError, StorageError
from fewest.storage.extras import load

__all__ = [
    "FAULTS",
    "IS_FILE",
    "begin_reading",
    "begin_writing",
    "connect",
    "discard",
    "files_stem",
    "fold_log",
    "insert",
    "is_there",
    "is_writable",
    "lock_tables",
    "may_pass",
    "normalised",
    "settle",
    "shown",
    "why_empty",
]

IS_FILE: Final = False

FAULTS: Final = (
    (r"prepared statement", "a pooler before it forgets statements. Add `?prepare_threshold=none` to the URL"),
    (r"password|authentication|no pg_hba", "the server refuses this user. Check user and password"),
    (r"database \".*\" does not exist", "there is no such database. Create it with createdb"),
    (r"role \".*\" does not exist", "there is no such user. Check the URL"),
    (
        r"permission denied for schema (\S+)",
        r"this user may not use its schema. Let the owner run `GRANT USAGE, CREATE ON SCHEMA \1 TO ROLE`",
    ),
    (
        r"no schema has been selected",
        "this user may use no schema. Let the owner run `GRANT USAGE, CREATE ON SCHEMA public TO ROLE`",
    ),
    (
        r"permission denied for (?:table|relation|view|sequence)",
        "its tables are another user's. Let the owner run `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN "
        "SCHEMA public TO ROLE; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ROLE`",
    ),
    (
        r"permission denied for database (\S+)",
        r"this user may not connect to it. Let the owner run `GRANT CONNECT ON DATABASE \1 TO ROLE`",
    ),
    (
        r"must be owner of",
        "its tables must be upgraded by their owner. Let the owner run `fewest run` or `submit` first",
    ),
    (r"permission denied", "this user may not do that. Let the owner grant it"),
    (
        r"read-only transaction|during recovery",
        "the server takes no changes, as a standby does, or has `default_transaction_read_only` on. Name the server "
        "that takes them, or switch that off",
    ),
    (r"disk|No space", "the server's disk is full. Make room, then try again; what was stored stays"),
    (
        r"connect|timeout|timed out|resolve|terminat|closed|starting up|shutting down|server",
        "the server cannot be reached. Check that it runs, then try again; what was stored stays",
    ),
)

_DRIVER = "postgresql+psycopg"

_CONNECT_SECONDS = 10
"""How long to wait for a server that does not answer."""

_PING_AFTER_SECONDS = 1.0
"""A connection that was idle for longer is tested before use."""

_TABLES_LOCK = 0x666577657374
"""The advisory lock under which tables are made: "fewest" in ASCII."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html: lost connections, shutdown and start-up,
# too many connections, serialization failures and deadlocks.
_TRANSIENT_STATES = re.compile(r"08\w{3}|57P0[1-4]|53300|40001|40P01|55P03")


def normalised(url: URL, typed: str) -> URL:
    """Let every URL mean psycopg 3; see `Dialect.normalised`."""
    return url.set(drivername=_DRIVER)


def shown(url: URL) -> str:
    """Name the server and the database; see `Dialect.shown`."""
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    # The query may hold a password too; only a host in it (a socket's folder) helps a reader.
    host = url.host or url.query.get("host", "")
    return f"postgresql://{user}{host}{port}/{url.database or ''}"


def files_stem(url: URL) -> Path:
    """Choose the working directory; see `Dialect.files_stem`."""
    return Path("fewest")


def connect(url: URL, *, create: bool) -> Database:
    """Connect through psycopg; see `Dialect.connect`."""
    # Importing it finds out, too, whether it has its libpq.
    load("psycopg", "postgres", StorageError, what="A PostgreSQL storage")
    defaults = {"connect_timeout": _CONNECT_SECONDS, "application_name": "fewest"}
    database = sa.create_engine(
        url,
        connect_args={key: value for key, value in defaults.items() if key not in url.query} | _preparing(url),
        execution_options={} if create else {"postgresql_readonly": True},
    )
    _ping_after_idling(database)
    return database


def settle(database: Database) -> None:
    """Change nothing: a server has its settings."""


def begin_reading(connection: Connection) -> None:
    """Read from one snapshot; psycopg begins with the first statement."""
    connection.execution_options(isolation_level="REPEATABLE READ").exec_driver_sql("SELECT 1")


def begin_writing(connection: Connection) -> None:
    """Leave it to psycopg, which begins with the first statement; rows are locked one by one."""


def lock_tables(connection: Connection) -> None:
    """Take an advisory lock; see `Dialect.lock_tables`."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES_LOCK)))


def fold_log(database: Database, *, empty: bool = False) -> None:
    """Do nothing: a server tends its log itself."""


def why_empty(connection: Connection) -> str:
    """Say that this user may lack the right to see the tables."""
    if connection.exec_driver_sql("SELECT current_schema()").scalar() is not None:
        return ""
    user = connection.exec_driver_sql("SELECT current_user").scalar()
    return f" This user may not use its schema: let the owner run `GRANT USAGE ON SCHEMA public TO {user}`."


def is_there(url: URL) -> bool:
    """Return True: the server's owner creates databases."""
    return True


def is_writable(url: URL) -> bool:
    """Return True: the server reports a missing right itself."""
    return True


def discard(url: URL) -> None:
    """Do nothing: tables are made all at once or not at all."""


def may_pass(error: DBAPIError, said: str) -> bool:
    """Judge by the server's error code; without one, the connection failed before the server answered."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        refused = re.search(r"password|authentication|does not exist", said)
        return type(error).__name__ == "OperationalError" and not refused
    return _TRANSIENT_STATES.fullmatch(state) is not None


def _preparing(url: URL) -> dict[str, int | None]:
    """Read the URL's `prepare_threshold`: the runs after which psycopg prepares a statement; None for never.

    Poolers in transaction mode need `none`, unless they track prepared statements themselves.
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


def _ping_after_idling(database: Database) -> None:
    """Replace connections that a server's restart has cut, like `pool_pre_ping`, but without a ping each time.

    Bookkeeping runs short transactions in bursts. A ping before each would take a tenth of the time.
    """

    @event.listens_for(database, "checkin")
    def remember(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(database, "checkout")
    def ping(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        idle_since = record.info.get("idle_since")
        if idle_since is None or time.monotonic() - idle_since < _PING_AFTER_SECONDS:
            return
        try:
            database.dialect.do_ping(connection)
        except database.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # The pool then opens another.
