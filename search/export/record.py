"""What a study measured for a network, held against what the same network, and a file of it, show now.

A network that is had again must be the one that the study speaks of. If other samples come out right than the study
counted, then the data, a library or the record has changed, and the file would carry another network's name.
"""

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.export.selection import Recorded
from fewest.storage.errors import FewestError

__all__ = ["Record", "RecordError", "may_differ"]

LEAST_SAMPLES: Final = {"kept": 2, "trained again": 3}
"""Samples that may come out otherwise by rounding, however few there are."""

SHARE: Final = {"kept": 0.0002, "trained again": 0.002}
"""Share of the samples that may, where they are many.

A kept network is the same numbers, multiplied in another order: only a sample that lies between two classes can change.
One trained again adds up its rounding over all its steps; `docs/measurements/export.md` has what was measured.
"""

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


class Record(NamedTuple):
    """What a study knows of a network.

    Attributes:
        words: What the network is, for people.
        recorded: Its accuracies.
        had: How it was had again.
        versions: Libraries that the study was made with, by name, and the versions of now, where they differ.
    """

    words: str
    recorded: Recorded
    had: Had
    versions: Mapping[str, tuple[str, str]] = {}

    def require_network(self, right: Mapping[str, NDArray[np.bool_]]) -> None:
        """Hold the network against the record.

        Args:
            right: For `validation` and `test`, whether each sample is labelled right.

        Raises:
            RecordError: It labels more or fewer samples right than rounding explains.
        """
        for which, samples in right.items():
            recorded = getattr(self.recorded, which)
            if recorded is not None and abs(_surplus(samples, recorded)) > may_differ(len(samples), self.had):
                raise RecordError(
                    f"{self.words}: the study recorded that it labels {recorded:.4f} of the {which} samples right, but "
                    f"as it was {self.had} it labels {samples.mean():.4f} right. Nothing was written. {self._advice()}"
                )

    def require_file(self, right: Mapping[str, NDArray[np.bool_]], fmt: str, tolerance: float) -> None:
        """Hold a file against the record, once the network agrees with it.

        Args:
            right: As for `require_network`, of the file.
            fmt: The file's format.
            tolerance: Accuracy that the format may lose.

        Raises:
            RecordError: It labels fewer samples right than the tolerance and rounding explain.
        """
        for which, samples in right.items():
            recorded = getattr(self.recorded, which)
            allowed = tolerance * len(samples) + may_differ(len(samples), self.had)
            if recorded is not None and -_surplus(samples, recorded) > allowed + 1e-6:
                raise RecordError(
                    f"{self.words}: the study recorded that it labels {recorded:.4f} of the {which} samples right, but "
                    f"as {fmt} the file labels {samples.mean():.4f} right, and may lose {tolerance:g}. Nothing was "
                    "written: allow more with `--tolerance`, or choose another format."
                )

    def _advice(self) -> str:
        changed = ", ".join(f"{name} was {before} and is {now}" for name, (before, now) in self.versions.items())
        what = "Its data, its kept file" if self.had == "kept" else "Its data"
        other = f"a library has changed ({changed})" if changed else "its record has changed"
        return f"{what} or {other}: put back the former, or export another network."


def _surplus(right: NDArray[np.bool_], recorded: float) -> int:
    """Count the right samples beyond those recorded."""
    return int(right.sum()) - round(recorded * len(right))
