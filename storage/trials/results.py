"""Verification results: one row for each network that verification trained and scored on the sealed test set."""

import json
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage.database.sql import columns_of, from_null, nan_to_null, upsert
from fewest.storage.database.tables import results
from fewest.storage.database.transactions import reading, write
from fewest.storage.trials.fences import lost_trials
from fewest.storage.trials.records import VerifiedNetwork

__all__ = ["read_results", "write_results"]


def write_results(
    database: Database,
    study_id: int,
    networks: Iterable[VerifiedNetwork],
    *,
    fence: tuple[int, int] | None = None,
) -> bool:
    """Write networks in one transaction; each replaces an earlier one of the same widths and seed.

    Args:
        database: A storage opened with `create=True`.
        study_id: The study's key.
        networks: The networks that verification trained and scored.
        fence: The lease under which the writer verifies: a trial's id and its fence (one item of
            `Leases.fences`). If another worker has the lease, nothing is written. None checks no lease.

    Returns:
        Whether the lease was still held; then all networks were written.

    Raises:
        StorageError: The database cannot be written, or has no such study; then nothing was written.
    """
    rows = [
        {
            "study_id": study_id,
            "widths": json.dumps(list(network.widths)),
            "seed": network.seed,
            "test_accuracy": nan_to_null(network.test_accuracy),
            "validation_accuracy": nan_to_null(network.validation_accuracy),
            "epochs": network.epochs,
            "seconds": nan_to_null(network.seconds),
            "training_loss": nan_to_null(network.training_loss),
            "test_bits": network.test_bits,
        }
        for network in networks
    ]

    def work(connection: Connection) -> bool:
        if fence is not None and lost_trials(connection, [fence[0]], dict([fence])):
            return False
        if rows:
            connection.execute(upsert(connection, results), rows)
        return True

    return write(database, work)


def read_results(source: Database | Connection, study_id: int) -> list[VerifiedNetwork]:
    """Read all networks that verification trained for a study, ordered by depth, widths and seed.

    Args:
        source: The database, or a connection in a transaction.
        study_id: The study's key.

    Raises:
        StorageError: The database cannot be read.
    """
    with reading(source) as connection:
        columns = columns_of(connection, results)
        if not columns:
            return []
        query = sa.select(*columns).where(results.c.study_id == study_id)
        found = [
            VerifiedNetwork(
                tuple(json.loads(row.widths)),
                row.seed,
                from_null(row.test_accuracy),
                from_null(row.validation_accuracy),
                row.epochs,
                from_null(row.seconds),
                from_null(row.training_loss),
                row.test_bits,
            )
            for row in connection.execute(query)
        ]
    return sorted(found, key=lambda network: (len(network.widths), network.widths, network.seed))
