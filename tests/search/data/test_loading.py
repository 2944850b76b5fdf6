"""Data sets: what is read, how it is split and scaled, and one clear line for all that cannot be used."""

import hashlib
import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.model_selection import train_test_split

from fewest.search.data import loading
from fewest.search.data.errors import DataError
from fewest.search.data.loading import load
from fewest.search.data.samples import SealedTest, SearchData
from fewest.search.data.splitting import stratified_split
from fewest.storage.errors import FewestError, MisuseError


def arrays(n_train: int = 40, n_test: int = 12, n_classes: int = 2) -> dict[str, np.ndarray]:
    """A tiny data set of 4-pixel images that nothing is wrong with."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (n_train, 2, 2)).astype(np.uint8),
        "y_train": np.arange(n_train) % n_classes,
        "x_test": rng.integers(0, 256, (n_test, 2, 2)).astype(np.uint8),
        "y_test": np.arange(n_test) % n_classes,
    }


def saved(folder: Path, **changes: Any) -> str:
    """The tiny data set with some arrays replaced (None: left out), as a file."""
    given = {name: value for name, value in {**arrays(), **changes}.items() if value is not None}
    path = folder / "mine.npz"
    np.savez(path, **given)
    return str(path)


def loaded(path: str, **options: Any) -> tuple[SearchData, SealedTest]:
    return load(path, **{"validation": "stratified", "validation_share": 0.25, "seed": 7, **options})


def refusal(path: str, error: type[FewestError] = DataError, **options: Any) -> str:
    """The one line that refuses `path`."""
    with pytest.raises(error) as caught:
        loaded(path, **options)
    assert type(caught.value) is error
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message


# What is read


def test_uint8_images_stay_uint8_and_are_scaled_by_the_brightest_training_pixel(tmp_path: Path) -> None:
    dim = np.minimum(arrays()["x_train"], 16)
    data, test = loaded(saved(tmp_path, x_train=dim))
    assert data.x_train.dtype == data.x_validation.dtype == test.unseal().x.dtype == np.uint8
    assert (data.scale, data.offset) == (1 / 16, 0.0)
    assert (data.name, data.n_classes, data.input_shape) == ("mine.npz", 2, (2, 2))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint32, bool, ">i4"])
def test_integers_between_0_and_255_become_uint8(tmp_path: Path, dtype: Any) -> None:
    pixels = {name: (arrays()[name] // 2).astype(dtype) for name in ("x_train", "x_test")}
    data, test = loaded(saved(tmp_path, **pixels), validation="tail")
    assert data.x_train.dtype == np.uint8
    np.testing.assert_array_equal(data.x_train, pixels["x_train"][:30])
    np.testing.assert_array_equal(test.unseal().x, pixels["x_test"])


def test_other_numbers_become_float32_standardised_by_the_training_file(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(50, [1, 2, 3], (40, 3))
    x[:, 1] = 0.1  # constant: only centred
    data, test = loaded(saved(tmp_path, x_train=x, x_test=x[:12] + 9))
    assert data.x_train.dtype == test.unseal().x.dtype == np.float32
    assert isinstance(data.scale, np.ndarray) and isinstance(data.offset, np.ndarray)
    assert data.scale.dtype == data.offset.dtype == np.float32
    scaled = x.astype(np.float32) * data.scale + data.offset
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(0), [1, 0, 1], atol=1e-4)
    assert data.scale[1] == 1.0


def test_integers_beyond_a_byte_become_float32(tmp_path: Path) -> None:
    data, _ = loaded(saved(tmp_path, x_train=arrays()["x_train"].astype(int) * 3))
    assert data.x_train.dtype == np.float32


def test_an_all_black_training_set_is_not_divided_by_zero(tmp_path: Path) -> None:
    data, _ = loaded(saved(tmp_path, x_train=np.zeros((40, 2, 2), np.uint8)))
    assert data.scale == 1.0


@pytest.mark.parametrize(
    "labels", [["cat", "dog"], [b"cat", b"dog"], [-7, 3], [False, True], np.array([10, 200], np.uint8)]
)
def test_labels_are_numbered_in_sorted_order(tmp_path: Path, labels: Any) -> None:
    y = np.array(labels)[np.arange(40) % 2]
    data, test = loaded(saved(tmp_path, y_train=y, y_test=y[1:13, None]), validation="tail")
    assert data.y_train.dtype == np.int32
    np.testing.assert_array_equal(data.y_train, np.arange(30) % 2)
    np.testing.assert_array_equal(test.unseal().y, np.arange(1, 13) % 2)


def test_digits_are_1438_and_359_images_of_sixteen_greys() -> None:
    data, test = load("digits", validation="stratified", validation_share=0.15, seed=0)
    assert len(data.x_train) + len(data.x_validation) == 1438
    assert (test.n_samples, data.scale, data.n_classes, data.input_shape) == (359, 1 / 16, 10, (8, 8))
    assert np.bincount(test.unseal().y).min() >= 35


def test_mnist_is_the_real_one() -> None:
    """Byte for byte the four files of the original, whose MD5 sums are known; fetched once, then cached."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # TensorFlow's own, while it is imported
        data, test = load("mnist", validation="tail", validation_share=0.15, seed=0)
    assert (data.x_train.shape, data.x_validation.shape) == ((51_000, 28, 28), (9_000, 28, 28))
    assert (data.scale, data.offset, data.n_classes) == (1 / 255, 0.0, 10)
    x = np.concatenate([data.x_train, data.x_validation])
    y = np.concatenate([data.y_train, data.y_validation])
    assert idx_md5(x, y) == ("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624")
    assert idx_md5(*test.unseal()) == ("2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637")


def idx_md5(x: np.ndarray, y: np.ndarray) -> tuple[str, str]:
    """MD5 sums of the files that images and labels had when they were published."""
    images = struct.pack(">4i", 2051, *x.shape) + x.tobytes()
    labels = struct.pack(">2i", 2049, *y.shape) + y.astype(np.uint8).tobytes()
    return hashlib.md5(images).hexdigest(), hashlib.md5(labels).hexdigest()


# How it is split


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    share=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**63),
    n_classes=st.integers(2, 5),
    validation=st.sampled_from(["stratified", "tail"]),
)
def test_every_sample_trains_or_validates_once(
    tmp_path: Path, share: float, seed: int, n_classes: int, validation: Any
) -> None:
    n = 60
    x = np.arange(n, dtype=np.uint8).reshape(n, 1)
    y = np.arange(n) % n_classes
    path = saved(tmp_path, x_train=x, y_train=y, x_test=x[:5], y_test=y[:5])
    data, _ = loaded(path, validation=validation, validation_share=share, seed=seed)
    both = np.concatenate([data.x_train, data.x_validation]).ravel()
    np.testing.assert_array_equal(np.sort(both), x.ravel())
    assert len(data.x_validation) == round(n * share)
    np.testing.assert_array_equal(data.y_train, y[data.x_train.ravel()])
    np.testing.assert_array_equal(data.y_validation, y[data.x_validation.ravel()])
    if validation == "stratified":
        counts = np.bincount(data.y_validation, minlength=n_classes)
        assert counts.max() - counts.min() <= 1


def test_the_tail_is_the_end_of_the_file_in_its_order(tmp_path: Path) -> None:
    data, _ = loaded(saved(tmp_path), validation="tail", validation_share=0.15)
    np.testing.assert_array_equal(data.x_train, arrays()["x_train"][:34])
    np.testing.assert_array_equal(data.x_validation, arrays()["x_train"][34:])


def test_a_stratified_split_depends_on_the_seed_alone(tmp_path: Path) -> None:
    path = saved(tmp_path)
    first, again, other = (loaded(path, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.x_train, again.x_train)
    assert not np.array_equal(first.x_train, other.x_train)


def test_nothing_the_search_sees_depends_on_the_test_arrays(tmp_path: Path) -> None:
    before, _ = loaded(saved(tmp_path))
    noise = np.random.default_rng(9).integers(0, 256, (5, 2, 2))
    after, _ = loaded(saved(tmp_path, x_test=noise, y_test=np.ones(5, int)))
    assert before.fingerprint == after.fingerprint
    assert (before.scale, before.offset, before.n_classes) == (after.scale, after.offset, after.n_classes)
    for name in ("x_train", "y_train", "x_validation", "y_validation"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


@given(first=npst.arrays(np.uint8, (3, 2)), second=npst.arrays(np.uint8, (3, 2)))
def test_fingerprints_agree_exactly_when_the_arrays_do(first: np.ndarray, second: np.ndarray) -> None:
    same = loading._fingerprint(first) == loading._fingerprint(second)
    assert same == np.array_equal(first, second)
    assert loading._fingerprint(first) != loading._fingerprint(first.reshape(2, 3))


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(2, 30), min_size=2, max_size=12),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_stratified_split_leaves_no_part_without_a_class(counts: list[int], share: float, seed: int) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    n_validation = min(max(round(len(y) * share), len(counts)), len(y) - len(counts))
    first, second = stratified_split(y, n_validation, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([first, second])), np.arange(len(y)))
    assert len(second) == n_validation
    assert set(y[first]) == set(y[second]) == set(y)


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(10, 30), min_size=2, max_size=9), seed=st.integers(0, 2**32 - 1))
def test_a_split_that_held_every_class_is_as_it_was(counts: list[int], seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts)).astype(str)
    drawn = train_test_split(np.arange(len(y)), test_size=len(y) // 4, stratify=y, random_state=seed)
    for part, before in zip(stratified_split(y, len(y) // 4, seed), drawn, strict=True):
        np.testing.assert_array_equal(part, before)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.15, 0.9, 0.97])
def test_rare_classes_train_and_validate(tmp_path: Path, share: float) -> None:
    y = np.array([0] * 191 + [1] * 5 + [2] * 2 + [3] * 2)
    path = saved(tmp_path, x_train=np.ones((200, 2)), y_train=y, x_test=np.ones((12, 2)))
    for seed in range(20):
        data, _ = loaded(path, validation_share=share, seed=seed)
        assert set(data.y_train) == set(data.y_validation) == {0, 1, 2, 3}


NUMBERS = np.random.default_rng(2).permutation(4000)


@pytest.mark.parametrize(
    ("y_train", "y_test", "options"),
    [
        (NUMBERS[:40], NUMBERS[:12], {}),
        (NUMBERS[:40], NUMBERS[40:52], {}),
        (NUMBERS[:40], NUMBERS[:12], {"validation": "tail"}),
        (NUMBERS[:40] // 50, NUMBERS[:12] // 50, {}),
        (NUMBERS[:40].astype(np.uint16), NUMBERS[:12], {"validation_share": 0.02}),
    ],
)
def test_numbers_to_predict_are_told_that_they_are_no_classes(
    tmp_path: Path, y_train: np.ndarray, y_test: np.ndarray, options: dict[str, Any]
) -> None:
    message = refusal(saved(tmp_path, y_train=y_train, y_test=y_test), **options)
    assert "look like numbers to predict" in message and "numpy.digitize" in message


def test_many_names_are_not_taken_for_numbers(tmp_path: Path) -> None:
    names = np.array([f"person {number}" for number in range(40)])
    assert "numbers" not in refusal(saved(tmp_path, y_train=names, y_test=names[:12]))


def test_labels_as_bytes_and_as_text_are_the_same_labels(tmp_path: Path) -> None:
    labels = np.array(["größe", "länge"])[np.arange(40) % 2]
    data, _ = loaded(saved(tmp_path, y_train=np.char.encode(labels, "utf-8"), y_test=labels[:12]))
    assert data.n_classes == 2
    message = refusal(saved(tmp_path, y_train=np.char.encode(labels, "latin-1"), y_test=labels[:12]))
    assert "got größe, länge." in message


@pytest.mark.parametrize("label", ["two\nlines", "bell\a", "del\x7f"])
def test_labels_break_no_line(tmp_path: Path, label: str) -> None:
    y = np.array(["plain", "other"])[np.arange(40) % 2]
    assert repr(label) in refusal(saved(tmp_path, y_train=y, y_test=np.array([label] * 12)))
    assert repr(label) in refusal(saved(tmp_path, y_train=np.array([label] * 40), y_test=np.array([label] * 12)))


@pytest.mark.parametrize("dtype", [np.uint16, ">u2"])
def test_byte_order_does_not_change_a_fingerprint(dtype: Any) -> None:
    assert loading._fingerprint(np.array([1, 2], dtype)) == loading._fingerprint(np.array([1, 2], np.uint16))


# What is refused


def test_an_unknown_name_is_told_the_nearest_one() -> None:
    message = refusal("mnsit", MisuseError)
    assert message == (
        "Unknown data set 'mnsit'. Did you mean 'mnist'? It must be one of breast_cancer, cifar10, cifar100, digits, "
        "fashion_mnist, iris, mnist, wine, openml:NAME, or the path of a table (.csv, .parquet, ...), arrays (.npz, "
        ".npy), IDX files, or a folder of images by class."
    )
    assert MisuseError.exit_status == DataError.exit_status == 2


@pytest.mark.parametrize("name", ["nowhere.npz", "no/such/file", ""])
def test_a_missing_file_is_misuse(name: str) -> None:
    refusal(name, MisuseError)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "must hold a folder of images for each class" in refusal(str(tmp_path))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_must_leave_something_on_both_sides(share: float) -> None:
    assert "`validation_share`" in refusal("digits", MisuseError, validation_share=share)


def test_an_unknown_kind_of_validation_is_misuse() -> None:
    assert "'stratified' or 'tail'" in refusal("digits", MisuseError, validation="head")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip at all", pickle.dumps({"x_train": 1})])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    assert "mine.npz" in refusal(str(path))


@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = Path(saved(tmp_path))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    assert "truncated" in refusal(str(path))


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = Path(saved(tmp_path))
    content = bytearray(path.read_bytes())
    middle = content.find(b"NUMPY") + 200
    content[middle : middle + 20] = bytes(255 - byte for byte in content[middle : middle + 20])
    path.write_bytes(content)
    refusal(str(path))


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = saved(tmp_path)
    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(path)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "mine.npz").open("wb") as file:
        np.save(file, np.arange(3))
    assert "single array" in refusal(str(tmp_path / "mine.npz"))


def test_missing_arrays_are_named_with_what_is_there(tmp_path: Path) -> None:
    message = refusal(saved(tmp_path, y_train=None, y_test=None, ytrain=np.zeros(3)))
    assert "y_train, y_test missing" in message and "x_train, x_test, ytrain" in message
    assert "Rename ytrain" in message


def test_object_arrays_are_never_loaded(tmp_path: Path) -> None:
    message = refusal(saved(tmp_path, y_train=np.array([{}] * 40, dtype=object)))
    assert "`y_train`" in message and "objects" in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"y_train": np.arange(39) % 2}, "40 samples and 39 labels"),
        ({"y_test": np.arange(13) % 2}, "12 samples and 13 labels"),
        ({"x_test": np.zeros((12, 2, 3), np.uint8)}, "(2, 2) and (2, 3)"),
        ({"x_test": np.full((12, 2, 2), 256)}, "256"),
        ({"x_test": np.full((12, 2, 2), 0.5)}, "0..255"),
        ({"y_train": np.zeros(40, int), "y_test": np.zeros(12, int)}, "at least 2 classes, got only 0"),
        ({"y_test": np.arange(12) % 3}, "got 2."),
        ({"y_test": np.array(["a"] * 12)}, "one type"),
        ({"y_train": np.ones((40, 2), int)}, "one-hot rows with a single 1 and else 0, got other values"),
        ({"y_train": np.eye(2, dtype=int)[np.arange(40) % 2], "y_test": np.eye(3)[: 12 % 3 + 1]}, "equally wide"),
        ({"y_train": np.zeros((40, 1, 2), int)}, "(40, 1, 2)"),
        ({"y_train": np.arange(40) % 2 + 0.5}, "numbers such as 0.5"),
        ({"y_train": np.array(3)}, "()"),
        ({"x_train": np.zeros((0, 2, 2), np.uint8)}, "not empty"),
        ({"x_train": np.zeros(40)}, "(40,)"),
        ({"y_test": np.zeros(0, int)}, "not empty"),
        ({"x_train": np.full((40, 2, 2), 1j)}, "complex128"),
        ({"x_train": np.full((40, 2, 2), "1")}, "<U1"),
        ({"x_train": np.full((40, 2, 2), np.inf)}, "160 NaN or infinite values"),
        ({"x_train": np.full((40, 2, 2), 1e300)}, "fit float32"),
        ({"x_train": np.ones((40, 2, 2)), "x_test": np.full((12, 2, 2), np.nan)}, "`x_test`"),
        ({"y_train": np.array([1] + [0] * 39), "y_test": np.zeros(12, int)}, "class 1 has 1"),
        ({"y_train": np.arange(40) // 2, "y_test": np.zeros(12, int)}, "at least 20 samples each"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, changes: Any, said: str) -> None:
    assert said in refusal(saved(tmp_path, **changes))


def test_one_nan_is_counted(tmp_path: Path) -> None:
    x = np.ones((40, 2, 2))
    x[3, 1, 1] = np.nan
    assert "got 1 NaN or infinite value;" in refusal(saved(tmp_path, x_train=x))


def test_a_tail_that_holds_a_whole_class_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, y_train=np.repeat([0, 1], [35, 5]))
    assert "class 1 is only among its last 10 samples" in refusal(path, validation="tail")
