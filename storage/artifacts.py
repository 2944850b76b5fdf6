"""Files kept with a trial or with a study, as Optuna's artifacts: optuna-dashboard shows them beside it.

An artifact is its bytes, a file in a folder, and its metadata, a row in the database that says whose it is and what it
is called. Bytes are written first, so metadata never promise what is not there; what was deleted from the folder
since then is simply not there any more.

    artifacts = Artifacts(artifact_folder(url))
    artifacts.keep(study, Path("16.keras"), trial_id)
    [artifacts.read(kept) for kept in read_kept(engine, study_id)]
"""

import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from storage.errors import StorageError
from storage.location import folder_beside, parse_url
from storage.models import study_system_attributes, trial_system_attributes, trials
from storage.transactions import reading, write

if TYPE_CHECKING:
    import optuna
    from optuna.artifacts import FileSystemArtifactStore
    from optuna.storages import BaseStorage

__all__ = ["Artifacts", "KeptFile", "artifact_folder", "read_kept"]

_PREFIX = "artifacts:"
"""Optuna's, of the system attributes that hold metadata: `optuna.artifacts._upload.ARTIFACTS_ATTR_PREFIX`."""


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


def artifact_folder(url: str, chosen: str | None = None) -> Path:
    """Where a storage's artifacts lie, unless someone chose another folder.

    Args:
        url: The storage.
        chosen: A folder, as told by the user. Workers on several machines need one that they share.

    Raises:
        MisuseError: The URL is not one.

    >>> artifact_folder("sqlite:////data/study.db").as_posix()
    '/data/study.db.artifacts'
    >>> artifact_folder("postgresql://me@example.org/studies").as_posix()
    'howmany.artifacts'
    """
    return Path(chosen) if chosen else folder_beside(parse_url(url), "artifacts")


def read_kept(engine: Engine, study_id: int) -> list[KeptFile]:
    """The artifacts of a study and of all its trials, oldest first; those that were deleted are left out.

    Raises:
        StorageError: The database cannot be read.
    """
    of_study, of_trial = study_system_attributes.c, trial_system_attributes.c
    with reading(engine) as connection:
        rows = [
            *connection.execute(
                sa.select(sa.null(), of_study.value_json)
                .where(of_study.study_id == study_id, of_study.key.startswith(_PREFIX))
                .order_by(of_study.study_system_attribute_id)
            ),
            *connection.execute(
                sa.select(of_trial.trial_id, of_trial.value_json)
                .join(trials, trials.c.trial_id == of_trial.trial_id)
                .where(trials.c.study_id == study_id, of_trial.key.startswith(_PREFIX))
                .order_by(of_trial.trial_system_attribute_id)
            ),
        ]
    described = ((trial_id, json.loads(json.loads(value))) for trial_id, value in rows)
    # The dashboard leaves a null where it deletes.
    return [KeptFile(meta["artifact_id"], trial_id, meta["filename"]) for trial_id, meta in described if meta]


class Artifacts:
    """A folder of artifacts, made when the first is kept.

    Args:
        folder: See `artifact_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, study: "optuna.Study", file: Path, trial_id: int | None = None) -> None:
        """Copy a file into the folder and write down whose it is.

        Args:
            study: The study.
            file: Its name is the artifact's.
            trial_id: A trial that has not ended, as Optuna lets no other be added to; None for the study itself.

        Raises:
            StorageError: The folder or the database cannot be written; then nothing is kept.
            optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
        """
        from optuna.artifacts import FileSystemArtifactStore, upload_artifact

        noted = _Noted()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            upload_artifact(
                artifact_store=FileSystemArtifactStore(self.folder),
                file_path=str(file),
                study_or_trial=study if trial_id is None else study._storage.get_trial(trial_id),
                storage=cast("BaseStorage", noted),
            )
            noted.pass_on(study._storage)
        except BaseException as error:
            for artifact_id in noted.artifact_ids:
                with contextlib.suppress(OSError):
                    (self.folder / artifact_id).unlink(missing_ok=True)
            if isinstance(error, OSError) and not isinstance(error, StorageError):
                raise StorageError(f"'{self.folder}' must be writable, got: {error.strerror or error}.") from error
            raise

    def read(self, kept: KeptFile) -> bytes | None:
        """An artifact's bytes; None where they are not in this folder, or cannot be read."""
        try:
            return self._place(kept).read_bytes()
        except OSError:
            return None

    def drop(self, engine: Engine, files: Iterable[KeptFile]) -> None:
        """Delete artifacts; bytes that are gone already are no error.

        Raises:
            StorageError: The database cannot be written.
        """
        dropped = list(files)
        keys = [_PREFIX + file.artifact_id for file in dropped]

        def work(connection: Connection) -> None:
            for table in (study_system_attributes, trial_system_attributes):
                connection.execute(sa.delete(table).where(table.c.key.in_(keys)))

        if dropped:
            write(engine, work)
        for file in dropped:
            with contextlib.suppress(OSError):
                self._place(file).unlink(missing_ok=True)

    def store(self) -> "FileSystemArtifactStore | None":
        """What optuna-dashboard reads artifacts from; None while there is no folder."""
        from optuna.artifacts import FileSystemArtifactStore

        return FileSystemArtifactStore(self.folder) if self.folder.is_dir() else None

    def _place(self, kept: KeptFile) -> Path:
        # Whoever writes the database must not choose which file is read or deleted here.
        return self.folder / (Path(kept.artifact_id).name or "none")


class _Noted:
    """Stands in for the storage while Optuna uploads: it would write metadata before bytes, here they wait."""

    def __init__(self) -> None:
        self.artifact_ids: list[str] = []
        self._writes: list[Callable[[Any], None]] = []

    def set_trial_system_attr(self, trial_id: int, key: str, value: str) -> None:
        self.artifact_ids.append(key.removeprefix(_PREFIX))
        self._writes.append(lambda storage: storage.set_trial_system_attr(trial_id, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: str) -> None:
        self.artifact_ids.append(key.removeprefix(_PREFIX))
        self._writes.append(lambda storage: storage.set_study_system_attr(study_id, key, value))

    def pass_on(self, storage: "BaseStorage") -> None:
        """Writes what was noted."""
        for write_ in self._writes:
            write_(storage)
