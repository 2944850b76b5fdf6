"""SQLite where it does not belong: its locks do not hold between hosts, nor on network file systems."""

from sqlalchemy import Engine

from fewest.storage.database.location import network_file_system, place_of, sqlite_path
from fewest.storage.trials.leases import foreign_hosts

__all__ = ["sharing_warning"]


def sharing_warning(engine: Engine, mounts: str | None = None) -> str | None:
    """One line of warning if a SQLite file is shared in a way that may damage it; None of any other storage.

    Args:
        engine: Of the storage.
        mounts: The text of /proc/mounts; read from there by default.

    Raises:
        StorageError: The database cannot be read.
    """
    if engine.dialect.name != "sqlite":
        return None
    kind, hosts = network_file_system(sqlite_path(engine.url), mounts), foreign_hosts(engine)
    if not kind and not hosts:
        return None
    found = (
        f"lies on a network file system ({kind})" if kind else f"has workers on other hosts, too: {', '.join(hosts)}"
    )
    return (
        f"Warning: the SQLite file {place_of(engine.url)} {found}. SQLite's locks do not hold there, and the file may "
        "be damaged: use PostgreSQL (`--storage postgresql://...`)."
    )
