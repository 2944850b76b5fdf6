"""Precision: a network sees a feature as well wherever its zero lies and in whatever unit it is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fewest.search.data import loading
from fewest.search.data.errors import DataError
from fewest.search.data.loading import load
from fewest.search.data.samples import SealedTest, SearchData

BLOBS = np.random.default_rng(3).normal(0, 1, (400, 4))
LABELS = (BLOBS @ [1.0, -1.0, 0.5, 0.0] > 0).astype(int)

OFFSETS = np.array([1e8, 0, 0, 0])


def loaded(folder: Path, x: Any, x_test: Any = None) -> tuple[SearchData, SealedTest]:
    path, x_test = folder / "blobs.npz", x[300:] if x_test is None else x_test
    np.savez(path, x_train=x[:300], y_train=LABELS[:300], x_test=x_test, y_test=LABELS[300:][: len(x_test)])
    return load(str(path), validation="tail", validation_share=0.25, seed=0)


def seen(data: SearchData, x: Any) -> np.ndarray:
    """Samples as a network's first dense layer sees them, computed in float32."""
    assert x.dtype == np.float32
    return (x * data.scale + data.offset).reshape(len(x), -1)


def accuracy(data: SearchData, sealed: SealedTest) -> float:
    classifier = LogisticRegression(C=100).fit(seen(data, data.x_train), data.y_train)
    x, y = sealed.unseal()
    return float(classifier.score(seen(data, x), y))


def whole(x: np.ndarray) -> np.ndarray:
    return np.rint(x * 1000).astype(np.int64)


CHANGES = {
    "offset 1e8": BLOBS + 1e8,
    "offset -1e12": BLOBS - 1e12,
    "one feature each way": BLOBS * [1, 1e-40, 1e-3, 1] + [1e8, 0, -3, 1e5],
    "1e-40": BLOBS * 1e-40,
    "1e-300": BLOBS * 1e-300,
    "1e-300 with an offset": BLOBS * 1e-300 + 7e-295,
    "1e38": BLOBS * 1e38,
    "1e300": BLOBS * 1e300,
    "nanoseconds": whole(BLOBS) + 1_700_000_000_000_000_000,
    "unsigned": (whole(BLOBS) + 1_700_000_000_000_000_000).astype(np.uint64),
    "int32": (whole(BLOBS) + 2_000_000_000).astype(np.int32),
    "longdouble": BLOBS.astype(np.longdouble) + 1e8,
    "big-endian": (BLOBS + 1e8).astype(">f8"),
    "by columns": np.asfortranarray(BLOBS + 1e8),
    "images": (BLOBS + 1e8).reshape(-1, 2, 2),
    "float32 1e-40": (BLOBS * 1e-40).astype(np.float32),
}


@pytest.mark.parametrize("x", CHANGES.values(), ids=CHANGES.keys())
def test_offset_and_unit_change_no_accuracy(tmp_path: Path, x: np.ndarray) -> None:
    plain = accuracy(*loaded(tmp_path, BLOBS))
    assert plain > 0.97
    assert accuracy(*loaded(tmp_path, x)) == pytest.approx(plain, abs=0.011)


@pytest.mark.parametrize(
    "x",
    [
        BLOBS,
        BLOBS + 3000,
        BLOBS.astype(np.float32) + np.float32(1e6),
        (BLOBS + 1e6).astype(">f4"),
        BLOBS.astype(np.float16),
        whole(BLOBS),
        BLOBS * [1, 0, 0, 1] + 0.1,
        BLOBS * [1e-17, 1, 1, 1] + 1.0,
    ],
)
def test_features_that_lose_nothing_are_cast_as_ever(tmp_path: Path, x: np.ndarray) -> None:
    data, test = loaded(tmp_path, x)
    assert (data.shift, data.divisor) == (0.0, 1.0)
    cast = x[:300].astype(np.float32)
    np.testing.assert_array_equal(data.x_train, cast[:225])
    np.testing.assert_array_equal(test.unseal().x, x[300:].astype(np.float32))
    deviation = cast.std(axis=0, dtype=np.float64)
    scale = 1 / np.where(deviation <= 1e-6 * np.abs(cast).max(axis=0), 1, deviation)
    np.testing.assert_array_equal(data.scale, scale.astype(np.float32))
    np.testing.assert_array_equal(data.offset, (-cast.mean(axis=0, dtype=np.float64) * scale).astype(np.float32))
    assert data.fingerprint == loading._fingerprint(cast, data_labels())


def data_labels() -> np.ndarray:
    return LABELS[:300].astype(np.int32)


def test_what_was_done_to_a_feature_is_kept(tmp_path: Path) -> None:
    x = BLOBS + OFFSETS
    data, test = loaded(tmp_path, x)
    np.testing.assert_array_equal(np.not_equal(data.shift, 0), [True, False, False, False])
    np.testing.assert_array_equal(np.not_equal(data.divisor, 1), [True, False, False, False])
    done = ((x - data.shift) / data.divisor).astype(np.float32)
    np.testing.assert_array_equal(data.x_train, done[:225])
    np.testing.assert_array_equal(test.unseal().x, done[300:])
    assert (np.ravel(data.scale)[0], np.ravel(data.offset)[0]) == (1, 0)
    assert data.fingerprint != loaded(tmp_path, x + OFFSETS)[0].fingerprint


def test_the_test_set_decides_nothing(tmp_path: Path) -> None:
    x = BLOBS + 1e8
    one, other = (loaded(tmp_path, x, x_test)[0] for x_test in (x[300:], x[300:305] * 2))
    for name in ("shift", "divisor", "scale", "offset", "x_train", "fingerprint"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("constant", [1e8, 1e300, -1e300, 1e-320, 0.1])
def test_a_constant_feature_is_only_centred(tmp_path: Path, constant: float) -> None:
    x = BLOBS.copy()
    x[:, 2] = constant
    data, _ = loaded(tmp_path, x)
    np.testing.assert_allclose(seen(data, data.x_train)[:, 2], 0, atol=1e-30)


def test_a_feature_that_fits_in_no_way_is_named(tmp_path: Path) -> None:
    x = BLOBS.copy()
    x[:, 3] = -1.7e308
    x[5, 3] = 1.7e308
    with pytest.raises(DataError, match=r"feature 3 of `x_train` has not: it goes from -1\.7e\+308 to 1\.7e\+308"):
        loaded(tmp_path, x)


def test_a_test_set_in_another_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`x_test` of blobs.npz must hold numbers that fit float32 .* got 400 beyond"):
        loaded(tmp_path, BLOBS * 1e-300, BLOBS[300:])
