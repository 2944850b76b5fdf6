"""What a study measured for a network, held against what the same network, and a file of it, show now.

A network that is had again must be the one that the study speaks of. If other samples come out right than the study
counted, then the data, a library or the record has changed, and the file would carry another network's name.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.answers.wording import accuracy_words
from fewest.search.data.metrics import score, steps
from fewest.search.export.selection import Recorded
from fewest.search.settings.config import Metric
from fewest.storage.errors import FewestError

__all__ = ["Measured", "Record", "RecordError", "may_differ"]

LEAST_SAMPLES: Final = {"kept": 2, "trained again": 3}
"""Samples that may come out otherwise by rounding, however few there are."""

SHARE: Final = {"kept": 0.0002, "trained again": 0.002}
"""Share of the samples that may, where they are many.

A kept network is the same numbers, multiplied in another order: only a sample that lies between two classes can change.
One trained again adds up its rounding over all its steps; `docs/measurements/export.md` has what was measured.
"""

_SLACK: Final = 1e-6
"""Part of a sample by which a quotient of two accuracies may miss a whole number."""

Had = Literal["kept", "trained again"]
"""How a network was had again."""


class RecordError(FewestError, RuntimeError):
    """A network is not as accurate as its study recorded, or a file of it is not."""


def may_differ(n_samples: int, had: Had) -> int:
    """Count the samples that rounding may have labelled otherwise.

    >>> may_differ(216, "kept"), may_differ(9000, "kept"), may_differ(9000, "trained again")
    (2, 2, 18)
    """
    return max(LEAST_SAMPLES[had], math.ceil(SHARE[had] * n_samples))


class Measured(NamedTuple):
    """What labels score now.

    Attributes:
        accuracy: Their accuracy by the study's metric, in 0..1.
        n_samples: Number of samples.
        step: The most by which one sample may have changed the accuracy.
    """

    accuracy: float
    n_samples: int
    step: float

    @classmethod
    def of(cls, metric: Metric, y: NDArray[np.int32], labels: NDArray[Any]) -> "Measured":
        """Score labels by a metric; arguments as for `metrics.score`."""
        return cls(score(metric, y, labels), len(y), steps(metric, y)[1])

    def surplus(self, recorded: float) -> float:
        """Count the right samples beyond those recorded: at least so many, where samples count unequally."""
        return (self.accuracy - recorded) / self.step


class Record(NamedTuple):
    """What a study knows of a network.

    Attributes:
        words: What the network is, for people.
        recorded: Its accuracies.
        had: How it was had again.
        versions: Libraries that the study was made with, by name, and the versions of now, where they differ.
        metric: What its accuracies are.
    """

    words: str
    recorded: Recorded
    had: Had
    versions: Mapping[str, tuple[str, str]] = {}
    metric: Metric = "accuracy"

    def require_network(self, measured: Mapping[str, Measured]) -> None:
        """Hold the network against the record.

        Args:
            measured: What it scores on `validation` and `test` samples.

        Raises:
            RecordError: It labels more or fewer samples right than rounding explains.
        """
        for which, now in measured.items():
            recorded = getattr(self.recorded, which)
            allowed = may_differ(now.n_samples, self.had)
            if recorded is not None and abs(now.surplus(recorded)) > allowed + _SLACK:
                raise RecordError(
                    f"{self.words}: the study recorded a {self._accuracy(which)} of {recorded:.4f}, but as it was "
                    f"{self.had} it has {now.accuracy:.4f}. Nothing was written. {self._advice()}"
                )

    def require_file(self, measured: Mapping[str, Measured], fmt: str, tolerance: float) -> None:
        """Hold a file against the record, once the network agrees with it.

        Args:
            measured: As for `require_network`, of the file.
            fmt: The file's format.
            tolerance: Accuracy that the format may lose.

        Raises:
            RecordError: It labels fewer samples right than the tolerance and rounding explain.
        """
        for which, now in measured.items():
            recorded = getattr(self.recorded, which)
            allowed = tolerance / now.step + may_differ(now.n_samples, self.had)
            if recorded is not None and -now.surplus(recorded) > allowed + _SLACK:
                raise RecordError(
                    f"{self.words}: the study recorded a {self._accuracy(which)} of {recorded:.4f}, but as {fmt} the "
                    f"file has {now.accuracy:.4f}, and may lose {tolerance:g}. Nothing was written: allow more with "
                    "`--tolerance`, or choose another format."
                )

    def _accuracy(self, which: str) -> str:
        return accuracy_words(f"{which} accuracy", self.metric)

    def _advice(self) -> str:
        changed = ", ".join(f"{name} was {before} and is {now}" for name, (before, now) in self.versions.items())
        what = "Its data, its kept file" if self.had == "kept" else "Its data"
        other = f"a library has changed ({changed})" if changed else "its record has changed"
        return f"{what} or {other}: put back the former, or export another network."
