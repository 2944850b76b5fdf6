"""One transaction at a time: begun so that no lock can fail it half-way, and repeated where that is safe.

On SQLite a writer takes the write lock at its start (BEGIN IMMEDIATE), so what it reads cannot change before
it writes; the driver's own implicit transactions would begin only at the first change.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from fewest.storage.database.faults import clear_errors, explain, is_transient
from fewest.storage.database.location import place_of

__all__ = ["BUSY_SECONDS", "PATIENCE_SECONDS", "reading", "write"]

BUSY_SECONDS = 60.0
"""How long one statement waits for SQLite's lock."""

PATIENCE_SECONDS = 120.0
"""How long a transaction is repeated while the database is locked, restarting or out of reach."""

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0

Result = TypeVar("Result")


@contextmanager
def reading(source: Engine | Connection, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Connection]:
    """A connection whose statements all see the database at one moment; nothing is kept.

    Args:
        source: The database; or a connection in a transaction of the caller's, to read what that sees.
        patience_seconds: For how long to try to begin while the database is restarting or out of reach.

    Raises:
        StorageError: The database cannot be read.
    """
    if isinstance(source, Connection):
        yield source
        return
    with clear_errors(place_of(source.url)), _begun(source, patience_seconds) as connection:
        yield connection


def write(
    engine: Engine,
    work: Callable[[Connection], Result],
    *,
    idempotent: bool = True,
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Run `work` in one transaction and commit it.

    Args:
        engine: Where.
        work: Called with the connection, again from its start after a passing failure: a lock that is not
            given up, a lost connection, a server restarting, a deadlock. It must have no other effects.
        idempotent: Whether running `work` twice does no harm. If not, it is not repeated after a failed
            commit, which may have been carried out all the same.
        patience_seconds: For how long to repeat it.
        clock: Seconds that never go back.
        sleep: Waits for so many seconds.

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
            with engine.connect() as connection:
                if engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
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
            repeatable = is_transient(error) and (idempotent or not committing)
            if not repeatable or (pause := next(pauses, None)) is None:
                raise explain(error, place_of(engine.url)) from error
        sleep(pause)


def _begun(engine: Engine, patience_seconds: float) -> Connection:
    """A connection in a transaction that reads; a server that has restarted meanwhile is noticed here."""
    pauses = _pauses(patience_seconds, time.monotonic)
    while True:
        try:
            return _begin(engine)
        except DBAPIError as error:
            if not is_transient(error) or (pause := next(pauses, None)) is None:
                raise
        time.sleep(pause)


def _begin(engine: Engine) -> Connection:
    connection = engine.connect()
    try:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            # psycopg begins with the first statement.
            connection.execution_options(isolation_level="REPEATABLE READ").exec_driver_sql("SELECT 1")
    except BaseException:
        connection.close()
        raise
    return connection


def _pauses(patience_seconds: float, clock: Callable[[], float]) -> Iterator[float]:
    """How long to wait before each new attempt, until patience ends."""
    deadline = clock() + patience_seconds

    def pauses() -> Iterator[float]:
        pause = _FIRST_PAUSE_SECONDS
        while clock() + pause <= deadline:
            yield pause
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    return pauses()
