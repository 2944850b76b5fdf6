"""Places for files: what holds of a folder holds of a bucket, and a checkpoint or a network may lie in either."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest
from moto import mock_aws
from optuna.artifacts import Boto3ArtifactStore
from sqlalchemy import Engine as Database

from fewest.storage.errors import MisuseError, StorageError
from fewest.storage.files.artifacts import Artifacts, read_kept
from fewest.storage.files.checkpoints import CheckpointStore
from fewest.storage.files.places import Bucket, Folder, Place, place_at, place_for

ARRAYS = {"kernel": np.arange(6, dtype=np.float32)}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An S3 in this process, with a bucket; nothing leaves it."""
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="networks")
        yield


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return place_at(tmp_path / "shared" / "files")
    request.getfixturevalue("s3")
    return place_at("s3://networks/some/study")


def test_what_is_written_is_read_listed_and_deleted(place: Place) -> None:
    assert place.read("a.1") is None
    assert place.names("") == []
    for name, content in (("a.1", b"old"), ("a.1", b"new"), ("a.2", b""), ("b", b"b")):
        place.write(name, content)
    assert (place.read("a.1"), place.read("a.2")) == (b"new", b"")
    assert sorted(place.names("a.")) == ["a.1", "a.2"]
    place.delete("a.1")
    place.delete("a.1")
    assert place.names("a.") == ["a.2"]


def test_a_checkpoint_lives_in_either(place: Place) -> None:
    store = CheckpointStore(place)
    assert store.load("key") is None
    for fence in (1, 2):
        store.save("key", ARRAYS, {"epoch": fence}, fence=fence)
    assert len(place.names("key.")) == 1
    found = store.load("key")
    assert found is not None
    assert found.meta == {"epoch": 2}
    np.testing.assert_array_equal(found.arrays["kernel"], ARRAYS["kernel"])
    store.remove("key")
    assert store.load("key") is None


def test_a_damaged_checkpoint_means_starting_again_with_a_notice(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    store = CheckpointStore(place)
    store.save("key", ARRAYS, {})
    [name] = place.names("key.")
    content = place.read(name)
    assert content is not None
    place.write(name, content[:-1])
    assert store.load("key") is None
    assert "damaged and passed over" in caplog.text


@pytest.mark.usefixtures("s3")
def test_a_network_is_kept_in_a_bucket_where_optunas_own_store_finds_it(
    storage, new_study, database: Database, tmp_path
):
    study = optuna.load_study(study_name=("study", new_study("study", 1))[0], storage=storage)
    file = tmp_path / "16-seed-1.keras"
    file.write_bytes(b"network")
    artifacts = Artifacts(place_at("s3://networks"))
    artifacts.keep(study, file, study.get_trials()[0]._trial_id)
    [kept] = read_kept(database, study._study_id)
    assert artifacts.read(kept) == b"network"
    with Boto3ArtifactStore("networks").open_reader(kept.artifact_id) as reader:
        assert reader.read() == b"network"
    artifacts.drop(database, study._study_id, [kept])
    assert artifacts.read(kept) is None


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_one_line_to_write_and_a_notice_to_read(caplog: pytest.LogCaptureFixture) -> None:
    store = CheckpointStore(place_at("s3://missing"))
    with pytest.raises(
        StorageError, match=r"must be writable in s3://missing/, got: .*bucket does not exist"
    ) as caught:
        store.save("key", ARRAYS, {})
    assert "\n" not in str(caught.value)
    assert store.load("key") is None
    assert "training starts again" in caplog.text
    store.remove("key")
    assert "could not be deleted" in caplog.text


def test_without_boto3_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setattr("fewest.storage.extras.importlib.util.find_spec", lambda name: None)
    with pytest.raises(StorageError, match=r"Run `\.venv/bin/pip install '\.\[s3\]'`"):
        place_at("s3://networks/here")


@pytest.mark.parametrize("where", ["gs://bucket", "s3://", "s3:///prefix", "http://server/path"])
def test_any_other_url_is_refused(where: str) -> None:
    with pytest.raises(MisuseError, match=r"in a folder or in s3://BUCKET/PREFIX, got "):
        place_at(where)


def test_a_chosen_place_goes_before_the_usual_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    assert str(place_for(url, "artifacts")) == f"{tmp_path}/study.db.artifacts"
    assert isinstance(place_for(url, "artifacts", "/shared/networks"), Folder)
    assert isinstance(place_for(url, "artifacts", "s3://networks"), Bucket)
