"""SQLite behind `Dialect`: its URLs, how its file is opened, its transactions and its faults.

`fewest.storage.database.sqlite_file` checks the file itself. `fewest.storage.database.dialects.Dialect` says what
each public function does.
"""

import re
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import URL, Connection, event
from sqlalchemy import Engine as Database
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from fewest.storage.database import sqlite_file
from fewest.storage.database.mounts import network_file_system
from fewest.storage.database.sqlite_file import Standing, check_file, check_standing, has_log, note_opened
from fewest.storage.errors import MisuseError, StorageError

__all__ = [
    "BUSY_SECONDS",
    "FAULTS",
    "IS_FILE",
    "begin_reading",
    "begin_writing",
    "connect",
    "discard",
    "file_of",
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

IS_FILE: Final = True

FAULTS: Final = (
    (r"database (table )?is locked", "another program holds the lock for too long. Close it and try again"),
    (r"disk is full", "its disk is full. Make room, then try again; what was stored stays"),
    (r"readonly|read-only", "it must be writable by you. Change the permissions or name another storage"),
    (r"not a database", "it is not a SQLite database. Name another file"),
    (r"malformed", "the file is damaged. Restore it from a copy or name another storage"),
    (
        r"unable to open",
        "the file cannot be opened. Check its folder's permissions; if a log, FILE-wal, lies beside it, copy both to a "
        "folder that you may write to",
    ),
    (
        r"disk I/O error",
        "its disk fails to read or write, or is full. Check the disk and make room, then try again",
    ),
)

BUSY_SECONDS: Final = 60.0
"""How long one statement waits for the lock."""

_STANDING = "standing"
"""Key of the connections' shared list, of one item: the file that was at the path when last checked."""

_N_JOURNAL_ATTEMPTS = 40
_JOURNAL_PAUSE_SECONDS = 0.05

_CLOSING_SECONDS = 0.5
"""Seconds that the end of a run waits for readers before it empties the log."""


def normalised(url: URL, typed: str) -> URL:
    """Make the path absolute; see `Dialect.normalised`."""
    if url.host or url.query or not url.database or url.database.startswith((":memory:", "file:")):
        raise MisuseError(
            "A SQLite `storage` must name a file, as sqlite:///relative/path.db or "
            f"sqlite:////absolute/path.db, and no options, got {typed!r}."
        )
    return url.set(drivername="sqlite", database=str(Path(url.database).absolute()))


def file_of(url: URL) -> Path:
    """Return the file of a URL.

    Args:
        url: The result of `normalised`.
    """
    assert url.database is not None
    return Path(url.database)


def shown(url: URL) -> str:
    """Name the file; see `Dialect.shown`."""
    return str(file_of(url))


def files_stem(url: URL) -> Path:
    """Return the file; see `Dialect.files_stem`."""
    return file_of(url)


def connect(url: URL, *, create: bool) -> Database:
    """Check the file, then let SQLite open it; see `Dialect.connect`."""
    path = file_of(url)
    check_file(path, create=create)
    query, read_only = _opening_mode(path, create=create)

    opened: list[Standing] = []

    def open_file() -> sqlite3.Connection:
        how = query
        if opened:
            check_standing(path, opened[0])
            how = query.replace("rwc", "rw")  # The file was there: not to be made anew where it was removed.
        uri = f"{path.as_uri()}?{how}"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        opened[:] = [note_opened(path)]
        return connection

    database = sa.create_engine(url, creator=open_file)

    @event.listens_for(database, "connect")
    def set_up(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_STANDING] = opened
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")  # With a write-ahead log a crash cannot corrupt.
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    return database


def settle(database: Database) -> None:
    """Turn on the write-ahead log, so that readers and one writer work side by side; the file remembers it.

    Two cases are left alone: a network file system, where the log's shared memory cannot work, and a busy file. Both
    work without a log, and the next process to open the file tries again. SQLite does not wait for the lock that this
    takes, so two processes that open a new file together have to repeat it.
    """
    if network_file_system(file_of(database.url)):
        return
    with database.connect() as connection:
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal":
            return
        for _ in range(_N_JOURNAL_ATTEMPTS):
            try:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except sa.exc.OperationalError as error:
                if "locked" not in str(error):
                    raise
                time.sleep(_JOURNAL_PAUSE_SECONDS)


def begin_reading(connection: Connection) -> None:
    """Begin explicitly: the driver's implicit transactions begin only at the first change."""
    _check_place(connection)
    connection.exec_driver_sql("BEGIN")


def begin_writing(connection: Connection) -> None:
    """Take the write lock at once, so that no other process can change the rows read before they are written."""
    _check_place(connection)
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def fold_log(database: Database, *, empty: bool = False) -> None:
    """Copy the write-ahead log into the file, as far as readers let it; see `Dialect.fold_log`."""
    with suppress(DBAPIError, StorageError), database.connect() as connection:
        if empty:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * _CLOSING_SECONDS)}")
        connection.exec_driver_sql(f"PRAGMA wal_checkpoint({'TRUNCATE' if empty else 'PASSIVE'})")


def why_empty(connection: Connection) -> str:
    """Say that a copy without its log lacks the newest data; see `Dialect.why_empty`."""
    if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
        return ""
    path = file_of(connection.engine.url)
    return (
        f" A copy that was made while a study ran lacks what stood in the log, {path.name}-wal, beside the original: "
        "copy both, or use `fewest backup`."
    )


def lock_tables(connection: Connection) -> None:
    """Do nothing: a transaction that writes holds the whole file."""


def may_pass(error: DBAPIError, said: str) -> bool:
    """Judge by the message: only locks are temporary."""
    return re.search(r"is locked|is busy", said) is not None


def is_there(url: URL) -> bool:
    """Say whether the file exists."""
    return file_of(url).exists()


def is_writable(url: URL) -> bool:
    """Say whether this user may write to the file and its folder."""
    return sqlite_file.is_writable(file_of(url))


def discard(url: URL) -> None:
    """Remove the file if it holds nothing; see `Dialect.discard`."""
    sqlite_file.remove_empty(file_of(url))


def _check_place(connection: Connection) -> None:
    """Check before each transaction that the file was not removed or replaced."""
    opened = connection.info[_STANDING]
    opened[:] = [check_standing(file_of(connection.engine.url), opened[0])]


def _opening_mode(path: Path, *, create: bool) -> tuple[str, bool]:
    """Choose how SQLite opens the file: its URI's query, and whether writing is forbidden.

    A reader with the right to write opens the file for writing too: otherwise SQLite leaves its log behind. A reader
    without that right cannot create the shared memory file. If it finds no log, it declares the file immutable.
    """
    if create:
        return "mode=rwc", False
    if sqlite_file.is_writable(path):
        return "mode=rw", True
    return "mode=ro" if has_log(path) else "mode=ro&immutable=1", True
