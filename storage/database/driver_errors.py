"""Errors of a database driver, each in one clear line: what must hold, what arrived, what to do next."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fewest.storage.database.dialects import dialect_of
from fewest.storage.database.urls import shown
from fewest.storage.errors import FewestError, StorageError

__all__ = ["clear_errors", "explain", "may_pass"]


def explain(error: DBAPIError, url: URL) -> StorageError:
    """Describe a driver's error in one line.

    Args:
        error: The error as SQLAlchemy raised it.
        url: The storage's URL.
    """
    said = _first_line(error)
    for pattern, meaning in dialect_of(url).FAULTS:
        if found := re.search(pattern, said, re.IGNORECASE):
            means = found.expand(meaning).replace("ROLE", url.username or "ROLE")
            return StorageError(f"The storage {shown(url)} cannot be used: {means}. (The database says: {said})")
    return StorageError(f"The storage {shown(url)} refused a request. (The database says: {said})")


def may_pass(error: DBAPIError, url: URL) -> bool:
    """Judge whether the same transaction may succeed if it is tried again soon.

    Args:
        error: The error as SQLAlchemy raised it.
        url: The storage's URL.
    """
    return error.connection_invalidated or dialect_of(url).may_pass(error, _first_line(error))


@contextmanager
def clear_errors(url: URL) -> Iterator[None]:
    """Convert a failing database's errors, from SQLAlchemy or from Optuna, into a `StorageError`.

    Args:
        url: The storage's URL.
    """
    try:
        yield
    except FewestError:
        raise
    except DBAPIError as error:
        raise explain(error, url) from error
    except Exception as error:
        # Optuna's StorageInternalError: its own text blames the data, its cause tells.
        if isinstance(error.__cause__, DBAPIError):
            raise explain(error.__cause__, url) from error
        if isinstance(error, SQLAlchemyError) or isinstance(error.__cause__, SQLAlchemyError):
            raise StorageError(f"The storage {shown(url)} cannot be used: {_line(error)}") from error
        raise


def _first_line(error: DBAPIError) -> str:
    return _line(error.orig) if error.orig is not None else _line(error)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return re.sub(r"(?i)(pass\w*=)\S*", r"\1***", lines[0].strip()) if lines else type(error).__name__
