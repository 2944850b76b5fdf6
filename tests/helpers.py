"""What the tests of several rooms call: commands as a user types them, and what a storage holds, by its URL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from fewest.cli import main
from fewest.storage.database.database import open_database
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.records import CurvePoint, TrialRecord, VerifiedNetwork
from fewest.storage.trials.results import read_results
from fewest.storage.trials.studies import read_study, read_trials

if TYPE_CHECKING:
    from fewest.job import Manner
    from fewest.search.training.interface import Engine
    from fewest.search.training.outcome import Outcome

__all__ = [
    "Overheard",
    "admin",
    "command",
    "curves_of",
    "essence",
    "named",
    "results_of",
    "sqlite_url",
    "stored",
    "trials_of",
]


def command(*arguments: object, manner: "Manner | None" = None) -> int:
    """Run `fewest` with these arguments, in this process; return its exit status."""
    try:
        main([str(argument) for argument in arguments], manner)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


class Overheard:
    """An engine of whose every epoch a function is told before the watcher records it.

    Args:
        engine: Trains.
        hear: Takes the epoch's number, counted from 0.
    """

    def __init__(self, engine: "Engine", hear: Callable[[int], None]) -> None:
        self._engine, self._hear = engine, hear
        self.cohort_size, self.right = engine.cohort_size, engine.right

    def train(self, *arguments: Any, order: Any, watcher: Any) -> "list[Outcome]":
        return self._engine.train(*arguments, order=order, watcher=_Ear(watcher, self._hear))


class _Ear:
    """A watcher that says so first."""

    def __init__(self, watcher: Any, hear: Callable[[int], None]) -> None:
        self._watcher, self._hear = watcher, hear

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watcher, name)

    def record(self, epoch: int, metrics: Any) -> None:
        self._hear(epoch)
        self._watcher.record(epoch, metrics)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


@contextmanager
def stored(url: str, name: str) -> Iterator[tuple[sa.Engine, int]]:
    """The database at a URL, and the key of one of its studies."""
    database = open_database(url, create=False)
    try:
        yield database, read_study(database, name).study_id
    finally:
        database.dispose()


def trials_of(url: str, name: str = "digits") -> list[TrialRecord]:
    """A study's trials, by number."""
    with stored(url, name) as (database, study_id):
        return read_trials(database, study_id)


def curves_of(url: str, name: str = "digits") -> dict[int, list[CurvePoint]]:
    """A study's learning curves, by the trial's key."""
    with stored(url, name) as (database, study_id):
        return read_curves(database, study_id)


def results_of(url: str, name: str = "digits") -> list[VerifiedNetwork]:
    """A study's verified networks."""
    with stored(url, name) as (database, study_id):
        return read_results(database, study_id)


def essence(trials: list[TrialRecord]) -> list[tuple[Any, ...]]:
    """All of a trial that the seed decides."""
    return [
        (t.number, t.state, t.widths, t.seed, t.epochs, t.best_epoch, t.validation_accuracy, t.reason) for t in trials
    ]


def named(server: str, database: str) -> str:
    """The URL of a database of a PostgreSQL server."""
    return sa.make_url(server).set(database=database).render_as_string(hide_password=False)


def admin(server: str) -> sa.Connection:
    """A connection that makes and drops databases of a PostgreSQL server."""
    engine = sa.create_engine(
        sa.make_url(server).set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
    )
    return engine.connect()
