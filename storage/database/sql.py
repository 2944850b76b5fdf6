"""Small pieces of SQL that both databases understand."""

import math
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import NoSuchTableError

from fewest.storage.database.dialects import dialect_of

__all__ = ["columns_of", "from_null", "has_table", "insert", "insert_new", "nan_to_null", "upsert"]


def insert(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Create an INSERT that supports an ON CONFLICT clause.

    Args:
        connection: A connection, which decides the dialect.
        table: The table to insert into.
    """
    return dialect_of(connection).insert(table)


def upsert(connection: Connection, table: sa.Table, keys: tuple[str, ...] = ()) -> sa.Insert:
    """Create an INSERT that updates the other columns of an existing row.

    Args:
        connection: A connection, which decides the dialect.
        table: The table to insert into.
        keys: The columns of a unique constraint; the primary key by default.
    """
    statement = insert(connection, table)
    keys = keys or tuple(column.name for column in table.primary_key)
    surrogate = {column.name for column in table.primary_key}
    return statement.on_conflict_do_update(
        index_elements=list(keys),
        set_={
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in keys and column.name not in surrogate
        },
    )


def insert_new(connection: Connection, table: sa.Table) -> sa.Insert:
    """Create an INSERT that leaves an existing row as it is."""
    return insert(connection, table).on_conflict_do_nothing()


def has_table(connection: Connection, table: sa.Table) -> bool:
    """Say whether the database has a table of ours: databases written by Optuna alone have none."""
    return sa.inspect(connection).has_table(table.name)


def columns_of(connection: Connection, table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """Return the columns of a table of ours to select; NULL stands for one that an older release did not make.

    Without the table there are none: see `has_table`.
    """
    try:
        there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    except NoSuchTableError:
        return []
    return [column if column.name in there else sa.null().label(column.name) for column in table.columns]


def nan_to_null(value: float) -> float | None:
    """Convert NaN to NULL, as SQLite itself would.

    >>> nan_to_null(float("nan")), nan_to_null(0.5)
    (None, 0.5)
    """
    return None if math.isnan(value) else float(value)


def from_null(value: float | None) -> float:
    """Read back what `nan_to_null` stored."""
    return math.nan if value is None else value
