"""A scikit-learn classifier that finds the number of neurons it needs, and then is the network of that size.

FewestClassifier(target=0.95).fit(x, y).n_neurons_
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fewest.api.answer import StudyAnswer
from fewest.search.answers.answer import Answer
from fewest.search.data.splitting import LEAST_SAMPLES

__all__ = ["FewestClassifier"]

ACTIVATIONS: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 * (1.0 + np.tanh(0.5 * x)),
}
"""The activations of hidden layers, of float32 arrays."""


ARGUMENTS: Final = {
    "data.name": "X",
    "data.label": "y",
    "budget.targets": "target",
    "budget.trials": "trials",
    "space.max_depth": "max_depth",
    "space.max_width": "max_width",
    "budget.verification_seeds": "verification_seeds",
    "data.test": "test_size",
    "seed": "random_state",
}
"""Settings that have a parameter of their own."""


class FewestClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """The smallest network whose median seed reaches a target accuracy; it passes scikit-learn's checks.

    `fit` sets test samples aside, searches, verifies, and keeps the network that answers the target: of the typical
    size, the best of its seeds by training loss. Where no size reaches the target, it warns and keeps the most
    accurate network of the search.

    Args:
        target: Test accuracy to reach, in 0..1, or relative to the best that the space can do: "best - 0.01".
        trials: Networks to train in the search.
        max_depth: Most hidden layers.
        max_width: Most neurons in a layer.
        verification_seeds: Most seeds for each candidate size.
        test_size: Share of each class that is set aside for the test, above 0 and below 1.
        random_state: Seed of every random number, or a `numpy.random.RandomState`; None draws a new one.
        settings: Other settings of a study file by dotted name, such as `{"training.activation": "tanh"}`.

    Attributes:
        n_neurons_: Hidden neurons of the network.
        widths_: Width of each hidden layer; empty for softmax alone.
        answer_: The answer to the target, with its intervals.
        classes_: Labels `(n_classes,)`, sorted.
        n_features_in_: Number of features.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> x, y = load_iris(return_X_y=True)
        >>> FewestClassifier(0.9, trials=9, max_depth=1, random_state=0).fit(x, y).n_neurons_
        0
    """

    def __init__(
        self,
        target: float | str = 0.95,
        *,
        trials: int = 60,
        max_depth: int = 2,
        max_width: int = 64,
        verification_seeds: int = 20,
        test_size: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.target = target
        self.trials = trials
        self.max_depth = max_depth
        self.max_width = max_width
        self.verification_seeds = verification_seeds
        self.test_size = test_size
        self.random_state = random_state
        self.settings = settings

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803  # scikit-learn's name
        """Find the size, and keep the network of that size.

        Args:
            X: Numbers `(samples, features)`, finite.
            y: Labels `(samples,)` of at least two classes.

        Raises:
            ValueError: The samples or a parameter cannot be what they are asked to be.
        """
        from fewest.api.running import by_name, searched

        others = by_name(self.settings, ARGUMENTS)
        X, y = validate_data(self, X, y, dtype="numeric", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"`y` must hold at least 2 classes, got 1 class, {self.classes_[0]!r}.")
        answer = searched(*_often_enough(X, codes), test=self.test_size, settings={**self._settings(codes), **others})
        (self.answer_,) = answer.targets
        self._keep(answer)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:  # noqa: N803
        """Return the probability of each class, float32 `(samples, n_classes)`."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype="numeric", reset=False)
        x = ((X.astype(np.float64) - self._shift) / self._divisor).astype(np.float32)
        x = x * self._stack.scale + self._stack.offset
        *hidden, output = self._stack.layers
        for layer in hidden:
            x = ACTIVATIONS[layer.activation](x @ layer.kernel + layer.bias)
        scores = x @ output.kernel + output.bias
        likelihoods = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float32] = likelihoods / likelihoods.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the most probable class of each sample, `(samples,)`."""
        most_probable = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[most_probable]
        return labels

    def _settings(self, codes: NDArray[np.intp]) -> dict[str, Any]:
        """Return the settings but for the user's; the validation share leaves room for every class of few samples."""
        share = min(0.5, max(0.2, 1.5 * len(self.classes_) / len(codes)))
        return {
            "data.validation_share": share,
            "space.max_depth": self.max_depth,
            "space.max_width": self.max_width,
            "budget.goal": "answer",
            "budget.targets": [self.target],
            "budget.trials": self.trials,
            "budget.verification_seeds": self.verification_seeds,
            "seed": int(check_random_state(self.random_state).randint(2**31)),
        }

    def _keep(self, answer: StudyAnswer) -> None:
        """Keep the network for the target as plain arrays."""
        from fewest.search.export.layers import stack_of

        found = self.answer_.typical
        if isinstance(found, Answer):
            network, self.widths_ = answer.model(self.answer_.accuracy), found.widths
        else:
            best = answer.front[-1]
            warnings.warn(
                f"No size tried typically reaches {self.answer_.accuracy:g} ({found}). The most accurate network "
                f"found is kept, with {best.neurons} hidden neurons. More `trials` or a larger space may help.",
                ConvergenceWarning,
                stacklevel=3,
            )
            network, self.widths_ = answer.model(trial=best.trial), best.widths
        self.n_neurons_: int = sum(self.widths_)
        self._stack = stack_of(network)
        self._shift, self._divisor = answer.shift, answer.divisor


def _often_enough(x: NDArray[Any], codes: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Repeat the samples of classes with too few, so that each part of the data can have one."""
    counts = np.bincount(codes)
    times = np.maximum(1, -(-LEAST_SAMPLES // counts))[codes]
    return np.repeat(x.astype(np.float64), times, axis=0), np.repeat(codes, times)
