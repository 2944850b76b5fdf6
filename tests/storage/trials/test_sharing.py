"""Who is warned of sharing a SQLite file."""

from sqlalchemy import Engine as Database

from fewest.storage.trials.leases import Leases
from fewest.storage.trials.processes import Process
from fewest.storage.trials.sharing import sharing_warning


def worker_elsewhere(database: Database) -> None:
    Leases(database, process=Process("elsewhere", "another kernel's boot", 1, "1")).beat()


def test_one_host_on_a_local_disk_is_not_warned(database: Database) -> None:
    assert sharing_warning(database, "/dev/sda / ext4 rw 0 0") is None


def test_sqlite_on_a_network_file_system_is_warned_of(database: Database) -> None:
    warning = sharing_warning(database, "server:/export / nfs4 rw 0 0")
    if database.dialect.name == "sqlite":
        assert warning is not None and "network file system (nfs4)" in warning and "study.db" in warning
    else:
        assert warning is None


def test_sqlite_used_from_several_hosts_is_warned_of(database: Database) -> None:
    worker_elsewhere(database)
    warning = sharing_warning(database, "")
    if database.dialect.name == "sqlite":
        assert warning is not None and "has workers on other hosts, too: elsewhere" in warning
    else:
        assert warning is None
