"""Warnings for shared SQLite files: SQLite's locks do not hold between hosts or on network file systems."""

import sqlalchemy as sa
from sqlalchemy import Engine as Database

from fewest.storage.database import sqlite
from fewest.storage.database.dialects import dialect_of
from fewest.storage.database.mounts import network_file_system
from fewest.storage.database.sql import has_table
from fewest.storage.database.tables import workers
from fewest.storage.database.transactions import reading
from fewest.storage.database.urls import shown
from fewest.storage.trials.processes import this_process

__all__ = ["foreign_hosts", "sharing_warning"]


def sharing_warning(database: Database, mounts: str | None = None) -> str | None:
    """Return one line of warning if a SQLite file is shared in a way that may damage it; else None.

    Args:
        database: The storage's database.
        mounts: The text of /proc/mounts; None reads the file.

    Raises:
        StorageError: The database cannot be read.
    """
    if not dialect_of(database).IS_FILE:
        return None
    kind, hosts = network_file_system(sqlite.file_of(database.url), mounts), foreign_hosts(database)
    if not kind and not hosts:
        return None
    found = (
        f"lies on a network file system ({kind})" if kind else f"has workers on other hosts, too: {', '.join(hosts)}"
    )
    return (
        f"Warning: the SQLite file {shown(database.url)} {found}. SQLite's locks do not hold there, and the file may "
        "be damaged: use PostgreSQL as the storage (`postgresql://...`)."
    )


def foreign_hosts(database: Database) -> list[str]:
    """Return the names of other machines with workers at this storage; on SQLite a reason to warn.

    Containers on this machine are not foreign. Machines without a known kernel boot are never named.

    Raises:
        StorageError: The database cannot be read.
    """
    here = this_process().boot.partition(" ")[0]
    with reading(database) as connection:
        if not here or not has_table(connection, workers):
            return []
        rows = connection.execute(sa.select(workers.c.host, workers.c.boot).distinct())
        return sorted({host for host, boot in rows if boot and boot.partition(" ")[0] != here})
