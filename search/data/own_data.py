"""Settings for a user's own data, where no study file gives them: they follow from the number of rows alone."""

import re
from pathlib import Path
from typing import Any, Final

from fewest.search.data import npz, tables

__all__ = ["DATA_SUFFIXES", "is_data", "schedule", "settings_for", "settings_of"]

DATA_SUFFIXES: Final = (*tables.TABLE_SUFFIXES, ".npz")

TRIALS: Final = 120

LEAST_STEPS: Final = 1000
"""Optimizer steps of a training, below which it has more epochs."""


def is_data(study: str) -> bool:
    """Say whether what a user named is a data file, not a study."""
    return tables.is_table(study) or study.lower().endswith(".npz")


def settings_for(path: str) -> dict[str, Any]:
    """Return the settings of a study on a data file, named after it.

    Args:
        path: Path of a table or an `.npz` file. If it cannot be read, the settings are those of a small one: loading
            the data then says what is wrong.
    """
    return settings_of(_name_of(path), path, _n_rows(path))


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


def _n_rows(name: str) -> int:
    try:
        path = Path(name).expanduser()
        if not path.is_file():  # A pipe might never end.
            return 0
        return npz.n_samples(path) if path.suffix.lower() == ".npz" else tables.n_rows(path)
    except (OSError, ValueError, RuntimeError):  # Whatever is wrong, loading the data says it.
        return 0


def _name_of(path: str) -> str:
    stem = Path(path).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100] or "data"
