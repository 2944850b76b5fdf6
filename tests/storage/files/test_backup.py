"""Backups: whole, made while others write, and never in the place of another file."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from storage_helpers import COHORT, at_most, complete, make_study, train

from fewest.storage.errors import MisuseError, NotFoundError, StorageError
from fewest.storage.files.atomic import STDOUT
from fewest.storage.files.backup import back_up
from fewest.storage.trials.cohort_storage import CohortStorage


def test_a_backup_has_all_that_was_written_while_it_is_made(opened: CohortStorage, path: Path) -> None:
    study_id = make_study(opened)
    train(opened, study_id)
    opened.create_trials(study_id, [None])  # In the log only.
    target = path.with_name("b[1] ü.db")
    back_up(f"sqlite:///{path}", target)
    train(opened, study_id)
    assert complete(target) == {"study": COHORT}
    assert sorted(found.name for found in path.parent.glob("*b*1*")) == [target.name]


def test_a_backup_can_be_continued(opened: CohortStorage, path: Path) -> None:
    study_id, target = make_study(opened), path.with_name("backup.db")
    back_up(f"sqlite:///{path}", target)
    continued = CohortStorage(f"sqlite:///{target}")
    train(continued, study_id)
    continued.close()
    assert (complete(target), complete(path)) == ({"study": COHORT}, {"study": 0})


def test_a_backup_is_made_while_somebody_writes(opened: CohortStorage, path: Path) -> None:
    make_study(opened)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM studies")
        back_up(f"sqlite:///{path}", path.with_name("backup.db"))
        writer.execute("ROLLBACK")
    assert complete(path.with_name("backup.db")) == {"study": 0}


@pytest.mark.parametrize("target", ["studies.db", "notes.txt", "folder", "link"])
def test_a_backup_replaces_nothing(opened: CohortStorage, path: Path, target: str) -> None:
    make_study(opened)
    folder = path.parent
    (folder / "notes.txt").write_text("mine")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("nowhere")
    with pytest.raises(MisuseError, match="must be a new file"):
        back_up(f"sqlite:///{path}", folder / target)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_backup_is_no_stream(opened: CohortStorage, path: Path) -> None:
    make_study(opened)
    os.mkfifo(path.with_name("pipe"))
    for stream in (path.with_name("pipe"), Path("/dev/null"), STDOUT):
        with pytest.raises(MisuseError, match="is a pipe or a device"):
            back_up(f"sqlite:///{path}", stream)


def test_a_backup_that_does_not_fit_is_one_line_and_leaves_nothing(opened: CohortStorage, path: Path) -> None:
    make_study(opened)
    opened.close()
    with at_most(60_000), pytest.raises(StorageError, match="must be written whole") as caught:
        back_up(f"sqlite:///{path}", path.with_name("backup.db"))
    assert "\n" not in str(caught.value)
    assert [found.name for found in path.parent.iterdir()] == ["studies.db"]


def test_a_backup_into_a_missing_folder_or_of_nothing_is_misuse(opened: CohortStorage, path: Path) -> None:
    with pytest.raises(MisuseError, match=r"folder .* must exist"):
        back_up(f"sqlite:///{path}", path.with_name("missing") / "backup.db")
    with pytest.raises(NotFoundError, match="There are no studies"):
        back_up(f"sqlite:///{path.with_name('none.db')}", path.with_name("backup.db"))


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_log_of_another_file_is_not_applied_to_a_backup(opened: CohortStorage, path: Path, suffix: str) -> None:
    make_study(opened)
    path.with_name(f"backup.db{suffix}").write_bytes(b"of another file")
    with pytest.raises(MisuseError, match="no log of another file"):
        back_up(f"sqlite:///{path}", path.with_name("backup.db"))


def test_a_servers_backup_is_its_own_tools() -> None:
    with pytest.raises(MisuseError, match="pg_dump") as caught:
        back_up("postgresql://me:secret@host/db", Path("backup.db"))
    assert "secret" not in str(caught.value)
