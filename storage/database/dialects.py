"""The two databases behind one interface: what differs between them stands in a module for each.

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
    """What a database's module has to offer."""

    @property
    def IS_FILE(self) -> bool:  # noqa: N802  # A constant of the module.
        """Whether a storage is a file that belongs to us alone, on one machine."""

    @property
    def FAULTS(self) -> Sequence[tuple[str, str]]:  # noqa: N802  # A constant of the module.
        """What the database may say, as a regular expression, and what that means to a user; the first counts.

        The meaning may have the expression's groups in it, and ROLE for the user's name.
        """

    def normalised(self, url: URL, typed: str) -> URL:
        """Bring a URL into the form that the other functions take.

        Args:
            url: Of this dialect.
            typed: The same as the user typed it, without a password; for messages.

        Raises:
            MisuseError: It names no storage.
        """

    def shown(self, url: URL) -> str:
        """Name a storage in a message, without its password."""

    def files_stem(self, url: URL) -> Path:
        """Give the path that the folders with a storage's files begin with."""

    def connect(self, url: URL, *, create: bool) -> Database:
        """Make a database of a URL, which opens its connections when they are asked for.

        Args:
            url: As `normalised` gives it.
            create: Whether it may be made, and is written to. If not, it refuses to write.

        Raises:
            MisuseError: The URL has options that nothing can be done with.
            NotFoundError: There is nothing to read.
            StorageError: It cannot be used, or its driver is not installed.
        """

    def settle(self, database: Database) -> None:
        """Give a database that is to be written to the settings that it remembers."""

    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction whose statements all see the database at one moment."""

    def begin_writing(self, connection: Connection) -> None:
        """Begin a transaction that no lock can fail half-way."""

    def fold_log(self, database: Database, *, empty: bool = False) -> None:
        """Bring the main file up to date with the log beside it, so that a copy of the file alone has all that ended.

        Args:
            database: That is written to, with no transaction open here.
            empty: Empty the log as well, at the end of a run.
        """

    def why_empty(self, connection: Connection) -> str:
        """Give a sentence on why a database without tables may be so, with a blank before it; or nothing."""

    def is_there(self, url: URL) -> bool:
        """Tell whether there is something at the URL that opening would not make."""

    def is_writable(self, url: URL) -> bool:
        """Tell whether this user may write to what is there, as far as that is known beforehand."""

    def discard(self, url: URL) -> None:
        """Remove what opening has made, if it holds nothing."""

    def lock_tables(self, connection: Connection) -> None:
        """Keep every other process from making tables until the transaction ends."""

    def insert(self, table: sa.Table) -> postgresql_sql.Insert | sqlite_sql.Insert:
        """Make an INSERT that can be told what to do about a row that is there already."""

    def may_pass(self, error: DBAPIError, said: str) -> bool:
        """Judge whether the same transaction may succeed if it is tried again soon.

        Args:
            error: The driver's, as SQLAlchemy raised it.
            said: Its first line.
        """


_DIALECTS: dict[str, Dialect] = {"sqlite": sqlite, "postgresql": postgresql}
"""By SQLAlchemy's name."""


def dialect_of(source: Database | Connection | URL) -> Dialect:
    """Choose the module of a database.

    Args:
        source: The database, a connection to it, or its URL.
    """
    return _DIALECTS[source.get_backend_name() if isinstance(source, URL) else source.dialect.name]
