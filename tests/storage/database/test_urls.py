"""Storage URLs, and what file system a path lies on."""

from pathlib import Path

import pytest

from fewest.storage.database.mounts import mount_type, network_file_system
from fewest.storage.database.urls import parse_url, shown

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/export /home nfs4 rw 0 0
/dev/vdb /home/me/local ext4 rw 0 0
//nas/share /mnt/with\\040blank cifs rw 0 0
host:/x /mnt/ssh fuse.sshfs rw 0 0
overlay /mnt/over fuse.fuse-overlayfs rw 0 0
drive /mnt/c 9p rw 0 0
/dev/vdc /mnt/twice ext4 rw 0 0
server:/twice /mnt/twice nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tmp/study.db", None),
        ("/home/me/study.db", "nfs4"),
        ("/home/me/local/study.db", None),
        ("/homely/study.db", None),
        ("/mnt/with blank/study.db", "cifs"),
        ("/mnt/ssh/study.db", "fuse.sshfs"),
        ("/mnt/over/study.db", None),
        ("/mnt/c/study.db", "9p"),
        ("/mnt/twice/study.db", "nfs"),
    ],
)
def test_network_file_systems_are_told_from_local_ones(path: str, expected: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == expected


def test_no_mounts_no_type() -> None:
    assert mount_type(Path("/x"), "") is None


def test_a_relative_sqlite_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_url("sqlite:///a b.db").database == str(tmp_path / "a b.db")


@pytest.mark.parametrize("url", ["postgres://u:p@h:1/d", "postgresql://u:p@h:1/d", "postgresql+psycopg2://u:p@h:1/d"])
def test_every_postgresql_url_means_psycopg_3(url: str) -> None:
    parsed = parse_url(url)
    assert parsed.drivername == "postgresql+psycopg"
    assert shown(parsed) == "postgresql://u@h:1/d"


def test_a_password_in_the_query_is_not_shown() -> None:
    assert "secret" not in shown(parse_url("postgresql://h/d?password=secret"))
