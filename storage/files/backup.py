"""Backup of a SQLite storage into one file, while other processes write to it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection

from fewest.storage.database.database import open_database
from fewest.storage.database.dialects import dialect_of
from fewest.storage.database.sqlite_file import has_log
from fewest.storage.database.transactions import reading
from fewest.storage.database.urls import parse_url, shown
from fewest.storage.errors import MisuseError, StorageError
from fewest.storage.files.atomic import is_stream, replacing

__all__ = ["back_up"]


def back_up(url: str, target: Path) -> None:
    """Copy a storage, as it is at one moment, into a single file.

    Args:
        url: The storage's URL; the storage is only read.
        target: The new file, which must not exist.

    Raises:
        MisuseError: The storage is on a server, or the file exists or is a stream.
        NotFoundError: There is no storage.
        StorageError: The storage cannot be read, or the file cannot be written.
    """
    parsed = parse_url(url)
    if not dialect_of(parsed).IS_FILE:
        raise MisuseError(
            f"A backup must be of a SQLite file, and {shown(parsed)} is a server's. "
            "Use PostgreSQL's own `pg_dump --format=custom --file=FILE URL`."
        )
    if is_stream(target):
        raise MisuseError(f"A backup must be a file, and {target} is a pipe or a device. Name a new file.")
    if target.exists() or target.is_symlink():
        raise MisuseError(f"A backup must be a new file, and {target} exists. Name another or move that one away.")
    if has_log(target):
        raise MisuseError(
            f"A backup must have no log of another file beside it, and {target}-wal or -journal lies there. "
            "Name another or move that one away."
        )
    if not target.absolute().parent.is_dir():
        raise MisuseError(f"The backup's folder {target.absolute().parent} must exist. Create it or name another.")
    database = open_database(url, create=False)
    try:
        with reading(database) as connection:
            _copy(connection, target)
    finally:
        database.dispose()


def _copy(connection: Connection, target: Path) -> None:
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    try:
        with replacing(target, to_disk=True) as temporary, closing(sqlite3.connect(temporary)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # One file, until a study writes to it.
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"The backup {target} must be written whole, got: {error}. Make room, or name another file."
        ) from error
