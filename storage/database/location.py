"""Where a storage is: reading its URL, and looking at a SQLite file before SQLite does.

Nothing here opens or changes a database. Passwords never reach a message.
"""

import os
import re
import struct
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from fewest.storage.errors import MisuseError, NotFoundError, StorageError

__all__ = [
    "DEFAULT_URL",
    "check_sqlite_file",
    "folder_beside",
    "mount_type",
    "network_file_system",
    "no_studies",
    "opened_by_sqlite",
    "parse_url",
    "place_of",
    "sqlite_path",
]

DEFAULT_URL = "sqlite:///fewest.db"

_NETWORK_TYPES = re.compile(
    r"(nfs4?|cifs|smb[23]?|smbfs|smb3|9p|afs|ncpfs|ceph|lustre|glusterfs|gfs2?|ocfs2|beegfs|gpfs|orangefs|pvfs2"
    r"|fuse\.(?!(?:fuse-overlayfs|ntfs|ntfs-3g|exfat|gocryptfs|encfs|lxcfs|portal|gvfsd-fuse)$).+)"
)
_SQLITE_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100

_opened: set[tuple[int, int]] = set()
"""Files, by device and inode, that SQLite has opened in this process. To open and close such a file otherwise would
drop SQLite's locks on it, and let another process take the log away from under a connection: see
https://www.sqlite.org/howtocorrupt.html, section 2.2."""


def parse_url(url: str) -> URL:
    """Read a storage URL; a SQLite path becomes absolute, every PostgreSQL URL means psycopg 3.

    Args:
        url: `sqlite:///FILE`, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE` or the same with `postgres://`.

    Raises:
        MisuseError: It is none of these.

    >>> parse_url("postgres://me@example.org/studies").drivername
    'postgresql+psycopg'
    """
    scheme = url.partition(":")[0].partition("+")[0]
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or scheme not in ("sqlite", "postgresql", "postgres"):
        raise MisuseError(
            "`storage` must be a URL such as sqlite:///fewest.db or postgresql://user@host/database, "
            f"got {_harmless(url)!r}."
        )
    if scheme != "sqlite":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.host or parsed.query or not parsed.database or parsed.database.startswith((":memory:", "file:")):
        raise MisuseError(
            "A SQLite `storage` must name a file, as sqlite:///relative/path.db or "
            f"sqlite:////absolute/path.db, and no options, got {_harmless(url)!r}."
        )
    return parsed.set(drivername="sqlite", database=str(Path(parsed.database).absolute()))


def sqlite_path(url: URL) -> Path:
    """The file of a parsed SQLite URL."""
    assert url.database is not None
    return Path(url.database)


def folder_beside(url: URL, what: str) -> Path:
    """Where files that belong to a storage lie: beside a SQLite file, else in the working directory.

    >>> folder_beside(parse_url("sqlite:////data/study.db"), "checkpoints").as_posix()
    '/data/study.db.checkpoints'
    >>> folder_beside(parse_url("postgresql://me@example.org/studies"), "checkpoints").as_posix()
    'fewest.checkpoints'
    """
    if url.drivername != "sqlite":
        return Path(f"fewest.{what}")
    file = sqlite_path(url)
    return file.with_name(f"{file.name}.{what}")


def place_of(url: URL) -> str:
    """What to call a storage in a message: the file, or the server and database without the password.

    >>> place_of(parse_url("postgresql://me:secret@example.org/studies"))
    'postgresql://me@example.org/studies'
    """
    if url.drivername == "sqlite":
        return str(sqlite_path(url))
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    # The query may hold a password too; only a host in it (a socket's folder) helps a reader.
    host = url.host or url.query.get("host", "")
    return f"postgresql://{user}{host}{port}/{url.database or ''}"


def opened_by_sqlite(path: Path) -> None:
    """Take note that SQLite has opened a file in this process: from now on nothing else may."""
    _opened.add(_identity(path))


def check_sqlite_file(path: Path, *, create: bool) -> None:
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
        _check_sqlite_file(path, create=create)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"The storage {path} must be readable: {error.strerror or error}.") from error


def _check_sqlite_file(path: Path, *, create: bool) -> None:
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


def no_studies(place: str) -> NotFoundError:
    """What to raise when there is nothing to read."""
    return NotFoundError(
        f"There are no studies in {place} yet. Start one with `fewest run STUDY`, or name the storage with --storage."
    )


def _damage(path: Path) -> str | None:
    """What is wrong with a file as a SQLite database, as far as its header and length tell.

    The length is judged by the header only if no write-ahead log stands beside the file to mend it.
    See https://www.sqlite.org/fileformat.html, section 1.3.
    """
    size = path.stat().st_size
    if size == 0:
        return None
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_SQLITE_MAGIC):
        return "is something else"
    if len(header) < _HEADER_BYTES:
        return "is cut off"
    page_bytes: int = struct.unpack(">H", header[16:18])[0]
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    n_pages: int = struct.unpack(">I", header[28:32])[0]
    pages_valid = header[24:28] == header[92:96]
    has_log = any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-journal"))
    if pages_valid and not has_log and n_pages * page_bytes > size:
        return f"is cut off: it has {size:,} of {n_pages * page_bytes:,} bytes"
    return None


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """The type of the network file system a path lies on, or None on a local one or where it cannot be told.

    SQLite's locks and its write-ahead log do not hold between hosts that share a file over a network.

    Args:
        path: A file or folder, existing or not.
        mounts: The text of /proc/mounts; read from there by default.

    >>> network_file_system(Path("/data/study.db"), "server:/export /data nfs4 rw 0 0")
    'nfs4'
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    found = mount_type(path.resolve(), mounts)
    return found if found is not None and _NETWORK_TYPES.fullmatch(found) else None


def mount_type(path: Path, mounts: str) -> str | None:
    """The file system type of the innermost mount that holds a path; of several on one point, the last."""
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        # Blanks and the like are written as octal escapes.
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        if path.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), fields[2])
    return best[1] if best else None


def _harmless(url: str) -> str:
    """A URL as typed, without what could be a password."""
    url = re.sub(r"//[^/]*@", "//***@", url)
    return re.sub(r"(?i)(pass\w*=)[^&]*", r"\1***", url)
