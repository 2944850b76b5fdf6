"""Settings for a user's own data, where no study file gives them: they follow from the number of rows alone."""

import re
from pathlib import Path
from typing import Any, Final

from fewest.search.data import datasets, formats, openml, tables
from fewest.search.settings.files import shipped_studies

__all__ = ["is_data", "schedule", "settings_for", "settings_of"]

TRIALS: Final = 120

LEAST_STEPS: Final = 1000
"""Optimizer steps of a training, below which it has more epochs."""


def is_data(study: str) -> bool:
    """Say whether what a user named is data, not a study.

    A shipped study's name wins over a data set's, and both over a file's or a folder's: `./iris` is a path.
    """
    if study in shipped_studies():
        return False
    if study in datasets.data_sets() or openml.is_openml(study) or formats.is_data_file(study):
        return True
    try:
        return bool(study) and not study.endswith(".toml") and Path(study).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False


def settings_for(data: str, rows: int | None = None) -> dict[str, Any]:
    """Return the settings of a study on a user's data, named after these.

    Args:
        data: Name of a data set, or a path. If the path cannot be read, the settings are those of small data: loading
            them then says what is wrong.
        rows: Size of the sample that is used; None if all rows are.

    Raises:
        FewestError: A data set of OpenML cannot be fetched.
    """
    n_rows = _n_rows(data)
    return settings_of(_name_of(data), data, n_rows if rows is None else min(rows, n_rows))


def settings_of(study: str, data: str, n_rows: int) -> dict[str, Any]:
    """Return the settings of a study on data without a study file.

    Args:
        study: Name of the study.
        data: Name or path of the data.
        n_rows: Number of rows, from which batch size and epochs follow.
    """
    batch_size, epochs = schedule(n_rows)
    return {
        "name": study,
        "data": {"name": data, "validation_share": 0.2},
        "space": {"max_depth": 2, "max_width": 64},
        "training": {"protocol": "one_cycle", "batch_size": batch_size, "epochs": epochs},
        "budget": {"trials": TRIALS, "targets": [0.90, 0.95]},
    }


def schedule(n_rows: int, n_steps: int = LEAST_STEPS) -> tuple[int, int]:
    """Choose batch size and epochs for a number of rows.

    The batch is about half the square root of the rows, a power of two from 8 to 512, so that steps in an epoch grow
    with the rows, too. Epochs make `n_steps` steps, within 15 to 60.

    >>> schedule(150), schedule(1_800), schedule(60_000), schedule(580_000)
    ((8, 56), (16, 15), (128, 15), (512, 15))
    """
    batch_size = next(size for size in (8, 16, 32, 64, 128, 256, 512) if size == 512 or 2 * size**2 > n_rows / 4)
    steps = max(1, n_rows // batch_size)
    return batch_size, min(60, max(15, -(-n_steps // steps)))


def _n_rows(data: str) -> int:
    if data in datasets.data_sets():
        return datasets.n_samples_of(data)
    fetched = openml.fetched(data) if openml.is_openml(data) else None
    try:
        path = fetched or Path(data).expanduser()
        if path.is_file() and tables.is_table(path.name):  # A pipe might never end.
            return tables.n_rows(path)
        return formats.format_of(path).n_samples(path) if path.is_dir() or path.is_file() else 0
    except (OSError, ValueError, RuntimeError):  # Whatever is wrong, loading the data says it.
        return 0


def _name_of(data: str) -> str:
    path = Path(data)
    stem = (path.name or path.expanduser().resolve().name).split(".")[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100] or "data"
