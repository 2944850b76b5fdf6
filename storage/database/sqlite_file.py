"""A SQLite file as the operating system sees it: checked before SQLite opens it, and watched while in use.

SQLite itself could create a missing file, accept a truncated one, or delete the log of an emptied one.
"""

import os
import sqlite3
import struct
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from fewest.storage.errors import MisuseError, StorageError, no_studies

__all__ = ["Standing", "check_file", "check_standing", "has_log", "is_writable", "note_opened", "remove_empty"]

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100

_FIRST_PAGE_BYTES = 4096
"""The most bytes of a file in which no table was created."""

_opened: set[tuple[int, int]] = set()
"""Files, by device and inode, that SQLite has opened in this process. Opening and closing such a file by other means
would drop SQLite's locks on it. Another process could then remove the log under a connection: see
https://www.sqlite.org/howtocorrupt.html, section 2.2."""


class Standing(NamedTuple):
    """The file at a path."""

    identity: tuple[int, int]
    """Device and inode."""
    bytes: int


def note_opened(path: Path) -> Standing:
    """Remember which file SQLite has just opened.

    Args:
        path: The file.

    Returns:
        The file's identity, to compare with later; see `check_standing`.
    """
    found = _standing(path)
    _opened.add(found.identity)
    return found


def check_standing(path: Path, opened: Standing) -> Standing:
    """Check that a path still leads to the file that SQLite has open; otherwise later writes would be lost.

    Args:
        path: The file.
        opened: The file that was opened.

    Returns:
        The file that is there now.

    Raises:
        StorageError: The file was removed, replaced or emptied.
    """
    try:
        found = _standing(path)
    except FileNotFoundError:
        raise _changed(path, "removed") from None
    if found.identity != opened.identity:
        raise _changed(path, "replaced by another")
    if found.bytes == 0 < opened.bytes:
        raise _changed(path, "emptied")
    return found


def is_writable(path: Path) -> bool:
    """Say whether this user may write to a file and to its folder; SQLite needs both.

    Args:
        path: The file, which exists.
    """
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def remove_empty(path: Path) -> None:
    """Remove a new file in which no table could be created, and SQLite's files beside it.

    Args:
        path: The file, which this process has not open.
    """
    with suppress(OSError):
        if _is_without_tables(path):
            for suffix in ("", "-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)


def has_log(path: Path) -> bool:
    """Say whether a write-ahead log or a journal lies beside a file.

    Args:
        path: The file.
    """
    return any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-journal"))


def check_file(path: Path, *, create: bool) -> None:
    """Refuse a path that cannot be a database of ours, before SQLite could create or change a file.

    Args:
        path: The absolute path.
        create: Whether the file may be created and must be writable.

    Raises:
        MisuseError: The path is a folder or another non-file, or its folder is missing.
        NotFoundError: The file is missing or empty, and `create` is false.
        StorageError: The file must not be read or written, or is not a complete SQLite database.
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
    if create and not is_writable(path):
        raise StorageError(
            f"The storage {path} and its folder must be writable by you. Change their permissions or name another."
        )
    damage = None if _standing(path).identity in _opened else _damage(path)
    if damage:
        raise StorageError(f"The storage must be a SQLite database, and {path} {damage}. Name another file.")
    if path.stat().st_size == 0:
        _check_no_log(path, "empty")
        if not create:
            raise no_studies(str(path))


def _check_missing_file(path: Path, *, create: bool) -> None:
    if path.is_symlink():
        raise MisuseError(f"The storage {path} is a link to a file that does not exist. Mend it or name another.")
    if not path.parent.is_dir():
        raise MisuseError(f"The storage's folder {path.parent} must exist. Create it or name another.")
    _check_no_log(path, "missing")
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
    if pages_valid and not has_log(path) and n_pages * page_bytes > size:
        return f"is cut off: it has {size:,} of {n_pages * page_bytes:,} bytes"
    return None


def _check_no_log(path: Path, what: str) -> None:
    """Refuse a log without its database, which SQLite would delete."""
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size > 0:
        raise StorageError(
            f"The storage {path} is {what}, and its write-ahead log {log} still lies there. "
            "Put the file back that it belongs to, or move the log away."
        )


def _is_without_tables(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])
    except sqlite3.Error:  # Reading, too, can take room on the disk.
        return path.stat().st_size <= _FIRST_PAGE_BYTES


def _standing(path: Path) -> Standing:
    found = path.stat()
    return Standing((found.st_dev, found.st_ino), found.st_size)


def _changed(path: Path, how: str) -> StorageError:
    return StorageError(
        f"The storage {path} must stay in its place while it is in use, and it was {how}. "
        "Put it back, from a copy if need be, then try again."
    )
