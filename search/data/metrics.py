"""How good a network's labels are: the share of right samples, or the mean over classes of that share.

Balanced accuracy is scikit-learn's `balanced_accuracy_score`: a class without samples is left out of the mean. Its
recalls are exact counts divided in float64, and the mean is rounded to `DECIMALS`. So both engines, and a check years
later, get the same number: 0.9 is never 0.8999999999999999, which would miss a target of 0.9.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from fewest.search.settings.config import Metric

__all__ = ["DECIMALS", "guessing", "restored", "score", "share_right", "steps"]

DECIMALS: Final = 12
"""Decimals of a balanced accuracy: rounding lies beyond them, a sample far before them."""


def score(metric: Metric, y: NDArray[np.int32], labels: NDArray[Any]) -> float:
    """Score labels.

    Args:
        metric: What to measure.
        y: The samples' classes, int32 `(samples,)`; at least one.
        labels: The classes that a network gives them, integer `(samples,)`.

    Returns:
        The score, in 0..1.

    Example:
        >>> y, labels = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
        >>> score("accuracy", y, labels), score("balanced_accuracy", y, labels)
        (0.75, 0.5)
    """
    return share_right(metric, y, labels == y)


def share_right(metric: Metric, y: NDArray[np.int32], right: NDArray[np.bool_]) -> float:
    """Score labels of which it is known whether they are right, bool `(samples,)`; else as `score`.

    >>> share_right("balanced_accuracy", np.array([0, 0, 0, 1]), np.array([True, True, True, False]))
    0.5
    """
    if metric == "accuracy":
        return float(np.mean(right))
    seen = np.bincount(y)
    return round(float(np.mean(np.bincount(y, weights=right)[seen > 0] / seen[seen > 0])), DECIMALS)


def restored(metric: Metric, accuracy: float, n_samples: int) -> float:
    """Restore a score that an engine has computed: float32 for an accuracy, float64 for a balanced one.

    In float32, 90 right of 100 is 0.8999999761581421 and would miss a target of 0.9.

    Args:
        metric: What was measured.
        accuracy: The engine's number; NaN stays NaN.
        n_samples: Number of samples.

    >>> restored("accuracy", float(np.float32(0.9)), 100)
    0.9
    """
    if metric == "balanced_accuracy" or not np.isfinite(accuracy):
        return round(accuracy, DECIMALS)
    return round(accuracy * n_samples) / n_samples


def steps(metric: Metric, y: NDArray[np.int32]) -> tuple[float, float]:
    """Return by how much one sample more changes a score: the least, in the largest class, and the most.

    >>> steps("accuracy", np.array([0, 0, 0, 1])), steps("balanced_accuracy", np.array([0, 0, 0, 0, 1]))
    ((0.25, 0.25), (0.125, 0.5))
    """
    if metric == "accuracy":
        return 1.0 / len(y), 1.0 / len(y)
    seen = np.bincount(y)
    seen = seen[seen > 0]
    return 1.0 / (len(seen) * int(seen.max())), 1.0 / (len(seen) * int(seen.min()))


def guessing(y_train: NDArray[np.int32], y_test: NDArray[np.int32]) -> Mapping[Metric, float]:
    """Return what each metric gives to guessing: every test sample is called the most frequent class in training.

    It is what scikit-learn's `DummyClassifier` reaches. A guesser has not seen the test set, so training labels choose
    the class, the first of equals; the test set says how often that is right.

    >>> guessing(np.array([0, 1, 1]), np.array([0, 1, 1, 1]))
    {'accuracy': 0.75, 'balanced_accuracy': 0.5}
    """
    guess = np.full(len(y_test), np.bincount(y_train).argmax())
    return {metric: score(metric, y_test, guess) for metric in get_args(Metric)}
