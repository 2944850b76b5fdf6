"""May this curve still reach the front? Pure: values in, a reason or None out.

A trial's size is exact before its first epoch, so a trial can enter the front only by beating the best accuracy
of the networks no larger than it. Call that accuracy the bar. A trial is pruned as soon as a network that ends just
above the bar would, with great probability, have been better by now.

How good such a network is after each epoch is learned from the finished ones. Accuracies count as
`-log(1 - accuracy)`, in which a step is the same share of the error everywhere, and of a curve the best epoch so far
counts, because one bad epoch in the middle of a schedule says little. For every epoch `t`, a regression of that level
on the final one, weighted for networks that end near the bar, gives mean and spread for a network that ends just
above it. Pruned is what lies below the one-sided prediction interval of risk `r_t`. The risks of all epochs add up to
the configured one, in shares like 1 / t, for early epochs save most. By Bonferroni's inequality a trial that would
have entered the front is then pruned with a chance of at most `risk`, as far as residuals scatter like Student's t and
the finished networks are like those to come. They are not quite, having been spared by this very rule;
`benchmarks/pruning.py` measures what comes of it.

The smallest network is never pruned, for nothing as small sets a bar. Epochs are compared with the same epochs of
networks that train by the same schedule. An epoch that is missing or NaN counts as no better than those before it.
A trial that can only equal the bar is pruned like one below it: it would not enter the front. Nothing is pruned after
the last epoch: a network that has trained to its end is complete.

Sources: judging a curve by those of finished runs is Domhan, Springenberg & Hutter (IJCAI 2015); splitting
an error rate over looks is alpha spending, Lan & DeMets (Biometrika 1983); the prediction interval is the textbook's
(Draper & Smith, Applied Regression Analysis, 1.4 and 9.2). A size known in advance, so that only one objective is
uncertain, and asking how well winners started rather than how well starters end, are ours.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["FinishedCurve", "PruningRule", "expected_final"]

NEAR = 0.7
"""Final levels that differ by so much weigh exp(-1/2) as much as equal ones: errors half or twice as large."""

FEWEST = 8.0
"""Networks near the bar, by weight, without which nothing is pruned: fewer say too little of the spread."""

TAILS = 12.0
"""Degrees of freedom at most, so that the interval's tails are never lighter than the residuals' are: with a normal's,
false prunes on `digits` were two and a half times as many as configured (docs/measurements/pruning.md)."""

LATEST = 1_000
"""Finished networks that the rule learns from, the latest: more hardly tell it more, and cost each cohort more."""


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


def expected_final(epoch: int, accuracy: float, finished: Sequence[FinishedCurve]) -> float:
    """The accuracy to expect of a network at its end, from its accuracy after `epoch`; that one if nothing is known."""
    ratios = [
        (1.0 - other.final) / (1.0 - other.curve[epoch])
        for other in finished
        if epoch < len(other.curve) and other.curve[epoch] < 1.0
    ]
    return 1.0 - (1.0 - accuracy) * float(np.median(ratios)) if ratios else accuracy


class PruningRule:
    """What a winner's accuracy is by when, as learned from finished networks.

    Args:
        finished: Networks that trained to their end by one schedule, the latest last.
        n_epochs: Of that schedule.
        risk: Accepted chance of pruning a trial that would have entered the front.
        resolution: The smallest step of an accuracy: one over the number of validation samples.
        unit: What sizes count, for the reason's wording.
    """

    def __init__(
        self,
        finished: Sequence[FinishedCurve],
        n_epochs: int,
        risk: float,
        resolution: float,
        unit: str = "neurons",
    ) -> None:
        self._resolution, self._unit = resolution, unit
        sizes = np.array([other.size for other in finished], np.int64)
        finals = np.array([other.final for other in finished], np.float64)
        order = np.lexsort((-finals, sizes))  # Of one size the best first: each running best is some size's bar.
        self._sizes, self._best = sizes[order], np.maximum.accumulate(finals[order])
        self._finals = finals[-LATEST:]
        padded = zip_longest(range(n_epochs), *(other.curve for other in finished[-LATEST:]), fillvalue=0.0)
        curves = np.nan_to_num(np.array(list(padded))[:, 1:].T)
        self._levels = self._level(np.maximum.accumulate(curves, axis=1))
        shares = 1.0 / np.arange(1, n_epochs + 1)
        self._risks = risk * shares / max(shares[:-1].sum(), 1.0)
        self._bars = np.unique(self._best)

    def bar(self, size: int) -> float | None:
        """The best final accuracy of the networks no larger than `size`; None where there is none."""
        n_rivals = int(np.searchsorted(self._sizes, size, side="right"))
        return float(self._best[n_rivals - 1]) if n_rivals else None

    def reason(self, size: int, epoch: int, accuracy: float) -> str | None:
        """Why a trial can no longer reach the front, or None if it may.

        Args:
            size: The trial's neurons or parameters.
            epoch: The epoch just ended, counted from 0.
            accuracy: The best validation accuracy after any of its epochs.
        """
        needed = self.needed(size)
        if needed is None or epoch >= len(needed) - 1 or not accuracy < needed[epoch]:
            return None
        return (
            f"at epoch {epoch} accuracy {accuracy:.4f}; {needed[epoch]:.4f} is the least that could still win "
            f"at {size} {self._unit}"
        )

    def needed(self, size: int) -> NDArray[np.float64] | None:
        """The least accuracy after each epoch with which a trial of this size may still win; None if any will do.

        Who cannot exceed a lower bar cannot exceed a higher one: the most that any smaller size's bar asks for counts.
        """
        bar = self.bar(size)
        return None if bar is None else self._table[np.searchsorted(self._bars, bar)]

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        """`needed` for every bar of a size, `(bars, epochs)`; at most 0 where too little is known.

        Of each bar these are the lower ends of the prediction intervals of a network that ends on the next accuracy.
        """
        ends = self._level(self._finals)
        x = ends - self._level(self._bars + self._resolution)[:, None]
        weights = np.exp(-0.5 * (x / NEAR) ** 2)
        n = weights.sum(1, keepdims=True) ** 2 / (weights**2).sum(1, keepdims=True)
        weights /= weights.sum(1, keepdims=True)
        x_mean, y_mean = (weights * x).sum(1, keepdims=True), weights @ self._levels
        x_variance = (weights * x**2).sum(1, keepdims=True) - x_mean**2 + 1e-9
        y_variance = np.maximum(weights @ self._levels**2 - y_mean**2, 0.0)
        slopes = np.maximum(((weights * x) @ self._levels - x_mean * y_mean) / x_variance, 0.0)
        freedom = np.maximum(n - 2, 1)
        residual = np.maximum(y_variance - slopes**2 * x_variance, 0.0) * n / freedom
        width = np.sqrt(residual * (1 + 1 / n + x_mean**2 / (n * x_variance)))
        least = y_mean - slopes * x_mean - stats.t.isf(self._risks, np.minimum(freedom, TAILS)) * width
        return 1.0 - np.exp(-np.maximum.accumulate(np.where(n < FEWEST, 0.0, least), axis=0))

    def _level(self, accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
        return -np.log(np.maximum(1.0 - accuracies, self._resolution / 2))
