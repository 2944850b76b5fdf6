"""Files kept with a trial or with a study, as Optuna's artifacts: optuna-dashboard shows them beside it.

An artifact is its bytes, a file in a place, and its metadata, a row in the database that says whose it is and what it
is called. Bytes are written first, so metadata never promise what is not there; what was deleted from the place
since then is simply not there any more.

    artifacts = Artifacts(place_for(url, "artifacts"))
    artifacts.keep(study, Path("16.keras"), trial_id)
    [artifacts.read(kept) for kept in read_kept(database, study_id)]
"""

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage.database.optuna_private import ARTIFACT_PREFIX, ArtifactStore, storage_of
from fewest.storage.database.tables import study_system_attributes, trial_system_attributes, trials
from fewest.storage.database.transactions import reading, write
from fewest.storage.errors import StorageError
from fewest.storage.files.places import Place

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage

__all__ = ["Artifacts", "KeptFile", "read_kept"]


class KeptFile(NamedTuple):
    """An artifact's metadata.

    Attributes:
        artifact_id: Unique; the name of the file that holds the bytes.
        trial_id: The database's key of its trial; None for the study's own.
        name: What the file was called.
    """

    artifact_id: str
    trial_id: int | None
    name: str


def read_kept(source: Database | Connection, study_id: int) -> list[KeptFile]:
    """Read the artifacts of a study and of all its trials, oldest first; those that were deleted are left out.

    Args:
        source: The database, or a connection in a transaction.
        study_id: The study's.

    Raises:
        StorageError: The database cannot be read.
    """
    of_study, of_trial = study_system_attributes.c, trial_system_attributes.c
    with reading(source) as connection:
        rows = [
            *connection.execute(
                sa.select(sa.null(), of_study.value_json)
                .where(of_study.study_id == study_id, of_study.key.startswith(ARTIFACT_PREFIX))
                .order_by(of_study.study_system_attribute_id)
            ),
            *connection.execute(
                sa.select(of_trial.trial_id, of_trial.value_json)
                .join(trials, trials.c.trial_id == of_trial.trial_id)
                .where(trials.c.study_id == study_id, of_trial.key.startswith(ARTIFACT_PREFIX))
                .order_by(of_trial.trial_system_attribute_id)
            ),
        ]
    described = ((trial_id, json.loads(json.loads(value))) for trial_id, value in rows)
    # The dashboard leaves a null where it deletes.
    return [KeptFile(meta["artifact_id"], trial_id, meta["filename"]) for trial_id, meta in described if meta]


class Artifacts:
    """Artifacts in one place.

    Args:
        place: Workers on several machines need one that they share.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def keep(self, study: "optuna.Study", file: Path, trial_id: int | None = None) -> None:
        """Copy a file into the place and write down whose it is.

        No lease is asked: Optuna writes the metadata, in a transaction of its own. It refuses a trial that has
        ended; of a trial that was taken over, the former worker's file stays beside the new owner's.

        Args:
            study: The study.
            file: Its name is the artifact's.
            trial_id: A trial that has not ended, as Optuna lets no other be added to; None for the study itself.

        Raises:
            StorageError: The place or the database cannot be written; then nothing is kept.
            optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
        """
        from optuna.artifacts import upload_artifact

        noted = _Noted()
        try:
            upload_artifact(
                artifact_store=self.store(),
                file_path=str(file),
                study_or_trial=study if trial_id is None else storage_of(study).get_trial(trial_id),
                storage=cast("BaseStorage", noted),
            )
            noted.pass_on(storage_of(study))
        except BaseException as error:
            for artifact_id in noted.artifact_ids:
                with contextlib.suppress(OSError):
                    self.place.delete(artifact_id)
            if isinstance(error, OSError) and not isinstance(error, StorageError):
                raise StorageError(f"'{self.place}' must be writable, got: {error.strerror or error}.") from error
            raise

    def read(self, kept: KeptFile) -> bytes | None:
        """An artifact's bytes; None where they are not in this place, or cannot be read."""
        try:
            return self.place.read(_name(kept.artifact_id))
        except OSError:
            return None

    def drop(self, database: Database, study_id: int, files: Iterable[KeptFile]) -> None:
        """Delete artifacts; bytes that are gone already are no error.

        Optuna copies metadata with a study, so a copy shares the bytes: they go with the last that has them.

        Needs no lease: what has been beaten stays beaten, and each artifact has an id of its own.

        Args:
            database: A storage opened with `create=True`.
            study_id: The study's.
            files: As `read_kept` found them.

        Raises:
            StorageError: The database cannot be written.
        """
        dropped = list(files)
        if not dropped:
            return
        still_kept = write(database, lambda connection: _forget(connection, study_id, dropped))
        for file in dropped:
            if file.artifact_id not in still_kept:
                with contextlib.suppress(OSError):
                    self.place.delete(_name(file.artifact_id))

    def store(self) -> ArtifactStore:
        """The same place to Optuna and optuna-dashboard."""
        return _Store(self.place)


def _forget(connection: Connection, study_id: int, files: Sequence[KeptFile]) -> set[str]:
    """Delete the metadata of a study's artifacts; give the ids of those that another study has, too."""
    keys = [ARTIFACT_PREFIX + file.artifact_id for file in files]
    of_study, of_trial = study_system_attributes.c, trial_system_attributes.c
    own_trials = sa.select(trials.c.trial_id).where(trials.c.study_id == study_id)
    connection.execute(sa.delete(study_system_attributes).where(of_study.key.in_(keys), of_study.study_id == study_id))
    connection.execute(
        sa.delete(trial_system_attributes).where(of_trial.key.in_(keys), of_trial.trial_id.in_(own_trials))
    )
    left = [
        key
        for column in (of_study, of_trial)
        for key in connection.scalars(sa.select(column.key).where(column.key.in_(keys)))
    ]
    return {key.removeprefix(ARTIFACT_PREFIX) for key in left}


def _name(artifact_id: str) -> str:
    # Whoever writes the database must not choose which file is read or deleted here.
    return Path(artifact_id).name or "none"


class _Store:
    """A place, in the shape of Optuna's artifact stores."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def open_reader(self, artifact_id: str) -> BinaryIO:
        from optuna.artifacts.exceptions import ArtifactNotFound

        content = self._place.read(_name(artifact_id))
        if content is None:
            raise ArtifactNotFound(f"There is no artifact {artifact_id!r}.")
        return io.BytesIO(content)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        self._place.write(_name(artifact_id), content_body.read())

    def remove(self, artifact_id: str) -> None:
        self._place.delete(_name(artifact_id))


class _Noted:
    """Stands in for the storage while Optuna uploads: it would write metadata before bytes, here they wait."""

    def __init__(self) -> None:
        self.artifact_ids: list[str] = []
        self._writes: list[Callable[[Any], None]] = []

    def set_trial_system_attr(self, trial_id: int, key: str, value: str) -> None:
        self.artifact_ids.append(key.removeprefix(ARTIFACT_PREFIX))
        self._writes.append(lambda storage: storage.set_trial_system_attr(trial_id, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: str) -> None:
        self.artifact_ids.append(key.removeprefix(ARTIFACT_PREFIX))
        self._writes.append(lambda storage: storage.set_study_system_attr(study_id, key, value))

    def pass_on(self, storage: "BaseStorage") -> None:
        """Writes what was noted."""
        for write_ in self._writes:
            write_(storage)
