"""Databases of a PostgreSQL server."""

import sqlalchemy as sa
from sqlalchemy import make_url


def named(server: str, database: str) -> str:
    """The URL of one."""
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def admin(server: str) -> sa.Connection:
    """A connection that makes and drops them."""
    engine = sa.create_engine(
        make_url(server).set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
    )
    return engine.connect()
