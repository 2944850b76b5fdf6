"""Learning curves: one row a trial and epoch, written for a whole cohort at once.

Optuna's intermediate values would do, but its TPE sampler fails on them when a study has several objectives.
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
        database: Of a storage opened with `create=True`.
        points: By trial id. Metrics may be NaN or infinite.
        fences: The fences the writer holds (`Leases.fences`), by trial id. A trial whose lease has passed to
            another worker, or that is not in here, is not written. None: no leases are asked.

    Returns:
        The trial ids that were not written: taken by another worker, or deleted from the storage meanwhile.

    Raises:
        StorageError: The database cannot be written; then nothing was.
    """
    if not points:
        return frozenset()
    return write(database, lambda connection: insert_curves(connection, points, fences))


def insert_curves(
    connection: Connection, points: Mapping[int, Sequence[CurvePoint]], fences: Mapping[int, int] | None
) -> frozenset[int]:
    """`write_curves` within a transaction of the caller's."""
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
    """All curves of a study, by trial id; each in the order of its epochs. Trials without one are not in it.

    Args:
        source: The storage's database, or a connection in a transaction.
        study_id: Whose.
        since: Leaves out trials whose id is lower, which are older.

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
