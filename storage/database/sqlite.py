"""What is SQLite's: its URLs, its file, how that is opened, its transactions and its faults.

The file is looked at before SQLite is asked, since SQLite could make or change one. See
`fewest.storage.database.dialects.Dialect` for what each public function is for.
"""

import os
import re
import sqlite3
import struct
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import URL, Connection, event
from sqlalchemy import Engine as Database
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from fewest.storage.database.mounts import network_file_system
from fewest.storage.errors import MisuseError, StorageError, no_studies

__all__ = [
    "BUSY_SECONDS",
    "FAULTS",
    "IS_FILE",
    "begin_reading",
    "begin_writing",
    "connect",
    "file_of",
    "files_stem",
    "insert",
    "lock_tables",
    "may_pass",
    "normalised",
    "settle",
    "shown",
]

IS_FILE: Final = True

FAULTS: Final = (
    (r"database (table )?is locked", "another program holds the lock for too long. Close it and try again"),
    (r"disk is full", "its disk is full. Make room and continue with `fewest resume`"),
    (r"readonly|read-only", "it must be writable by you. Change the permissions or name another storage"),
    (r"not a database", "it is not a SQLite database. Name another file"),
    (r"malformed", "the file is damaged. Restore it from a copy or name another storage"),
    (r"unable to open", "the file cannot be opened. Check its folder's permissions"),
    (
        r"disk I/O error",
        "its disk fails to read or write. Check the disk, then continue with `fewest resume`",
    ),
)

BUSY_SECONDS: Final = 60.0
"""How long one statement waits for the lock."""

_N_JOURNAL_ATTEMPTS = 40
_JOURNAL_PAUSE_SECONDS = 0.05

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100

_opened: set[tuple[int, int]] = set()
"""Files, by device and inode, that SQLite has opened in this process. To open and close such a file otherwise would
drop SQLite's locks on it, and let another process take the log away from under a connection: see
https://www.sqlite.org/howtocorrupt.html, section 2.2."""


def normalised(url: URL, typed: str) -> URL:
    """Make the path absolute; see `Dialect.normalised`."""
    if url.host or url.query or not url.database or url.database.startswith((":memory:", "file:")):
        raise MisuseError(
            "A SQLite `storage` must name a file, as sqlite:///relative/path.db or "
            f"sqlite:////absolute/path.db, and no options, got {typed!r}."
        )
    return url.set(drivername="sqlite", database=str(Path(url.database).absolute()))


def file_of(url: URL) -> Path:
    """Give the file of a URL.

    Args:
        url: As `normalised` gives it.
    """
    assert url.database is not None
    return Path(url.database)


def shown(url: URL) -> str:
    """Name the file; see `Dialect.shown`."""
    return str(file_of(url))


def files_stem(url: URL) -> Path:
    """Choose the file; see `Dialect.files_stem`."""
    return file_of(url)


def connect(url: URL, *, create: bool) -> Database:
    """Look at the file, then let SQLite open it; see `Dialect.connect`."""
    path = file_of(url)
    _check_file(path, create=create)
    query, read_only = _opening_mode(path, create=create)

    def open_file() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.as_uri()}?{query}", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
        )
        _opened.add(_identity(path))
        return connection

    database = sa.create_engine(url, creator=open_file)

    @event.listens_for(database, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")  # With a write-ahead log a crash cannot corrupt.
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    return database


def settle(database: Database) -> None:
    """Let readers and one writer work side by side by a write-ahead log; the file remembers it.

    Left alone on a network file system, where the log's shared memory cannot work, and in a file that somebody
    else keeps busy: it works without, and the next to open it tries again. SQLite does not wait for the lock this
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
    """Begin; the driver's own implicit transactions would begin only at the first change."""
    connection.exec_driver_sql("BEGIN")


def begin_writing(connection: Connection) -> None:
    """Take the write lock at once, so that what is read cannot change before it is written."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def lock_tables(connection: Connection) -> None:
    """Do nothing: a transaction that writes holds the whole file."""


def may_pass(error: DBAPIError, said: str) -> bool:
    """Judge by the words: only locks pass."""
    return re.search(r"is locked|is busy", said) is not None


def _opening_mode(path: Path, *, create: bool) -> tuple[str, bool]:
    """Choose how SQLite opens the file: its URI's query, and whether writing is forbidden.

    A reader that has the right to write opens the file for writing all the same: otherwise SQLite leaves its log
    behind. One that has not, and finds no log, says that nobody else writes either: it could not make the shared
    memory file.
    """
    if create:
        return "mode=rwc", False
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw", True
    return "mode=ro" if _has_log(path) else "mode=ro&immutable=1", True


def _check_file(path: Path, *, create: bool) -> None:
    """Refuse what cannot be a database of ours, before SQLite is asked and could create or change a file.

    Args:
        path: Absolute.
        create: Whether the file may be made and must be writable.

    Raises:
        MisuseError: A folder or another non-file stands there, or the folder it is to be in is missing.
        NotFoundError: The file is missing or empty, and `create` is false.
        StorageError: It must not be read or written, or it is not a whole SQLite database.
    """
    try:
        _check_standing_file(path, create=create)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"The storage {path} must be readable: {error.strerror or error}.") from error


def _check_standing_file(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise MisuseError(f"The storage must be a file, and {path} is a folder. Name a file in it.")
    if not path.exists():
        _check_missing_file(path, create=create)
        return
    if not path.is_file():
        raise MisuseError(f"The storage must be an ordinary file, and {path} is not. Name another.")
    if not os.access(path, os.R_OK):
        raise StorageError(f"The storage {path} must be readable by you. Change its permissions or name another.")
    if create and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise StorageError(
            f"The storage {path} and its folder must be writable by you. Change their permissions or name another."
        )
    damage = None if _identity(path) in _opened else _damage(path)
    if damage:
        raise StorageError(f"The storage must be a SQLite database, and {path} {damage}. Name another file.")
    if not create and path.stat().st_size == 0:
        raise no_studies(str(path))


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _check_missing_file(path: Path, *, create: bool) -> None:
    if path.is_symlink():
        raise MisuseError(f"The storage {path} is a link to a file that does not exist. Mend it or name another.")
    if not path.parent.is_dir():
        raise MisuseError(f"The storage's folder {path.parent} must exist. Create it or name another.")
    if not create:
        raise no_studies(str(path))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StorageError(
            f"The storage's folder {path.parent} must be writable by you. Change its permissions or name another."
        )


def _damage(path: Path) -> str | None:
    """Say what is wrong with a file as a SQLite database, as far as its header and length tell.

    The length is judged by the header only if no write-ahead log stands beside the file to mend it.
    See https://www.sqlite.org/fileformat.html, section 1.3.
    """
    size = path.stat().st_size
    if size == 0:
        return None
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_MAGIC):
        return "is something else"
    if len(header) < _HEADER_BYTES:
        return "is cut off"
    page_bytes: int = struct.unpack(">H", header[16:18])[0]
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    n_pages: int = struct.unpack(">I", header[28:32])[0]
    pages_valid = header[24:28] == header[92:96]
    if pages_valid and not _has_log(path) and n_pages * page_bytes > size:
        return f"is cut off: it has {size:,} of {n_pages * page_bytes:,} bytes"
    return None


def _has_log(path: Path) -> bool:
    return any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-journal"))
