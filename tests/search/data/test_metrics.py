"""Metrics: scikit-learn's numbers, exactly; what guessing reaches; how much one sample counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from fewest.search.data.metrics import DECIMALS, guessing, restored, score, steps

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda labels: np.array(labels, np.int32))


@given(y=LABELS, seed=st.integers(0, 2**32 - 1))
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_scores_are_scikit_learns(y, seed):
    labels = np.random.default_rng(seed).permutation(y)
    assert score("accuracy", y, labels) == accuracy_score(y, labels)
    assert score("balanced_accuracy", y, labels) == round(balanced_accuracy_score(y, labels), DECIMALS)


def test_a_score_that_equals_a_target_reaches_it():
    """0.8, 0.9 and 1.0 add up to 2.7, a third of which float64 rounds to 0.9 only by luck."""
    y = np.repeat([0, 1, 2], 10)
    labels = y.copy()
    labels[[0, 1, 10]] = 2
    assert score("balanced_accuracy", y, labels) == 0.9


def test_a_class_without_samples_is_left_out():
    assert score("balanced_accuracy", np.array([0, 0, 2, 2]), np.array([0, 1, 2, 2])) == 0.75


@given(train=LABELS, test=LABELS)
def test_guessing_is_what_a_dummy_classifier_reaches(train, test):
    labels = DummyClassifier(strategy="most_frequent").fit(train[:, None], train).predict(test[:, None])
    assert guessing(train, test) == {
        "accuracy": score("accuracy", test, labels),
        "balanced_accuracy": score("balanced_accuracy", test, labels),
    }


@given(y=LABELS, place=st.integers(0, 59))
def test_one_sample_more_raises_a_score_by_a_step(y, place):
    wrong = np.full(len(y), 5)
    one_right = wrong.copy()
    one_right[place % len(y)] = y[place % len(y)]
    for metric in ("accuracy", "balanced_accuracy"):
        least, most = steps(metric, y)
        raised = score(metric, y, one_right) - score(metric, y, wrong)
        assert least - 1e-11 <= raised <= most + 1e-11


@given(n_right=st.integers(0, 10_000))
def test_an_accuracy_is_restored_from_float32(n_right):
    assert restored("accuracy", float(np.float32(n_right / 10_000)), 10_000) == n_right / 10_000


def test_a_network_that_diverged_has_no_accuracy():
    assert np.isnan(restored("accuracy", float("nan"), 10)) and np.isnan(restored("balanced_accuracy", np.nan, 10))
