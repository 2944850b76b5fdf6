"""One transaction at a time: begun so that no lock can fail it half-way, and repeated where that is safe.

How a transaction begins is each database's own: see `begin_reading` and `begin_writing` of its module.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError

from fewest.storage.database.dialects import dialect_of
from fewest.storage.database.driver_errors import clear_errors, explain, may_pass

__all__ = ["reading", "write"]

PATIENCE_SECONDS = 120.0
"""How long a transaction is repeated while the database is locked, restarting or out of reach."""

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0

Result = TypeVar("Result")


@contextmanager
def reading(source: Database | Connection, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Connection]:
    """Yield a connection on which all statements see the database at one moment; changes are not kept.

    Args:
        source: The database; or a connection in a transaction of the caller's, to read within it.
        patience_seconds: How long to try to begin while the database restarts or cannot be reached.

    Raises:
        StorageError: The database cannot be read.
    """
    if isinstance(source, Connection):
        yield source
        return
    with clear_errors(source.url), _begun(source, patience_seconds) as connection:
        yield connection


def write(
    database: Database,
    work: Callable[[Connection], Result],
    *,
    idempotent: bool = True,
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Run `work` in one transaction and commit it.

    Args:
        database: A storage opened with `create=True`.
        work: A function of the connection. It is called again from its start after a temporary failure: a lock
            that is held too long, a lost connection, a server restarting, a deadlock. It must have no other effects.
        idempotent: Whether running `work` twice does no harm. If false, it is not repeated after a failed
            commit, since that commit may have succeeded.
        patience_seconds: How long to repeat it.
        clock: A monotonic clock, in seconds.
        sleep: A function that waits for a number of seconds.

    Returns:
        What `work` returned.

    Raises:
        StorageError: The database refused, or did not recover in time. Nothing was changed, unless the
            commit's answer was lost.
    """
    pauses = _pauses(patience_seconds, clock)
    while True:
        committing = False
        try:
            with database.connect() as connection:
                dialect_of(database).begin_writing(connection)
                result = work(connection)
                committing = True
                try:
                    connection.commit()
                except BaseException:
                    # What state it is in is anybody's guess.
                    connection.invalidate()
                    raise
                return result
        except DBAPIError as error:
            repeatable = may_pass(error, database.url) and (idempotent or not committing)
            if not repeatable or (pause := next(pauses, None)) is None:
                raise explain(error, database.url) from error
        sleep(pause)


def _begun(database: Database, patience_seconds: float) -> Connection:
    """Open a connection in a transaction that reads; a server that has restarted meanwhile is noticed here."""
    pauses = _pauses(patience_seconds, time.monotonic)
    while True:
        try:
            return _begin(database)
        except DBAPIError as error:
            if not may_pass(error, database.url) or (pause := next(pauses, None)) is None:
                raise
        time.sleep(pause)


def _begin(database: Database) -> Connection:
    connection = database.connect()
    try:
        dialect_of(database).begin_reading(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _pauses(patience_seconds: float, clock: Callable[[], float]) -> Iterator[float]:
    """Say how long to wait before each new attempt, until patience ends."""
    deadline = clock() + patience_seconds

    def pauses() -> Iterator[float]:
        pause = _FIRST_PAUSE_SECONDS
        while clock() + pause <= deadline:
            yield pause
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    return pauses()
