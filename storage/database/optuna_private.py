"""Optuna's private names: everything that this project uses of Optuna beyond its public interface.

Tests check them with Optuna 5.0.0: tests/storage/database/test_optuna_private.py and Optuna's own storage contract.
After an upgrade, look here first. Beside these names we rely on:

- the columns of Optuna's tables that `fewest.storage.database.tables` lists;
- `RDBStorage`, whose `__init__` is replaced and whose `_create_new_trial` and `_get_trials` are overridden in
  `fewest.storage.trials.cohort_storage`.

Optuna is imported only within functions: reading commands import this module and must not load Optuna.
"""

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

if TYPE_CHECKING:
    import optuna
    from optuna.artifacts._protocol import ArtifactStore
    from optuna.storages import BaseStorage
    from optuna.storages._rdb.storage import _VersionManager as VersionManager
    from optuna.trial import FrozenTrial
    from sqlalchemy.orm import Session, scoped_session
else:
    ArtifactStore = VersionManager = Any

__all__ = [
    "ARTIFACT_PREFIX",
    "CACHED_METHODS",
    "FIXED_PARAMS",
    "METRIC_NAMES",
    "REVISION_TABLE",
    "ArtifactStore",
    "VersionManager",
    "create_tables",
    "id_of",
    "intermediate_value_of",
    "intermediate_value_parts",
    "revisions",
    "set_trial_id",
    "storage_of",
    "tables",
    "value_of",
    "value_parts",
    "version_manager",
]

REVISION_TABLE = "alembic_version"
"""The table in which Optuna's Alembic records the revision of Optuna's tables."""

ARTIFACT_PREFIX = "artifacts:"
"""Prefix of the system attributes that hold artifacts' metadata: `artifacts._upload.ARTIFACTS_ATTR_PREFIX`."""

METRIC_NAMES = "study:metric_names"
"""The system attribute with the names of a study's objectives: `study.study._SYSTEM_ATTR_METRIC_NAMES`."""

FIXED_PARAMS = "fixed_params"
"""The system attribute with what `study.enqueue_trial` asks for, which `trial._trial.Trial` reads."""

CACHED_METHODS = ("_get_trials", "_set_trial_param", "_get_best_trial_id")
"""The methods of `RDBStorage` that Optuna's cache, `_CachedStorage`, calls beside the public ones."""


class Tables(NamedTuple):
    """Those of Optuna's tables that we write, from `storages._rdb.models`."""

    studies: sa.Table
    directions: sa.Table
    study_user_attributes: sa.Table
    study_system_attributes: sa.Table
    trials: sa.Table
    params: sa.Table
    values: sa.Table
    user_attributes: sa.Table
    system_attributes: sa.Table
    intermediate_values: sa.Table


def tables() -> Tables:
    """Return Optuna's tables."""
    from optuna.storages._rdb import models

    return Tables(
        studies=models.StudyModel.__table__,
        directions=models.StudyDirectionModel.__table__,
        study_user_attributes=models.StudyUserAttributeModel.__table__,
        study_system_attributes=models.StudySystemAttributeModel.__table__,
        trials=models.TrialModel.__table__,
        params=models.TrialParamModel.__table__,
        values=models.TrialValueModel.__table__,
        user_attributes=models.TrialUserAttributeModel.__table__,
        system_attributes=models.TrialSystemAttributeModel.__table__,
        intermediate_values=models.TrialIntermediateValueModel.__table__,
    )


def value_parts(value: float) -> tuple[float | None, Any]:
    """Split an objective's value into the columns that hold it: a number, and whether it is finite.

    Args:
        value: Any float but NaN.
    """
    from optuna.storages._rdb import models

    return models.TrialValueModel.value_to_stored_repr(value)


def intermediate_value_parts(value: float) -> tuple[float | None, Any]:
    """Split an intermediate value into the same two columns.

    Args:
        value: Any float, NaN included.
    """
    from optuna.storages._rdb import models

    return models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)


def value_of(stored: float | None, kind: Any) -> float:
    """Return an objective's value from the two columns that hold it: the inverse of `value_parts`."""
    from optuna.storages._rdb import models

    return models.TrialValueModel.stored_repr_to_value(stored, kind)


def intermediate_value_of(stored: float | None, kind: Any) -> float:
    """Return an intermediate value from the two columns that hold it: the inverse of `intermediate_value_parts`."""
    from optuna.storages._rdb import models

    return models.TrialIntermediateValueModel.stored_repr_to_intermediate_value(stored, kind)


@cache
def revisions() -> tuple[str, ...]:
    """List the Alembic revisions that the installed Optuna knows, the newest last.

    They are read from Optuna's files: importing Optuna and Alembic takes half a second.
    """
    spec = importlib.util.find_spec("optuna")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0], "storages", "_rdb", "alembic", "versions")
    after: dict[str | None, str] = {}
    for file in folder.glob("*.py"):
        names = dict(re.findall(r'^(revision|down_revision)\s*=\s*["\']([^"\']+)', file.read_text("utf-8"), re.M))
        if "revision" in names:
            after[names.get("down_revision")] = names["revision"]
    chain: list[str] = []
    while (following := after.get(chain[-1] if chain else None)) is not None:
        chain.append(following)
    return tuple(chain)


def create_tables(connection: Connection) -> None:
    """Create the tables that `RDBStorage` creates on an empty database, but in one transaction.

    Args:
        connection: A connection in the transaction.
    """
    import optuna
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from optuna.storages._rdb import models

    models.BaseModel.metadata.create_all(connection)
    connection.execute(
        sa.insert(models.VersionInfoModel).values(
            version_info_id=1, schema_version=models.SCHEMA_VERSION, library_version=optuna.__version__
        )
    )
    script = ScriptDirectory(str(Path(models.__file__).parent / "alembic"))
    MigrationContext.configure(connection).stamp(script, "head")


def version_manager(url: str, database: Database, sessions: "scoped_session[Session]") -> VersionManager:
    """Create the version manager that `optuna storage upgrade` needs; this loads Alembic.

    Args:
        url: The storage's URL, with its password.
        database: The storage's database.
        sessions: The storage's sessions.
    """
    from optuna.storages._rdb.storage import _VersionManager

    return _VersionManager(url, database, sessions)


def id_of(study: "optuna.Study") -> int:
    """Return a study's key in the database.

    Args:
        study: A study of any storage.
    """
    return study._study_id


def storage_of(study: "optuna.Study") -> "BaseStorage":
    """Return the storage that a study writes to, wrapped in Optuna's cache.

    Args:
        study: A study of any storage.
    """
    return study._storage


def set_trial_id(trial: "FrozenTrial", trial_id: int) -> None:
    """Set a trial's key in the database.

    Args:
        trial: The trial, which is changed.
        trial_id: The key.
    """
    trial._trial_id = trial_id
