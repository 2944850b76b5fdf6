"""A SQLite file and its log: kept whole, kept small, and watched."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from storage_helpers import COHORT, at_most, complete, make_study, train

from fewest.storage.database.database import open_database
from fewest.storage.database.transactions import reading, write
from fewest.storage.errors import NotFoundError, StorageError
from fewest.storage.trials.cohort_storage import CohortStorage

# The log


def test_a_copy_of_the_file_alone_has_every_cohort_that_ended(opened: CohortStorage, path: Path) -> None:
    copied = path.with_name("copied.db")
    study_id = make_study(opened)
    shutil.copy(path, copied)
    assert complete(copied) == {"study": 0}
    train(opened, study_id)
    train(opened, study_id)
    shutil.copy(path, copied)
    assert complete(copied) == {"study": 2 * COHORT}


def test_the_log_stays_small_over_a_long_study(opened: CohortStorage, path: Path) -> None:
    study_id = make_study(opened)
    sizes = []
    for _ in range(60):
        train(opened, study_id)
        sizes.append(Path(f"{path}-wal").stat().st_size)
    assert max(sizes) < 500_000
    assert max(sizes[40:]) <= max(sizes[20:40])


def test_a_run_ends_with_the_log_empty_though_another_has_the_file_open(opened: CohortStorage, path: Path) -> None:
    study_id = make_study(opened)
    with closing(sqlite3.connect(path)) as dashboard:
        dashboard.execute("SELECT count(*) FROM trials").fetchone()
        opened.set_study_user_attr(study_id, "key", "value")
        opened.close()
        assert Path(f"{path}-wal").stat().st_size == 0


def test_a_reader_in_mid_transaction_does_not_keep_a_run_from_its_end(opened: CohortStorage, path: Path) -> None:
    study_id = make_study(opened)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM trials").fetchone()
        train(opened, study_id)
        opened.close()
    assert complete(path) == {"study": COHORT}


def leave_log_of(path: Path, content: bytes | None) -> Path:
    """A log whose database is gone, or holds this."""
    log = Path(f"{path}-wal")
    log.write_bytes(b"what a study had found")
    if content is not None:
        path.write_bytes(content)
    return log


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(("content", "said"), [(None, "is missing"), (b"", "is empty")])
def test_a_log_without_its_database_is_named_and_kept(
    path: Path, content: bytes | None, said: str, create: bool
) -> None:
    log = leave_log_of(path, content)
    with pytest.raises(StorageError, match=rf"{said}, and its write-ahead log .*-wal still lies there"):
        open_database(f"sqlite:///{path}", create=create)
    assert log.read_bytes() == b"what a study had found"


def test_a_copy_without_its_log_is_explained(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    with pytest.raises(NotFoundError, match=r"lacks what stood in the log, studies\.db-wal, .* `fewest backup`"):
        open_database(f"sqlite:///{path}", create=False)


def test_a_file_that_never_had_a_log_is_only_empty(path: Path) -> None:
    path.touch()
    with pytest.raises(NotFoundError, match=r"There are no studies in .*studies\.db yet\. `fewest\.search`"):
        open_database(f"sqlite:///{path}", create=False)


# The file


def unlink(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    move(path)
    shutil.copy(path.with_name("moved.db"), path)


def empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("change", [unlink, move, replace, empty])
def test_the_next_transaction_notices_that_the_file_is_gone(
    opened: CohortStorage, path: Path, change: Callable[[Path], None]
) -> None:
    make_study(opened)
    change(path)
    there = sorted(path.parent.iterdir())
    for again in (False, True):
        if again:
            opened.engine.dispose()  # A connection anew does not make the file anew.
        with pytest.raises(StorageError, match="must stay in its place while it is in use"):
            write(opened.engine, lambda connection: connection.exec_driver_sql("SELECT 1"))
        with pytest.raises(StorageError, match="must stay in its place"), reading(opened.engine):
            pass
    opened.close()
    assert path.exists() == (path in there)


@pytest.mark.parametrize("n_bytes", [0, 4096, 8192, 50_000])
def test_a_disk_too_small_for_the_tables_leaves_nothing(path: Path, n_bytes: int) -> None:
    with at_most(n_bytes), pytest.raises(StorageError, match="make room, then try again"):
        open_database(f"sqlite:///{path}", create=True)
    assert list(path.parent.iterdir()) == []


def test_a_file_that_was_there_stays(path: Path) -> None:
    path.touch()
    with at_most(4096), pytest.raises(StorageError):
        open_database(f"sqlite:///{path}", create=True)
    assert path.exists()
