"""The two databases behind one interface, with one module for each.

dialect_of(database).begin_writing(connection)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import URL, Connection
from sqlalchemy import Engine as Database
from sqlalchemy.dialects import postgresql as postgresql_sql
from sqlalchemy.dialects import sqlite as sqlite_sql
from sqlalchemy.exc import DBAPIError

from fewest.storage.database import postgresql, sqlite

__all__ = ["Dialect", "dialect_of"]


class Dialect(Protocol):
    """What every database's module provides."""

    @property
    def IS_FILE(self) -> bool:  # noqa: N802  # A constant of the module.
        """Whether a storage is a file on one machine that belongs to this program alone."""

    @property
    def FAULTS(self) -> Sequence[tuple[str, str]]:  # noqa: N802  # A constant of the module.
        """Pairs of a regular expression for the database's message and its meaning for a user; the first match counts.

        A meaning may refer to the expression's groups, and to the user's name as ROLE.
        """

    def normalised(self, url: URL, typed: str) -> URL:
        """Convert a URL to the form that the other functions take.

        Args:
            url: A URL of this dialect.
            typed: The URL as the user typed it, without a password, for messages.

        Raises:
            MisuseError: The URL names no storage.
        """

    def shown(self, url: URL) -> str:
        """Name a storage in a message, without its password."""

    def files_stem(self, url: URL) -> Path:
        """Return the path that the names of a storage's folders begin with."""

    def connect(self, url: URL, *, create: bool) -> Database:
        """Create a database from a URL; connections open on demand.

        Args:
            url: The result of `normalised`.
            create: Whether the database may be created and written to. If false, it refuses to write.

        Raises:
            MisuseError: The URL has options that the driver does not support.
            NotFoundError: There is no database to read.
            StorageError: The database cannot be used, or its driver is not installed.
        """

    def settle(self, database: Database) -> None:
        """Apply the persistent settings of a database that will be written to."""

    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction whose statements all see the database at one moment."""

    def begin_writing(self, connection: Connection) -> None:
        """Begin a transaction that takes its locks first, so that none can fail it half-way."""

    def fold_log(self, database: Database, *, empty: bool = False) -> None:
        """Copy the log into the main file, so that a copy of that file alone holds every committed transaction.

        Args:
            database: A database opened for writing, without an open transaction in this process.
            empty: Whether to empty the log as well, at the end of a run.
        """

    def why_empty(self, connection: Connection) -> str:
        """Return a sentence, after a blank, on why a database may have no tables; or an empty string."""

    def is_there(self, url: URL) -> bool:
        """Say whether something exists at the URL already."""

    def is_writable(self, url: URL) -> bool:
        """Say whether this user may write to the database, as far as that is known beforehand."""

    def discard(self, url: URL) -> None:
        """Remove a newly created database if it is empty."""

    def lock_tables(self, connection: Connection) -> None:
        """Keep every other process from making tables until the transaction ends."""

    def insert(self, table: sa.Table) -> postgresql_sql.Insert | sqlite_sql.Insert:
        """Create an INSERT that supports an ON CONFLICT clause."""

    def may_pass(self, error: DBAPIError, said: str) -> bool:
        """Judge whether the same transaction may succeed if it is tried again soon.

        Args:
            error: The driver's error, as SQLAlchemy raised it.
            said: The first line of the error's message.
        """


_DIALECTS: dict[str, Dialect] = {"sqlite": sqlite, "postgresql": postgresql}
"""The modules by SQLAlchemy's name of the dialect."""


def dialect_of(source: Database | Connection | URL) -> Dialect:
    """Return the module of a database.

    Args:
        source: The database, a connection to it, or its URL.
    """
    return _DIALECTS[source.get_backend_name() if isinstance(source, URL) else source.dialect.name]
