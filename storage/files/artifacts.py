"""Files kept with a trial or a study as Optuna's artifacts, which optuna-dashboard shows.

An artifact consists of its bytes and its metadata. The bytes are a file in a place. The metadata are a row in the
database with the artifact's name and its trial or study. Bytes are written first, so metadata never refer to a file
that was not written yet. A file may be deleted from the place later; its artifact then has no bytes.

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
        artifact_id: A unique id; also the name of the file that holds the bytes.
        trial_id: The database's key of its trial; None for an artifact of the study.
        name: The original file's name.
    """

    artifact_id: str
    trial_id: int | None
    name: str


def read_kept(source: Database | Connection, study_id: int) -> list[KeptFile]:
    """Read the artifacts of a study and of all its trials, oldest first, without deleted ones.

    Args:
        source: The database, or a connection in a transaction.
        study_id: The study's key.

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
        place: The folder or bucket of the bytes. Workers on several machines need a shared one.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def keep(self, study: "optuna.Study", file: Path, trial_id: int | None = None) -> None:
        """Copy a file into the place and write its metadata.

        No lease is checked: Optuna writes the metadata in a transaction of its own. Optuna refuses a trial that has
        ended. After another worker took a trial over, the former worker's file stays beside the new one's.

        Args:
            study: The study.
            file: The file; the artifact takes its name.
            trial_id: The key of a trial that has not ended, as Optuna requires; None for the study itself.

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
        """Return an artifact's bytes; None where they are not in this place, or cannot be read."""
        try:
            return self.place.read(_name(kept.artifact_id))
        except OSError:
            return None

    def drop(self, database: Database, study_id: int, files: Iterable[KeptFile]) -> None:
        """Delete artifacts; missing bytes are no error.

        Optuna copies metadata with a study, so the copy shares the bytes. They are deleted with the last artifact that
        refers to them. No lease is needed: a network that was beaten stays beaten, and each artifact has its own id.

        Args:
            database: A storage opened with `create=True`.
            study_id: The study's key.
            files: Artifacts found by `read_kept`.

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
        """Return the same place as an artifact store for Optuna and optuna-dashboard."""
        return _Store(self.place)


def _forget(connection: Connection, study_id: int, files: Sequence[KeptFile]) -> set[str]:
    """Delete the metadata of a study's artifacts; return the ids that another study refers to."""
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
    # An id is only text in the database: it must not lead out of the place.
    return Path(artifact_id).name or "none"


class _Store:
    """A place as one of Optuna's artifact stores."""

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
    """A stand-in for the storage while Optuna uploads: it holds the metadata back until the bytes are written."""

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
        """Write the held-back metadata."""
        for write_ in self._writes:
            write_(storage)
