"""Arrays, IDX files and folders of images: read as what they are, parted, and said; test samples reach nothing."""

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fewest.search.data import datasets, npz, openml
from fewest.search.data.errors import DataError, FetchError
from fewest.search.data.labels import flat_labels
from fewest.search.data.loading import load
from fewest.search.data.own_data import is_data, settings_for
from fewest.search.data.samples import SealedTest, SearchData
from fewest.search.settings.config import DataConfig
from fewest.storage.errors import FewestError, MisuseError

Image = pytest.importorskip("PIL.Image")

N = 60


def pixels(n: int = N, seed: int = 0, shape: tuple[int, ...] = (4, 5)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)


def labels(n: int = N) -> np.ndarray:
    return np.arange(n) % 3


def loaded(path: Path | str, **choice: Any) -> tuple[SearchData, SealedTest]:
    chosen = DataConfig(name=str(path), **choice)
    return load(str(path), validation="stratified", validation_share=0.2, seed=0, choice=chosen)


def as_idx(array: np.ndarray) -> bytes:
    kinds = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    start = struct.pack(f">BBBB{array.ndim}I", 0, 0, kinds[array.dtype.str[1:]], array.ndim, *array.shape)
    return start + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(folder: Path, part: str, x: np.ndarray, y: np.ndarray, end: str = "") -> Path:
    pack: Callable[[bytes], bytes] = gzip.compress if end else bytes
    (folder / f"{part}-labels-idx1-ubyte{end}").write_bytes(pack(as_idx(y.astype(np.uint8))))
    path = folder / f"{part}-images-idx3-ubyte{end}"
    path.write_bytes(pack(as_idx(x)))
    return path


def write_images(folder: Path, x: np.ndarray, y: np.ndarray, suffix: str = ".png") -> Path:
    for index, (image, label) in enumerate(zip(x, y, strict=True)):
        path = folder / f"class {label}" / f"{index:04d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


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


def write_image_parts(folder: Path, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> Path:
    write_images(folder / "it" / "Train", x, y)
    write_images(folder / "it" / "test", x_test, y_test)
    return folder / "it"


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


# Images


def test_colour_images_have_three_channels_and_grey_ones_join_them(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "it", pixels(shape=(4, 5, 3)), labels())
    Image.fromarray(pixels(1)[0]).save(folder / "class 0" / "0000.png")
    data, _ = loaded(folder, test=0.1)
    assert data.input_shape == (4, 5, 3)
    assert data.notes == ("60 images of 5 x 4, colour.", "1 grey images are read as colour, as others are.")


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".tif", ".webp", ".PGM", ".jpg"])
def test_images_come_in_many_formats(suffix: str, tmp_path: Path) -> None:
    x = np.repeat(np.repeat(pixels(shape=(1, 1)), 4, 1), 5, 2)  # of one grey each: no format loses much
    data, _ = loaded(write_images(tmp_path / "it", x, labels(), suffix))
    assert data.input_shape in ((4, 5), (4, 5, 3))


def test_transparent_pixels_are_put_on_white(tmp_path: Path) -> None:
    x = np.zeros((N, 2, 2, 4), np.uint8)
    x[..., 0], x[:, 0, 0, 3], x[:, 1, 1, 3] = labels()[:, None, None] * 100, 255, 51
    data, _ = loaded(write_images(tmp_path / "it", x, labels()))
    assert data.notes[1] == "60 images have transparent pixels: these are put on white."
    assert sorted(np.unique(data.x_train[..., 1])) == [0, 204, 255]


def test_a_palette_of_greys_and_two_colours_are_grey(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    for index, path in enumerate(sorted(folder.glob("*/*.png"))):
        with Image.open(path) as image:
            changed = image.convert("1") if index % 2 else image.convert("P")
        changed.save(path)
    data, _ = loaded(folder)
    assert data.input_shape == (4, 5)


def test_images_of_sixteen_bits_keep_them(tmp_path: Path) -> None:
    x = pixels().astype(np.uint16) * 200
    data, _ = loaded(write_images(tmp_path / "it", x, labels()))
    assert data.x_train.max() > 40_000
    assert data.notes == ("60 images of 5 x 4, grey of 16 bits.",)


def test_a_validation_part_joins_the_training_images_and_is_said(tmp_path: Path) -> None:
    folder = write_image_parts(tmp_path, pixels(), labels(), pixels(9), labels(9))
    write_images(folder / "val", pixels(15, 5), labels(15))
    data, sealed = loaded(folder)
    assert (len(data.y_train) + len(data.y_validation), sealed.n_samples) == (75, 9)
    assert "The 15 images in val join the training images, of which a share validates." in data.notes


def test_another_folder_may_hold_the_test_images(tmp_path: Path) -> None:
    write_image_parts(tmp_path, pixels(), labels(), pixels(9), labels(9))
    _, sealed = loaded(tmp_path / "it" / "Train", test=str(tmp_path / "it" / "test"))
    assert sealed.n_samples == 9


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    (folder / "class 0").rename(folder / "train")
    assert loaded(folder)[0].n_classes == 3


def test_hidden_files_are_not_seen_and_other_files_are_said(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    for name in (".DS_Store", "class 0/Thumbs.db", "class 1/.hidden.png", "README.md", "class 2/notes.txt"):
        (folder / name).write_text("no image")
    (folder / ".cache").mkdir()
    os.mkfifo(folder / "class 0" / "pipe.png")
    data, _ = loaded(folder)
    assert data.notes[1] == "Left out as no images: README.md, pipe.png, notes.txt."


def test_images_that_cannot_fit_into_memory_are_refused_before(tmp_path: Path, monkeypatch: Any) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    monkeypatch.setattr(npz, "_available_memory", lambda: 1_000)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(DataError, match=r"^'it' must fit into memory"):
        loaded(folder)


def test_pillow_is_asked_for_in_one_line(tmp_path: Path, monkeypatch: Any) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(DataError, match=r"^Reading images needs 'PIL\.Image', .*\[images\]"):
        loaded(folder)


# Names


@pytest.mark.parametrize(("name", "n", "n_classes"), [("iris", 150, 3), ("wine", 178, 3), ("breast_cancer", 569, 2)])
def test_data_sets_of_scikit_learn_have_names(name: str, n: int, n_classes: int) -> None:
    data, sealed = loaded(name)
    assert len(data.y_train) + len(data.y_validation) + sealed.n_samples == n
    assert data.n_classes == n_classes
    assert is_data(name) and settings_for(name)["name"] == name
    assert loaded(name, test=0.5)[1].n_samples == round(n / 2)


def test_a_name_wins_over_a_folder_and_a_path_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "iris", pixels(), labels())
    assert loaded("iris")[0].input_shape == (4,)
    assert loaded("./iris")[0].input_shape == (4, 5)
    assert is_data("./iris") and not is_data("digits") and not is_data("nowhere")


@pytest.fixture
def openml_frame(tmp_path: Path, monkeypatch: Any) -> Any:
    """What OpenML gives, and an empty cache."""
    pandas = pytest.importorskip("pandas")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kinds = pandas.Categorical(np.array(["a", "b", "c"])[labels()])
    return pandas.DataFrame({"kind": kinds, "x": np.random.default_rng(0).normal(size=N)})


def test_a_data_set_of_openml_is_fetched_once(openml_frame: Any, tmp_path: Path, monkeypatch: Any) -> None:
    import sklearn.datasets
    from sklearn.utils import Bunch

    asked = []

    def fetch(**which: Any) -> Any:
        asked.append(which)
        return Bunch(frame=openml_frame, target_names=["kind"])

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    assert settings_for("openml:my set/1")["name"] == "1"
    data, _ = loaded("openml:my set/1")
    assert data.table is not None and data.table.label == "kind"
    assert [(which["name"], which["as_frame"]) for which in asked] == [("my set/1", True)]
    assert [path.name for path in (tmp_path / "fewest").iterdir()] == ["openml-my%20set%2F1.parquet"]
    openml.fetched("openml:61")
    assert asked[1]["data_id"] == 61


@pytest.mark.parametrize("error", [OSError("Name or service not known"), ValueError("No active dataset it found.")])
def test_a_data_set_that_cannot_be_fetched_is_one_line(openml_frame: Any, monkeypatch: Any, error: Exception) -> None:
    import sklearn.datasets

    def fetch(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    with pytest.raises(FetchError, match=r"^The data set 'openml:it' could not be fetched from openml\.org: N"):
        settings_for("openml:it")


def test_images_of_keras_have_names(monkeypatch: Any) -> None:
    x = np.zeros((50_000, 32, 32, 3), np.uint8)
    y = (np.arange(50_000) % 10)[:, None]
    monkeypatch.setattr(datasets, "fetched", lambda name: npz.Arrays(x, y, x[:10_000], y[:10_000]))
    data, sealed = loaded("cifar10")
    assert (data.input_shape, data.n_classes, sealed.n_samples) == ((32, 32, 3), 10, 10_000)


# Any bytes

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refused_or_read(path: Path, **choice: Any) -> None:
    try:
        loaded(path, **choice)
    except FewestError as refused:
        assert "\n" not in str(refused) and refused.exit_status == 2


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


def encoded(suffix: str) -> bytes:
    import io

    file = io.BytesIO()
    Image.fromarray(pixels(1)[0]).save(file, {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper()))
    return file.getvalue()


ENCODED = {suffix: encoded(suffix) for suffix in (".png", ".jpg", ".gif", ".bmp", ".tif", ".webp")}


@FUZZ
@given(
    suffix=st.sampled_from(list(ENCODED)),
    kept=st.integers(0, 400),
    put=st.binary(max_size=8),
    more=st.one_of(st.just(b""), st.binary(max_size=60)),
)
def test_any_bytes_in_an_image_are_data_or_one_line(
    tmp_path: Path, suffix: str, kept: int, put: bytes, more: bytes
) -> None:
    folder = tmp_path / "it"
    if not folder.exists():
        write_images(folder, pixels(12), labels(12))
    whole = ENCODED[suffix]
    path = folder / "class 0" / f"0000{suffix}"
    path.write_bytes(whole[:kept] + put + (more or whole[kept + len(put) :]))
    refused_or_read(folder)
    path.unlink()


@FUZZ
@given(
    suffix=st.sampled_from([".arff", ".jsonl", ".arff.gz", ".jsonl.zst"]),
    content=st.one_of(
        st.binary(max_size=200),
        st.text(alphabet="@data{}[]:,'\"\\%? \n1a", max_size=200).map(str.encode),
        st.binary(max_size=60).map(
            lambda more: b"@relation a\n@attribute x real\n@attribute y {a,b}\n@data\n1,a\n" + more
        ),
        st.lists(st.dictionaries(st.text(max_size=2), st.none() | st.integers() | st.text(max_size=3)), max_size=9).map(
            lambda rows: "\n".join(map(__import__("json").dumps, rows)).encode()
        ),
    ),
)
def test_any_bytes_in_a_table_are_data_or_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"it{suffix}"
    path.write_bytes(content)
    refused_or_read(path)
    settings_for(str(path))
