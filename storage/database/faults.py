"""What a database driver reports, in one clear line: what must hold, what arrived, what to do next."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fewest.storage.errors import FewestError, StorageError

__all__ = ["clear_errors", "explain", "is_transient"]

_SQLITE_PATTERNS = (
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
_POSTGRES_PATTERNS = (
    (r"prepared statement", "a pooler before it forgets statements. Add `?prepare_threshold=none` to the URL"),
    (r"password|authentication|no pg_hba", "the server refuses this user. Check user and password"),
    (r"database \".*\" does not exist", "there is no such database. Create it with createdb"),
    (r"role \".*\" does not exist", "there is no such user. Check the URL"),
    (r"permission denied", "this user may not do that. Grant it the rights"),
    (r"read-only transaction", "the storage was opened for reading only"),
    (r"disk|No space", "the server's disk is full. Make room and continue with `fewest resume`"),
    (
        r"connect|timeout|timed out|resolve|terminat|closed|starting up|shutting down|server",
        "the server cannot be reached. Check that it runs, then continue with `fewest resume`",
    ),
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html: lost connections, shutdown and start-up,
# too many connections, serialization failures and deadlocks.
_TRANSIENT_STATES = re.compile(r"08\w{3}|57P0[1-4]|53300|40001|40P01|55P03")


def explain(error: DBAPIError, place: str) -> StorageError:
    """Put a driver's error into one line.

    Args:
        error: As SQLAlchemy raised it.
        place: What to call the storage, without a password.
    """
    said = _first_line(error)
    module = type(error.orig).__module__
    for pattern, meaning in _SQLITE_PATTERNS if module.startswith("sqlite3") else _POSTGRES_PATTERNS:
        if re.search(pattern, said, re.IGNORECASE):
            return StorageError(f"The storage {place} cannot be used: {meaning}. (The database says: {said})")
    return StorageError(f"The storage {place} refused a request. (The database says: {said})")


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed if tried again soon."""
    if error.connection_invalidated:
        return True
    if type(error.orig).__module__.startswith("sqlite3"):
        return re.search(r"is locked|is busy", _first_line(error)) is not None
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # The connection failed before the server could say anything.
        return type(error).__name__ == "OperationalError" and not re.search(
            r"password|authentication|does not exist", _first_line(error)
        )
    return _TRANSIENT_STATES.fullmatch(state) is not None


@contextmanager
def clear_errors(place: str) -> Iterator[None]:
    """Turn what SQLAlchemy, or Optuna on top of it, raises for a failing database into a `StorageError`.

    Args:
        place: What to call the storage in the message.
    """
    try:
        yield
    except FewestError:
        raise
    except DBAPIError as error:
        raise explain(error, place) from error
    except Exception as error:
        # Optuna's StorageInternalError: its own text blames the data, its cause tells.
        if isinstance(error.__cause__, DBAPIError):
            raise explain(error.__cause__, place) from error
        if isinstance(error, SQLAlchemyError) or isinstance(error.__cause__, SQLAlchemyError):
            raise StorageError(f"The storage {place} cannot be used: {_line(error)}") from error
        raise


def _first_line(error: DBAPIError) -> str:
    return _line(error.orig) if error.orig is not None else _line(error)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return re.sub(r"(?i)(pass\w*=)\S*", r"\1***", lines[0].strip()) if lines else type(error).__name__
