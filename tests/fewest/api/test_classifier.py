"""`FewestClassifier`: scikit-learn's own checks, and what they do not look at."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fewest import FewestClassifier

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning"),
]

TINY = {"training.epochs": 12, "training.batch_size": 16}
SMALL = FewestClassifier(0.9, trials=2, max_depth=1, max_width=2, verification_seeds=1, settings=TINY)
"""As little as passes scikit-learn's checks, which fit it about a hundred times."""


@parametrize_with_checks([SMALL])  # type: ignore[untyped-decorator]  # scikit-learn ships no types
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def wine() -> tuple[FewestClassifier, np.ndarray, np.ndarray]:
    x, y = load_wine(return_X_y=True)
    found = FewestClassifier(0.9, trials=9, max_depth=1, max_width=8, verification_seeds=4, random_state=0)
    return found.fit(x, y), x, y


def test_it_finds_its_size(wine: Any) -> None:
    found, x, y = wine
    assert found.n_neurons_ == sum(found.widths_) == found.answer_.typical.neurons
    low, high = found.answer_.typical.interval
    assert low <= found.n_neurons_ <= high
    assert found.score(x, y) > 0.95
    probabilities = found.predict_proba(x)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_it_is_pickled_and_cloned(wine: Any) -> None:
    found, x, _ = wine
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).predict_proba(x), found.predict_proba(x))
    assert clone(found).get_params() == found.get_params()


def test_it_works_in_a_pipeline_and_in_cross_validation() -> None:
    x, y = load_wine(return_X_y=True)
    small = FewestClassifier(0.9, trials=3, max_depth=1, max_width=4, verification_seeds=2, random_state=0)
    assert cross_val_score(make_pipeline(StandardScaler(), small), x, y, cv=2).min() > 0.9


def test_a_target_out_of_reach_keeps_the_most_accurate_network_and_says_so() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), np.arange(60) % 2
    small = FewestClassifier(0.99, trials=3, max_depth=1, max_width=2, verification_seeds=2, random_state=0)
    with pytest.warns(
        ConvergenceWarning, match=r"^No size tried typically reaches 0\.99 \((not reached|needs more seeds)"
    ):
        small.fit(x, y)
    assert small.answer_.typical.neurons is None
    assert small.n_neurons_ in (0, 1, 2)


def test_settings_leave_what_a_parameter_says() -> None:
    with pytest.raises(ValueError, match=r"^`settings` must leave `space\.max_depth` to the argument `max_depth`\.$"):
        FewestClassifier(settings={"space.max_depth": 1}).fit([[0.0], [1.0]], [0, 1])


def test_times_and_rare_classes_are_fitted() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "rare"], [30, 30, 1])
    x = rng.normal(size=(61, 2)) + 9 * (y == "b")[:, None] + 1.7e9
    small = FewestClassifier(0.9, trials=3, max_depth=1, max_width=2, verification_seeds=2, random_state=0).fit(x, y)
    assert small.classes_.tolist() == ["a", "b", "rare"]
    assert (small.predict(x[:60]) == y[:60]).mean() > 0.9
