"""Learning curves: one row for each trial and epoch, written for a whole cohort at once.

Optuna's intermediate values are not used: its TPE sampler fails on them in a study with several objectives.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage.database.sql import from_null, has_table, nan_to_null, upsert
from fewest.storage.database.tables import curves, trials
from fewest.storage.database.transactions import reading, write
from fewest.storage.trials.fences import lost_trials
from fewest.storage.trials.records import CurvePoint

__all__ = ["read_curves", "read_curves_of", "write_curves"]


def write_curves(
    database: Database,
    points: Mapping[int, Sequence[CurvePoint]],
    *,
    fences: Mapping[int, int] | None = None,
) -> frozenset[int]:
    """Write epochs of several trials in one transaction; an epoch written before is replaced.

    Args:
        database: The database of a storage opened with `create=True`.
        points: Epochs by trial id. Metrics may be NaN or infinite.
        fences: The writer's fences (`Leases.fences`) by trial id. A trial is not written if another worker has its
            lease, or if it has no fence here. None checks no leases.

    Returns:
        The ids of trials not written: taken by another worker, or deleted from the storage meanwhile.

    Raises:
        StorageError: The database cannot be written; then nothing was.
    """
    if not points:
        return frozenset()
    return write(database, lambda connection: insert_curves(connection, points, fences))


def insert_curves(
    connection: Connection, points: Mapping[int, Sequence[CurvePoint]], fences: Mapping[int, int] | None
) -> frozenset[int]:
    """Do the work of `write_curves` within the caller's transaction."""
    refused = lost_trials(connection, points, fences)
    rows = [
        {
            "trial_id": trial_id,
            "epoch": point.epoch,
            "loss": nan_to_null(point.loss),
            "accuracy": nan_to_null(point.accuracy),
            "val_loss": nan_to_null(point.val_loss),
            "val_accuracy": nan_to_null(point.val_accuracy),
        }
        for trial_id, sequence in points.items()
        if trial_id not in refused
        for point in sequence
    ]
    if rows:
        connection.execute(upsert(connection, curves), rows)
    return refused


def read_curves(source: Database | Connection, study_id: int, *, since: int = 0) -> dict[int, list[CurvePoint]]:
    """Read all curves of a study, by trial id, each in the order of its epochs; trials without one are left out.

    Args:
        source: The storage's database, or a connection in a transaction.
        study_id: The study's key.
        since: The lowest trial id to read; older trials have lower ids.

    Raises:
        StorageError: The database cannot be read.
    """
    query = (
        _points()
        .join(trials, trials.c.trial_id == curves.c.trial_id)
        .where(trials.c.study_id == study_id, curves.c.trial_id >= since)
    )
    with reading(source) as connection:
        return _found(connection, query)


def read_curves_of(source: Database | Connection, trial_ids: Collection[int]) -> dict[int, list[CurvePoint]]:
    """Read the curves of some trials, as `read_curves` does.

    Args:
        source: The storage's database, or a connection in a transaction.
        trial_ids: The trials' ids.

    Raises:
        StorageError: The database cannot be read.
    """
    with reading(source) as connection:
        return _found(connection, _points().where(curves.c.trial_id.in_(trial_ids)))


def _points() -> sa.Select[Any]:
    columns = ("trial_id", "epoch", "loss", "accuracy", "val_loss", "val_accuracy")
    return sa.select(*(curves.c[name] for name in columns)).order_by(curves.c.trial_id, curves.c.epoch)


def _found(connection: Connection, query: sa.Select[Any]) -> dict[int, list[CurvePoint]]:
    found: dict[int, list[CurvePoint]] = {}
    if not has_table(connection, curves):
        return found
    for trial_id, epoch, *metrics in connection.execute(query):
        found.setdefault(trial_id, []).append(CurvePoint(epoch, *map(from_null, metrics)))
    return found
