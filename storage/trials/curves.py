"""Learning curves: one row for each trial and epoch, written for a whole cohort at once.

Optuna's intermediate values are not used: its TPE sampler fails on them in a study with several objectives.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage.database.sql import from_null, has_table, nan_to_null, upsert
from fewest.storage.database.tables import curves, trials
from fewest.storage.database.transactions import reading, write
from fewest.storage.trials.leases import lost_trials
from fewest.storage.trials.records import CurvePoint

__all__ = ["read_curves", "write_curves"]


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
        sa.select(
            curves.c.trial_id,
            curves.c.epoch,
            curves.c.loss,
            curves.c.accuracy,
            curves.c.val_loss,
            curves.c.val_accuracy,
        )
        .join(trials, trials.c.trial_id == curves.c.trial_id)
        .where(trials.c.study_id == study_id, curves.c.trial_id >= since)
        .order_by(curves.c.trial_id, curves.c.epoch)
    )
    found: dict[int, list[CurvePoint]] = {}
    with reading(source) as connection:
        if not has_table(connection, curves):
            return found
        for trial_id, epoch, *metrics in connection.execute(query):
            found.setdefault(trial_id, []).append(CurvePoint(epoch, *map(from_null, metrics)))
    return found
