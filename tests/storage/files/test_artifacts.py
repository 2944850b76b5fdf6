"""Artifacts: bytes before metadata, whole or not at all, and nothing lost is an error."""

import json
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import Engine as Database

from fewest.storage.errors import StorageError
from fewest.storage.files.artifacts import Artifacts, KeptFile, read_kept
from fewest.storage.files.places import Folder
from fewest.storage.trials.cohort_storage import CohortStorage


@pytest.fixture
def study(storage: CohortStorage, new_study: Callable[..., int]) -> optuna.Study:
    """A study with two running trials."""
    new_study("study", 2)
    return optuna.load_study(study_name="study", storage=storage)


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(Folder(tmp_path / "deep" / "artifacts"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "16-seed-1.keras"
    path.write_bytes(b"network")
    return path


def trial_id(study: optuna.Study, number: int = 0) -> int:
    return study.get_trials(deepcopy=False)[number]._trial_id


def files_in(artifacts: Artifacts) -> list[str]:
    assert isinstance(artifacts.place, Folder)
    return [path.name for path in artifacts.place.path.glob("*")]


def test_what_is_kept_with_a_trial_is_read_back(study, artifacts, file, database: Database):
    artifacts.keep(study, file, trial_id(study, 1))
    [kept] = read_kept(database, study._study_id)
    assert (kept.trial_id, kept.name) == (trial_id(study, 1), "16-seed-1.keras")
    assert artifacts.read(kept) == b"network"


def test_optuna_lists_it_and_reads_it(study, artifacts, file):
    artifacts.keep(study, file, trial_id(study))
    artifacts.keep(study, file)
    [of_trial] = get_all_artifact_meta(study.get_trials()[0], storage=study._storage)
    [of_study] = get_all_artifact_meta(study)
    for meta in (of_trial, of_study):
        assert meta.filename == "16-seed-1.keras"
        with FileSystemArtifactStore(artifacts.place.path).open_reader(meta.artifact_id) as reader:
            assert reader.read() == b"network"


def test_a_studys_artifacts_come_oldest_first_and_no_other_studys(study, artifacts, tmp_path, database, new_study):
    other = new_study("other")
    for name in ("b", "a", "c"):
        (tmp_path / name).write_bytes(b"")
        artifacts.keep(study, tmp_path / name)
    assert [kept.name for kept in read_kept(database, study._study_id)] == ["b", "a", "c"]
    assert read_kept(database, other) == []


def test_bytes_are_there_before_metadata(study, file, database, tmp_path):
    known = []

    class Observed(Folder):
        def write(self, name: str, content: bytes) -> None:
            known.append(read_kept(database, study._study_id))
            super().write(name, content)

    Artifacts(Observed(tmp_path / "artifacts")).keep(study, file)
    assert known == [[]]


def test_a_full_disk_keeps_nothing_and_is_one_line(study, file, database, tmp_path):
    class Full(Folder):
        def write(self, name: str, content: bytes) -> None:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(b"net")
            raise OSError(28, "No space left on device")

    artifacts = Artifacts(Full(tmp_path / "artifacts"))
    with pytest.raises(StorageError, match="must be writable, got: No space left on device") as caught:
        artifacts.keep(study, file, trial_id(study))
    assert "\n" not in str(caught.value)
    assert files_in(artifacts) == []
    assert read_kept(database, study._study_id) == []


def test_a_folder_that_is_a_file_is_one_line(study, file):
    with pytest.raises(StorageError, match="must be writable"):
        Artifacts(Folder(file / "folder")).keep(study, file)


def test_a_trial_that_has_ended_keeps_nothing(study, artifacts, file, database):
    study._storage.set_trial_state_values(trial_id(study), TrialState.COMPLETE, [4.0, 0.5])
    with pytest.raises(UpdateFinishedTrialError):
        artifacts.keep(study, file, trial_id(study))
    assert files_in(artifacts) == []
    assert read_kept(database, study._study_id) == []


def test_missing_bytes_and_a_missing_folder_are_no_error(study, artifacts, file, database):
    artifacts.keep(study, file)
    [kept] = read_kept(database, study._study_id)
    (artifacts.place.path / kept.artifact_id).unlink()
    assert artifacts.read(kept) is None
    artifacts.place.path.rmdir()
    assert artifacts.read(kept) is None
    with pytest.raises(ArtifactNotFound):
        artifacts.store().open_reader(kept.artifact_id)


@pytest.mark.parametrize("artifact_id", ["../16-seed-1.keras", "/etc/hostname", "..", ""])
def test_an_id_that_is_a_path_reads_nothing(artifact_id, artifacts, file):
    artifacts.place.path.mkdir(parents=True)
    assert artifacts.read(KeptFile(artifact_id, None, file.name)) is None


def test_what_the_dashboard_deleted_is_left_out(study, artifacts, file, database):
    artifacts.keep(study, file)
    [kept] = read_kept(database, study._study_id)
    study._storage.set_study_system_attr(study._study_id, f"artifacts:{kept.artifact_id}", json.dumps(None))
    assert read_kept(database, study._study_id) == []


def test_dropped_artifacts_are_gone_from_trials_that_have_ended_too(study, artifacts, file, database):
    artifacts.keep(study, file, trial_id(study))
    artifacts.keep(study, file)
    study._storage.set_trial_state_values(trial_id(study), TrialState.COMPLETE, [4.0, 0.5])
    artifacts.keep(study, file)
    *dropped, stays = sorted(read_kept(database, study._study_id), key=lambda kept: kept.trial_id is None)
    artifacts.drop(database, study._study_id, dropped)
    assert read_kept(database, study._study_id) == [stays]
    assert files_in(artifacts) == [stays.artifact_id]
    artifacts.drop(database, study._study_id, dropped)


def test_a_file_that_a_copied_study_has_too_stays_until_both_have_dropped_it(study, artifacts, file, database):
    artifacts.keep(study, file)
    optuna.copy_study(
        from_study_name=study.study_name, from_storage=study._storage, to_storage=study._storage, to_study_name="copy"
    )
    copy = optuna.load_study(study_name="copy", storage=study._storage)
    kept = read_kept(database, copy._study_id)
    artifacts.drop(database, copy._study_id, kept)
    assert read_kept(database, copy._study_id) == []
    assert read_kept(database, study._study_id) == kept
    assert files_in(artifacts) == [kept[0].artifact_id]
    artifacts.drop(database, study._study_id, kept)
    assert files_in(artifacts) == []


def test_reading_makes_no_folder(study, artifacts, database):
    assert read_kept(database, study._study_id) == []
    assert not artifacts.place.path.exists()
