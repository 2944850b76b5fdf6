"""Arrays and IDX files: read as what they are, parted, and said; in no format do test samples reach the search."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_helpers import FUZZ, labels, loaded, pixels, refused_or_read, write_idx, write_image_parts, write_images
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.data.errors import DataError
from fewest.search.data.labels import flat_labels
from fewest.search.data.own_data import settings_for
from fewest.storage.errors import MisuseError

pytest.importorskip("PIL.Image")

# The same samples in every format


def write_npz(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict[str, Any]]:
    np.savez(path := folder / "it.npz", X=x, Y=y)
    return path, {}


def write_pair(folder: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict[str, Any]]:
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return folder / "x.npy", {"label": str(folder / "y.npy")}


WITHOUT_TEST: dict[str, Callable[[Path, np.ndarray, np.ndarray], tuple[Path, dict[str, Any]]]] = {
    "npz": write_npz,
    "npy": write_pair,
    "idx": lambda folder, x, y: (write_idx(folder, "letters", x, y), {}),
    "idx.gz": lambda folder, x, y: (write_idx(folder, "train", x, y, ".gz"), {}),
    "a folder of idx": lambda folder, x, y: (write_idx(folder, "train", x, y).parent, {}),
}


@pytest.mark.parametrize("name", WITHOUT_TEST)
def test_a_fifth_of_each_class_is_set_aside_in_every_format(name: str, tmp_path: Path) -> None:
    path, choice = WITHOUT_TEST[name](tmp_path, pixels(), labels())
    np.savez(tmp_path / "expected.npz", x=pixels(), y=labels())
    (data, sealed), (expected, expected_test) = loaded(path, **choice), loaded(tmp_path / "expected.npz")
    assert data.fingerprint == expected.fingerprint
    assert np.bincount(sealed.unseal().y).tolist() == [4, 4, 4]
    np.testing.assert_array_equal(sealed.unseal().x, expected_test.unseal().x)
    assert loaded(path, **choice, test=0.5)[1].n_samples == 30
    assert settings_for(str(path))["training"] == settings_for(str(tmp_path / "expected.npz"))["training"]


def test_a_folder_of_images_is_the_arrays_it_was_written_from(tmp_path: Path) -> None:
    order = np.argsort(labels(), kind="stable")  # A folder is read class by class.
    np.savez(tmp_path / "it.npz", x=pixels()[order], y=labels()[order])
    (data, sealed), (expected, expected_test) = (
        loaded(path) for path in (write_images(tmp_path / "it", pixels(), labels()), tmp_path / "it.npz")
    )
    assert data.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(sealed.unseal().x, expected_test.unseal().x)
    assert data.notes == ("60 images of 5 x 4, grey.",)


def write_four(folder: Path, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> Path:
    np.savez(path := folder / "it.npz", X_train=x, y_train=y, X_test=x_test, y_test=y_test)
    return path


def write_idx_parts(folder: Path, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> Path:
    write_idx(folder, "t10k", x_test, y_test, ".gz")
    return write_idx(folder, "train", x, y)


WITH_TEST: dict[str, Callable[..., Path]] = {
    "npz": write_four,
    "idx": write_idx_parts,
    "a folder of idx": lambda *arguments: write_idx_parts(*arguments).parent,
    "images": write_image_parts,
}


@pytest.mark.parametrize("name", WITH_TEST)
def test_nothing_of_the_test_samples_reaches_the_search(name: str, tmp_path: Path) -> None:
    found = []
    for seed, value in ((1, 0), (2, 1)):
        (folder := tmp_path / str(seed)).mkdir()
        y_test = np.full(20, value)
        found.append(loaded(WITH_TEST[name](folder, pixels(), labels(), pixels(20, seed), y_test)))
    (before, sealed), (after, noise) = found
    assert before.fingerprint == after.fingerprint
    for part in ("x_train", "y_train", "x_validation", "y_validation", "scale", "offset", "n_classes", "notes"):
        np.testing.assert_array_equal(getattr(before, part), getattr(after, part))
    assert sealed.n_samples == noise.n_samples == 20
    assert not np.array_equal(sealed.unseal().x, noise.unseal().x)
    with pytest.raises(MisuseError, match=" has some of its own"):
        loaded(WITH_TEST[name](folder, pixels(), labels(), pixels(20), y_test), test=0.3)


@pytest.mark.parametrize("name", [*WITHOUT_TEST, "images"])
def test_nothing_of_the_samples_set_aside_reaches_the_search(name: str, tmp_path: Path) -> None:
    """Which samples are set aside depends on the labels alone, so noise can be put in their place."""
    write = {**WITHOUT_TEST, "images": lambda folder, x, y: (write_images(folder / "it", x, y), {})}[name]
    x = pixels()
    (tmp_path / "a").mkdir()
    path, choice = write(tmp_path / "a", x, labels())
    before, sealed = loaded(path, **choice)
    (tmp_path / "b").mkdir()
    aside = [(x == image).all(axis=(1, 2)).argmax() for image in sealed.unseal().x]
    x[aside] = 255 - x[aside]
    path, choice = write(tmp_path / "b", x, labels())
    after, noise = loaded(path, **choice)
    assert before.fingerprint == after.fingerprint
    for part in ("x_train", "y_train", "x_validation", "y_validation", "scale", "offset"):
        np.testing.assert_array_equal(getattr(before, part), getattr(after, part))
    np.testing.assert_array_equal(noise.unseal().x, 255 - sealed.unseal().x)


# Labels and shapes


@pytest.mark.parametrize(
    "y",
    [
        labels()[:, None],
        labels() + 1,
        labels().astype(np.float32),
        np.eye(3)[labels()],
        np.eye(3, dtype=bool)[labels()],
        np.array(["a", "b", "c"])[labels()],
        (labels() + 1).astype(">u2"),
    ],
    ids=["a column", "from 1", "floats", "one-hot", "one-hot booleans", "text", "another byte order"],
)
def test_labels_are_the_same_however_they_are_written(y: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", x=pixels(), y=labels())
    expected, _ = loaded(tmp_path / "plain.npz")
    np.savez(tmp_path / "it.npz", x=pixels(), y=y)
    data, _ = loaded(tmp_path / "it.npz")
    assert data.fingerprint == expected.fingerprint
    assert data.notes == (
        ("One-hot labels of 3 classes: each is the position of its 1, counted from 0.",) * (y.size > 99)
    )
    write_four(tmp_path, pixels(), y, pixels(9), y[:9])
    data, _ = loaded(tmp_path / "it.npz")
    assert data.n_classes == 3 and len(data.notes) == (y.size > 99)


def test_yes_and_no_are_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "it.npz", x=pixels(), y=labels() == 1)
    assert loaded(tmp_path / "it.npz")[0].n_classes == 2


@given(y=st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_one_hot_rows_are_what_they_were_made_from(y: list[int]) -> None:
    np.testing.assert_array_equal(flat_labels(np.eye(5)[y], "y", "it")[0], y)


@pytest.mark.parametrize("shape", [(20,), (4, 5, 1), (4, 5, 3), (3, 4, 5)])
def test_images_may_be_flat_or_have_channels(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.savez(tmp_path / "it.npz", x=pixels(shape=shape), y=labels())
    assert loaded(tmp_path / "it.npz")[0].input_shape == shape


# A pair of arrays


def test_labels_that_moved_with_their_samples_are_found(tmp_path: Path) -> None:
    path, _ = write_pair(tmp_path, pixels(), labels())
    assert loaded(path, label="/where/they/were/y.npy")[0].n_classes == 3


def test_labels_must_be_named(tmp_path: Path) -> None:
    path, _ = write_pair(tmp_path, pixels(), labels())
    with pytest.raises(
        MisuseError, match=r"^`--label` must name the file with the labels of 'x\.npy', .* it: y\.npy\."
    ):
        loaded(path)


# IDX files


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "f4", "f8"])
def test_idx_files_hold_other_numbers_too(dtype: str, tmp_path: Path) -> None:
    x = (pixels().astype(dtype) - 100).astype(dtype)
    path = write_idx(tmp_path, "train", x, labels())
    data, sealed = loaded(path)
    both = np.concatenate([data.x_train, data.x_validation, sealed.unseal().x])
    assert sorted(both[:, 0, 0]) == sorted(x[:, 0, 0].astype(np.float32))


def test_names_with_dots_are_found(tmp_path: Path) -> None:
    for path in list(write_idx_parts(tmp_path, pixels(), labels(), pixels(9), labels(9)).parent.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert loaded(tmp_path)[1].n_samples == 9


def test_a_folder_of_several_data_sets_is_asked_about(tmp_path: Path) -> None:
    for name in ("emnist-letters-train", "emnist-digits-train"):
        path = write_idx(tmp_path, name, pixels(), labels())
    with pytest.raises(DataError, match="must hold the images of one data set, got emnist-digits-train-images-idx3"):
        loaded(tmp_path)
    assert loaded(path)[0].n_classes == 3


# Any bytes


@FUZZ
@given(
    content=st.binary(max_size=80), start=st.sampled_from([b"", b"\0\0\x08\x03", b"\0\0\x0e\x01\0\0\0\2", b"\x1f\x8b"])
)
def test_any_bytes_in_an_idx_file_are_data_or_one_line(tmp_path: Path, content: bytes, start: bytes) -> None:
    path = write_idx(tmp_path, "train", pixels(), labels())
    path.write_bytes(start + content)
    refused_or_read(path)
    settings_for(str(path))


@FUZZ
@given(content=st.binary(max_size=80), kept=st.integers(0, 200))
def test_any_bytes_in_an_array_are_data_or_one_line(tmp_path: Path, content: bytes, kept: int) -> None:
    path, choice = write_pair(tmp_path, pixels(), labels())
    path.write_bytes(path.read_bytes()[:kept] + content)
    refused_or_read(path, **choice)
    settings_for(str(path))
