"""Faults that are not ours, in mid-study: survived, or one clear line and a study that can be continued."""

import errno
import os
import resource
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from helpers import Overheard, admin, command, essence, sqlite_url, trials_of

from fewest.job import Manner
from fewest.search.study.pace import Pace
from fewest.search.training.population.engine import PopulationEngine
from fewest.storage.database import sqlite
from fewest.storage.database.transactions import write
from fewest.storage.files.places import Folder
from fewest.storage.trials import rows, sharing

Fault = Callable[[], None]

pytestmark = pytest.mark.slow


SMALL = Manner(make_engine=lambda config: SmallCohorts())
"""Cohorts of four networks."""

SAVING = replace(SMALL, pace=Pace(checkpoint_due=lambda *_: True))
"""And a checkpoint after every epoch."""


class SmallCohorts(PopulationEngine):
    def cohort_size(self, *_: object) -> int:
        return 4


def run(url: str, file: Path, manner: Manner = SMALL) -> int:
    settings = ("training.epochs=3", "space.max_width=8", "budget.verification_seeds=0", "data.validation_share=0.25")
    overrides = [argument for setting in settings for argument in ("--set", setting)]
    return command(
        "run", "digits", "--data", file, "--trials", 8, "--quiet", *overrides, "--storage", url, manner=manner
    )


@pytest.fixture(scope="module")
def arrays_file(tmp_path_factory, tiny_arrays) -> Path:
    import numpy as np

    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, **tiny_arrays)
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, arrays_file) -> list[tuple]:
    """The trials of a study that nothing happened to."""
    url = sqlite_url(tmp_path_factory.mktemp("whole") / "studies.db")
    assert run(url, arrays_file) == 0
    return essence(trials_of(url))


def with_fault(fault: Fault, manner: Manner = SMALL) -> Manner:
    """Lets something happen once, before the fifth epoch is written down, in the middle of the second cohort."""
    n_epochs = 0

    def disturb(epoch: int) -> None:
        nonlocal n_epochs
        n_epochs += 1
        if n_epochs == 5:
            fault()

    return replace(manner, make_engine=lambda config: Overheard(SmallCohorts(), disturb))


@pytest.fixture
def impatient(monkeypatch) -> None:
    """A lock, or a server that is away, is waited for only a moment."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    monkeypatch.setitem(write.__kwdefaults__, "patience_seconds", 0.3)


def locked(path: Path, unlock: threading.Event) -> Fault:
    """Takes SQLite's lock; gives it back at the event."""

    def hold() -> None:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")

        def let_go() -> None:
            unlock.wait(60)
            connection.rollback()
            connection.close()

        threading.Thread(target=let_go).start()

    return hold


def test_a_full_disk_under_the_checkpoints_is_one_line(url, arrays_file, undisturbed, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        fault = with_fault(lambda: patch.setattr(Folder, "_write", full), SAVING)
        assert run(url, arrays_file, fault) == 1
    assert "Make room" in capsys.readouterr().err.splitlines()[-1]
    assert run(url, arrays_file) == 0
    assert essence(trials_of(url)) == undisturbed


def test_a_full_disk_under_the_database_is_one_line(url, tmp_path, arrays_file, undisturbed, capsys):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    fault = with_fault(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1])))
    try:
        assert run(url, arrays_file, fault) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert "make room, then try again" in line
    assert run(url, arrays_file) == 0
    assert essence(trials_of(url)) == undisturbed


def moved(path: Path) -> Path:
    return path.rename(path.with_name("moved.db"))


CHANGES = {
    "removed": lambda path: path.unlink(),
    "moved": lambda path: moved(path),
    "replaced": lambda path: shutil.copy(moved(path), path),
    "emptied": lambda path: os.truncate(path, 0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_database_that_goes_away_is_noticed_at_once(change, url, tmp_path, arrays_file, capsys):
    path = tmp_path / "studies.db"
    assert run(url, arrays_file, with_fault(lambda: change(path))) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert f"The storage {path} must stay in its place while it is in use" in line
    assert path.exists() == (change in (CHANGES["replaced"], CHANGES["emptied"]))  # It is not made anew.


def test_a_database_that_is_locked_for_a_while_is_waited_for(url, tmp_path, arrays_file, undisturbed):
    unlock = threading.Event()

    def lock() -> None:
        locked(tmp_path / "studies.db", unlock)()
        threading.Timer(1.0, unlock.set).start()

    assert run(url, arrays_file, with_fault(lock)) == 0
    assert essence(trials_of(url)) == undisturbed


def test_a_database_that_stays_locked_is_one_line(url, tmp_path, arrays_file, undisturbed, impatient, capsys):
    unlock = threading.Event()
    assert run(url, arrays_file, with_fault(locked(tmp_path / "studies.db", unlock))) == 1
    unlock.set()
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert "another program holds the lock for too long" in line
    while run(url, arrays_file) == 1:  # The other thread may hold it still.
        time.sleep(0.01)
    assert essence(trials_of(url)) == undisturbed


def test_a_database_server_that_restarts_is_waited_for(
    empty_postgresql, tmp_path, arrays_file, undisturbed, restart_server, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # Where checkpoints lie.
    assert run(empty_postgresql, arrays_file, with_fault(restart_server)) == 0
    assert essence(trials_of(empty_postgresql)) == undisturbed


def test_a_checkpoint_folder_that_is_deleted_is_made_again(url, tmp_path, arrays_file, undisturbed):
    fault = with_fault(lambda: shutil.rmtree(tmp_path / "studies.db.checkpoints"), SAVING)
    assert run(url, arrays_file, fault) == 0
    assert essence(trials_of(url)) == undisturbed


def test_a_clock_that_is_set_back_changes_no_trial(url, arrays_file, undisturbed, monkeypatch):
    now, real = rows.now, time.time

    def set_back() -> None:
        monkeypatch.setattr(rows, "now", lambda: now() - timedelta(days=1))
        monkeypatch.setattr(time, "time", lambda: real() - 86_400)

    assert run(url, arrays_file, with_fault(set_back)) == 0
    assert essence(trials_of(url)) == undisturbed


def test_sqlite_on_a_network_file_system_is_warned_of(url, arrays_file, undisturbed, monkeypatch, capsys):
    monkeypatch.setattr(sharing, "network_file_system", lambda *_: "nfs4")
    assert run(url, arrays_file) == 0
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning: ")]
    assert "network file system (nfs4)" in line


# A connection that is cut


@pytest.fixture
def cut_at(server: str) -> Iterator[Callable[[int], None]]:
    """Lets the server cut a connection of ours just before its n-th statement, counted from now."""
    n_left = 0

    def cut(connection: sa.Connection, *_: object) -> None:
        nonlocal n_left
        if connection.dialect.name != "postgresql" or n_left == 0:
            return
        n_left -= 1
        if n_left == 0:
            with admin(server) as other:
                process = connection.connection.driver_connection.info.backend_pid
                other.exec_driver_sql(f"SELECT pg_terminate_backend({process}, 5000)")

    def arrange(n: int) -> None:
        nonlocal n_left
        n_left = n

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", cut)
    yield arrange
    sa.event.remove(sa.engine.Engine, "before_cursor_execute", cut)


@pytest.fixture
def settled(tmp_path, monkeypatch, arrays_file, empty_postgresql) -> str:
    """The URL of a server's database with a finished study, from the folder its checkpoints would lie in."""
    monkeypatch.chdir(tmp_path)
    assert run(empty_postgresql, arrays_file) == 0
    return empty_postgresql


QUICK = {
    "studies": ("studies",),
    "answer": ("answer", "digits"),
    "report": ("report", "digits"),
    "submit": ("submit", "digits", "--name", "later", "--set", "training.epochs=3"),
    "run again": ("resume", "digits", "--quiet"),
    "worker": ("worker", "digits", "--quiet"),
    "verify": ("verify", "digits", "--quiet", "--seeds", "2"),
}


def test_a_connection_cut_in_mid_command_is_one_line_and_loses_nothing(settled, cut_at, undisturbed, capsys):
    """Wherever it is cut; afterwards the command works."""
    for arguments in QUICK.values():
        for n in (1, 3, 8):
            capsys.readouterr()
            cut_at(n)
            status = command(*arguments, "--storage", settled, manner=SMALL)
            cut_at(0)
            said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("Error", "Traceback"))]
            assert (status, len(said)) in ((0, 0), (1, 1)), (arguments, n, said)
            assert all("try again" in line for line in said), said
        assert command(*arguments, "--storage", settled, manner=SMALL) == 0
    assert essence(trials_of(settled)) == undisturbed


@pytest.mark.parametrize("n", [40, 90])
def test_a_connection_cut_in_mid_search_loses_nothing(
    n, empty_postgresql, tmp_path, monkeypatch, arrays_file, undisturbed, cut_at, capsys
):
    monkeypatch.chdir(tmp_path)
    cut_at(n)
    status = run(empty_postgresql, arrays_file)
    cut_at(0)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("Error", "Traceback"))]
    assert (status, len(said)) in ((0, 0), (1, 1)), said
    assert run(empty_postgresql, arrays_file) == 0
    assert essence(trials_of(empty_postgresql)) == undisturbed
