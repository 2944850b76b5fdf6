"""The report of a stored study, made from what the storage has at this moment."""

from datetime import UTC, datetime

from fewest.dashboards.found import read_found, storage_at
from fewest.dashboards.report import ReportData
from fewest.storage.trials.curves import read_curves

__all__ = ["report_of"]


def report_of(name: str, url: str) -> ReportData:
    """Read all that a study's report shows, as of one moment.

    Args:
        name: Name of the study.
        url: URL of the storage.

    Raises:
        MisuseError: There is no such study, or it is not ours.
        StorageError: The storage cannot be read.
    """
    with storage_at(url) as connection:
        known = read_found(connection, name)
        curves = read_curves(connection, known.study.study_id)
    data = known.ours.data
    return ReportData(
        answer=known.summary,
        config=known.config,
        trials=known.trials,
        curves=curves,
        verified=known.verified,
        environment=known.ours.environment,
        samples={"training": data.n_training, "validation": data.n_validation, "test": data.n_test},
        columns=[*data.columns, *data.notes],
        generated=datetime.now(UTC),
    )
