"""Verification results: one row for each network trained for it and scored on the sealed test set."""

import json
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Engine as Database

from fewest.storage.database.sql import from_null, has_table, nan_to_null, upsert
from fewest.storage.database.tables import results
from fewest.storage.database.transactions import reading, write
from fewest.storage.trials.records import VerifiedNetwork

__all__ = ["read_results", "write_results"]


def write_results(database: Database, study_id: int, networks: Iterable[VerifiedNetwork]) -> None:
    """Write networks in one transaction; one of the same widths and seed replaces what was there.

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
        }
        for network in networks
    ]
    if rows:
        write(database, lambda connection: connection.execute(upsert(connection, results), rows))


def read_results(database: Database, study_id: int) -> list[VerifiedNetwork]:
    """All networks that verification trained for a study, ordered by depth, widths and seed.

    Raises:
        StorageError: The database cannot be read.
    """
    query = sa.select(
        results.c.widths,
        results.c.seed,
        results.c.test_accuracy,
        results.c.validation_accuracy,
        results.c.epochs,
        results.c.seconds,
    ).where(results.c.study_id == study_id)
    with reading(database) as connection:
        if not has_table(connection, results):
            return []
        found = [
            VerifiedNetwork(
                tuple(json.loads(widths)),
                seed,
                from_null(test),
                from_null(validation),
                epochs,
                from_null(seconds),
            )
            for widths, seed, test, validation, epochs, seconds in connection.execute(query)
        ]
    return sorted(found, key=lambda network: (len(network.widths), network.widths, network.seed))
