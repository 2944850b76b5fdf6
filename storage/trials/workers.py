"""The workers of a study as an observer sees them: which trials they hold, how many heartbeats they have counted.

Nothing here writes. `leases` says what a heartbeat is; `silence` follows the counts over time.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage.database.sql import has_table
from fewest.storage.database.tables import leases, trials, workers
from fewest.storage.database.transactions import reading
from fewest.storage.trials.processes import Process, ProcessState, state_of

__all__ = ["WorkerRecord", "read_workers"]


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """One worker that has trained for a study and has not signed off.

    Attributes:
        worker_id: Its id.
        host: Name of its host.
        pid: Id of its process there.
        beat: Heartbeats that it has counted.
        lease_seconds: Seconds that it may be silent.
        n_running: Running trials of the study that it holds.
        process: State of its process; "unknown" on another host.
    """

    worker_id: str
    host: str
    pid: int
    beat: int
    lease_seconds: float
    n_running: int
    process: ProcessState


def read_workers(source: Database | Connection, study_id: int) -> list[WorkerRecord]:
    """Read the workers that hold leases of a study, in the order of their ids.

    A worker keeps the leases of its ended trials until it signs off.

    Args:
        source: The storage's database, or a connection in a transaction.
        study_id: The study's key.

    Raises:
        StorageError: The database cannot be read.
    """
    running = sa.func.sum(sa.case((trials.c.state == "RUNNING", 1), else_=0))
    held = (
        sa.select(leases.c.worker_id, running.label("n_running"))
        .join(trials, trials.c.trial_id == leases.c.trial_id)
        .where(trials.c.study_id == study_id, leases.c.worker_id.is_not(None))
        .group_by(leases.c.worker_id)
        .subquery()
    )
    query = sa.select(workers, held.c.n_running).join(held, held.c.worker_id == workers.c.worker_id)
    with reading(source) as connection:
        if not has_table(connection, leases):
            return []
        rows = connection.execute(query.order_by(workers.c.worker_id)).all()
    return [
        WorkerRecord(
            row.worker_id,
            row.host,
            row.pid,
            row.beat,
            row.lease_seconds,
            int(row.n_running),
            state_of(Process(row.host, row.boot, row.pid, row.started)),
        )
        for row in rows
    ]
