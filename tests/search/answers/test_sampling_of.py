"""What the test set leaves open: against NumPy, against a bootstrap, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewest.search.answers import sampling
from fewest.search.answers.sampling import sampling_of, sampling_variances
from fewest.search.verification.scoring import packed
from fewest.storage.trials.records import VerifiedNetwork


def network(
    right: bytes | None, seed: int = 0, accuracy: float = 0.9, widths: tuple[int, ...] = (2,)
) -> VerifiedNetwork:
    return VerifiedNetwork(widths, seed, accuracy, math.nan, 15, 1.0, 0.1, right)


def variance(right: np.ndarray, y: np.ndarray, *, balanced: bool = False) -> float:
    """The variance from the bits of the seeds, `(seeds, samples)`, as verification packs them."""
    networks = [network(packed(of, y), seed) for seed, of in enumerate(right)]
    counts = np.bincount(y).tolist() if balanced else ()
    return sampling_variances(networks, len(y), counts)[2,]


def imagined(shares: np.ndarray | list[int]) -> np.ndarray:
    """Add two samples that are right and two that are wrong."""
    return np.append(shares, [1.0, 1.0, 0.0, 0.0])


def test_a_test_set_without_errors_leaves_something_open() -> None:
    """All of 96 samples right: two of a hundred may be wrong."""
    found = variance(np.ones((4, 96), bool), np.zeros(96, int))
    assert found == pytest.approx(0.98 * 0.02 / 96)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(2, 70), st.integers(1, 4))
def test_it_is_the_variance_of_the_samples_shares(seed: int, n_seeds: int, n_samples: int, n_classes: int) -> None:
    rng = np.random.default_rng(seed)
    right, y = rng.random((n_seeds, n_samples)) < rng.random(n_samples), rng.integers(0, n_classes, n_samples)
    shares = right.mean(axis=0)
    assert variance(right, y) == pytest.approx(imagined(shares).var() / n_samples)
    each = [imagined(shares[y == label]).var() / np.sum(y == label) for label in np.unique(y)]
    assert variance(right, y, balanced=True) == pytest.approx(sum(each) / len(each) ** 2)


def test_a_bootstrap_over_test_samples_agrees() -> None:
    rng = np.random.default_rng(1)
    easy = rng.beta(5, 1, 500)
    right = rng.random((20, 500)) < easy
    y = rng.integers(0, 3, 500)
    drawn = rng.integers(0, 500, (4000, 500))
    means = right.mean(axis=0)[drawn].mean(axis=1)
    assert variance(right, y) == pytest.approx(means.var(), rel=0.1)


def test_of_a_large_test_set_evenly_spaced_samples_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MOST_KEPT", 64)
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 1000)
    right = rng.random((4, 1000)) < 0.5 + 0.2 * y
    assert len(packed(right[0], y)) == 8
    rows = np.argsort(y, kind="stable")[np.arange(64) * 1000 // 64]
    shares = right.mean(axis=0)[rows]
    assert variance(right, y) == pytest.approx(imagined(shares).var() / 1000)
    classes = [shares[y[rows] == label] for label in range(3)]
    counts = np.bincount(y)
    each = [imagined(of).var() / count for of, count in zip(classes, counts, strict=True)]
    assert variance(right, y, balanced=True) == pytest.approx(sum(each) / 9)


def test_a_class_of_which_no_bit_is_kept_counts_as_badly_as_any() -> None:
    right = np.array([[True, True, False]])
    assert variance(right, np.array([0, 0, 1]), balanced=True) == pytest.approx(
        (imagined([1, 1]).var() / 2 + imagined([0]).var() / 1) / 4
    )


def test_a_network_without_bits_leaves_its_architecture_unknown_unless_it_failed() -> None:
    whole, failed = packed(np.array([True, False]), np.array([0, 1])), network(None, 1, math.nan)
    assert (2,) in sampling_variances([network(whole), failed], 2)
    assert sampling_variances([network(whole), network(None, 1)], 2) == {}
    assert sampling_variances([failed], 2) == {(2,): 0.0}


def test_results_of_an_older_version_leave_nothing_to_say() -> None:
    old = [network(None)]
    assert sampling_of({"n_test": 2}, old) is None
    assert sampling_of({"n_test": 0, "test_counts": []}, [network(b"\x80")]) is None
