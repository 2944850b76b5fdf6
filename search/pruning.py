"""May this curve still reach the front? Pure: values in, a reason or None out.

A trial's size is exact before its first epoch, so a trial can enter the front only by beating the best
accuracy of the networks no larger than it. Call that accuracy the bar. What is not known is how far the
trial's own accuracy will still rise. Finished networks tell: each gives the ratio of its final error to its
error at the same epoch, and the lowest such ratios say how much a network may still improve. A trial is
pruned when even a ratio as low as the `risk` quantile of those seen would leave it below the bar. The
smallest network is never pruned, for nothing as small sets a bar.

Source: the idea of extrapolating from the curves of finished runs is Domhan, Springenberg & Hutter (IJCAI
2015); using a size known in advance, so that only one objective is uncertain, is ours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["FinishedCurve", "bar", "expected_final", "reason_to_prune"]

MIN_FINISHED = 8
"""Finished networks without which nothing is pruned: fewer say too little of how much curves still rise."""


class FinishedCurve(NamedTuple):
    """A network that trained to its end.

    Attributes:
        size: Neurons or parameters, as the study counts.
        curve: Validation accuracy after each epoch.
        final: Validation accuracy of the weights that were kept.
    """

    size: int
    curve: Sequence[float]
    final: float


def bar(size: int, finished: Sequence[FinishedCurve]) -> float | None:
    """The best final accuracy of the networks no larger than `size`; None where there is none."""
    return max((other.final for other in finished if other.size <= size), default=None)


def expected_final(epoch: int, accuracy: float, finished: Sequence[FinishedCurve]) -> float:
    """The accuracy to expect of a network at its end, from its accuracy after `epoch`; that one if nothing is known."""
    ratios = _improvements(epoch, finished)
    return 1.0 - (1.0 - accuracy) * float(np.median(ratios)) if ratios else accuracy


def reason_to_prune(
    size: int, epoch: int, accuracy: float, finished: Sequence[FinishedCurve], risk: float
) -> str | None:
    """Why a trial can no longer reach the front, or None if it may.

    Args:
        size: The trial's neurons or parameters.
        epoch: The epoch just ended, counted from 0.
        accuracy: Its validation accuracy after that epoch.
        finished: Networks that trained to their end.
        risk: Quantile of past improvements that is taken for the best the trial can still do.
    """
    to_beat = bar(size, finished)
    ratios = _improvements(epoch, finished)
    if to_beat is None or len(ratios) < MIN_FINISHED:
        return None
    needed = 1.0 - (1.0 - to_beat) / max(float(np.quantile(ratios, risk)), 1e-9)
    if accuracy > needed:
        return None
    return f"at epoch {epoch} accuracy {accuracy:.4f}; {needed:.4f} is the least that could still win at size {size}"


def _improvements(epoch: int, finished: Sequence[FinishedCurve]) -> list[float]:
    """What became of the error that each finished network had after `epoch`: its final error as a share of that."""
    return [
        (1.0 - other.final) / (1.0 - other.curve[epoch])
        for other in finished
        if epoch < len(other.curve) and other.curve[epoch] < 1.0
    ]
