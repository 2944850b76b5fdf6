"""Checkpoints: whole or not at all, and never trusted blindly."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st

from fewest.storage.errors import StorageError
from fewest.storage.files.checkpoints import CheckpointStore
from fewest.storage.files.places import Folder

ARRAYS = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(7)}
META = {"epoch": 4, "trials": [1, 2]}


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(Folder(tmp_path / "checkpoints" / "of" / "study"))


def only_file(store: CheckpointStore) -> Path:
    assert isinstance(store.place, Folder)
    [path] = store.place.path.iterdir()
    return path


dtypes = st.sampled_from(["?", "i1", "u1", "i8", "f2", "f4", "f8", "c8", ">f4", ">i2"]).map(np.dtype)
arrays = dtypes.flatmap(
    lambda dtype: numpy_st.arrays(dtype, numpy_st.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4))
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None)
@given(
    saved=st.dictionaries(st.text(), arrays, max_size=4),
    meta=st.dictionaries(st.text(), json_values, max_size=3),
)
def test_what_is_saved_comes_back_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, saved: dict[str, np.ndarray], meta: dict[str, object]
) -> None:
    store = CheckpointStore(Folder(tmp_path_factory.getbasetemp() / "round-trips"))
    store.save("key", saved, meta)
    found = store.load("key")
    assert found is not None
    assert found.meta == meta
    assert list(found.arrays) == list(saved)
    for name, array in saved.items():
        back = found.arrays[name]
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert back.tobytes() == array.tobytes()
        assert back.flags.writeable


def test_memory_order_does_not_matter(store: CheckpointStore) -> None:
    saved = np.asfortranarray(np.arange(6).reshape(2, 3))[:, ::-1]
    store.save("key", {"kernel": saved}, {})
    found = store.load("key")
    assert found is not None
    np.testing.assert_array_equal(found.arrays["kernel"], saved)


def test_the_last_one_saved_is_loaded(store: CheckpointStore) -> None:
    store.save("key", ARRAYS, {"epoch": 1})
    store.save("key", ARRAYS, {"epoch": 2})
    found = store.load("key")
    assert found is not None
    assert found.meta == {"epoch": 2}
    only_file(store)


def test_keys_do_not_meet(store: CheckpointStore) -> None:
    for key in ("a", "a.b", "a.0000000000", "a-b"):
        store.save(key, ARRAYS, {"key": key})
    store.remove("a")
    assert store.load("a") is None
    for key in ("a.b", "a.0000000000", "a-b"):
        found = store.load(key)
        assert found is not None
        assert found.meta == {"key": key}


@pytest.mark.parametrize("key", ["", ".hidden", "../up", "a/b", "a b", "a*"])
def test_a_key_that_could_leave_the_folder_is_refused(store: CheckpointStore, key: str) -> None:
    for action in (store.load, store.remove, lambda key: store.save(key, {}, {})):
        with pytest.raises(ValueError, match="`key` must be"):
            action(key)


def test_a_missing_one_is_none_without_a_notice(store: CheckpointStore, caplog: pytest.LogCaptureFixture) -> None:
    assert store.load("key") is None
    store.remove("key")
    assert caplog.text == ""


@pytest.mark.parametrize("at", [0, 10, 45, 60, -1])
def test_one_changed_byte_is_found(store: CheckpointStore, at: int, caplog: pytest.LogCaptureFixture) -> None:
    store.save("key", ARRAYS, META)
    content = bytearray(only_file(store).read_bytes())
    content[at] ^= 1
    only_file(store).write_bytes(content)
    assert store.load("key") is None
    assert "damaged and passed over" in caplog.text


@pytest.mark.parametrize("length", [0, 5, 30, 44, 100])
def test_a_cut_off_file_is_found(store: CheckpointStore, length: int) -> None:
    store.save("key", ARRAYS, META)
    only_file(store).write_bytes(only_file(store).read_bytes()[:length])
    assert store.load("key") is None


def test_objects_are_refused(store: CheckpointStore) -> None:
    with pytest.raises(ValueError, match="must be of numbers, got object for 'bad'"):
        store.save("key", {"bad": np.array([print], dtype=object)}, {})


def test_a_folder_deleted_meanwhile_is_made_again(store: CheckpointStore) -> None:
    assert isinstance(store.place, Folder)
    store.save("key", ARRAYS, META)
    shutil.rmtree(store.place.path)
    assert store.load("key") is None
    store.save("key", ARRAYS, META)
    assert store.load("key") is not None


def test_a_folder_deleted_while_saving_is_made_again(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, deleted = os.fsync, []

    def delete_once(descriptor: int) -> None:
        fsync(descriptor)
        if not deleted:
            deleted.append(True)
            assert isinstance(store.place, Folder)
            shutil.rmtree(store.place.path)

    monkeypatch.setattr("fewest.storage.files.atomic.os.fsync", delete_once)
    store.save("key", ARRAYS, META)
    assert store.load("key") is not None


def test_a_full_disk_is_one_clear_line_and_the_last_checkpoint_stays(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save("key", ARRAYS, {"epoch": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(StorageError, match=r"No space left.* Make room"):
        patched.setattr("fewest.storage.files.atomic.os.fsync", full)
        store.save("key", ARRAYS, {"epoch": 2})
    found = store.load("key")
    assert found is not None
    assert found.meta == {"epoch": 1}
    only_file(store)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="must be writable in"):
        CheckpointStore(Folder(tmp_path / "file" / "below")).save("key", ARRAYS, META)


def test_a_former_owner_does_not_displace_the_new_owners(store: CheckpointStore) -> None:
    store.save("key", ARRAYS, {"epoch": 1}, fence=1)
    store.save("key", ARRAYS, {"epoch": 2}, fence=12)
    store.save("key", ARRAYS, {"epoch": 9}, fence=1)
    found = store.load("key")
    assert found is not None
    assert found.meta == {"epoch": 2}


def test_behind_a_damaged_one_an_older_one_is_found(store: CheckpointStore) -> None:
    store.save("key", ARRAYS, {"epoch": 2}, fence=2)
    only_file(store).write_bytes(b"damaged")
    store.save("key", ARRAYS, {"epoch": 1}, fence=1)
    found = store.load("key")
    assert found is not None
    assert found.meta == {"epoch": 1}


SAVER = """
import sys
from pathlib import Path
import numpy as np
from fewest.storage.files.checkpoints import CheckpointStore
from fewest.storage.files.places import Folder
store = CheckpointStore(Folder(Path(sys.argv[1])))
array = np.zeros(200_000)
for epoch in range(1_000_000):
    store.save("key", {"array": array + epoch}, {"epoch": epoch})
    print(epoch, flush=True)
"""


@pytest.mark.slow
def test_a_process_killed_while_saving_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    store = CheckpointStore(Folder(tmp_path))
    for n_saved in (1, 2, 4):
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(n_saved)][-1]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = store.load("key")
        assert found is not None
        assert found.meta["epoch"] >= acknowledged
        assert (found.arrays["array"] == found.meta["epoch"]).all()
    store.remove("key")
    assert list(tmp_path.iterdir()) == []
