"""May this curve still reach the front? Pure: values in, a reason or None out.

A trial's size is exact before its first epoch, so a trial can enter the front only by beating the best accuracy
of the networks no larger than it. Call that accuracy the bar. A trial is pruned as soon as a network that ends just
above the bar would, with great probability, have been better by now.

The rule learns from the finished networks how good such a network is after each epoch. An accuracy counts as its level
`-log(1 - accuracy)`, in which a step is the same share of the error everywhere. Of a curve, the best epoch so far
counts, because one bad epoch in the middle of a schedule says little.

For every epoch `t`, the level after it is regressed on the final level. Networks that end near the bar weigh most.
The regression gives mean and spread for a network that ends just above the bar. A trial below the one-sided
prediction interval of risk `r_t` is pruned. The risks of all epochs but the last add up to at most the configured one,
in shares like 1 / t, because early epochs save most. By Bonferroni's inequality, a trial that would have entered the
front is then pruned with a chance of at most `risk`. This assumes that residuals scatter like Student's t, and that
the finished networks are like the next ones. The second holds only in part, because this rule itself chose which
networks finish; `benchmarks/pruning.py` measures the effect.

The smallest network is never pruned: no other sets a bar for it. Epochs are compared with the same epochs of
networks that train by the same schedule. An epoch that is missing or NaN counts as no better than those before it.
A trial that can only equal the bar is pruned like one below it: it would not enter the front. Nothing is pruned after
the last epoch: a network that has trained to its end is complete.

Sources: judging a curve by those of finished runs is Domhan, Springenberg & Hutter (IJCAI 2015). Splitting an error
rate over looks is alpha spending, Lan & DeMets (Biometrika 1983). The prediction interval is the textbook's (Draper &
Smith, Applied Regression Analysis, 1.4 and 9.2). Two things are ours. The size is known in advance, so only one
objective is uncertain. The rule asks how well winners started rather than how well starters end.
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
"""Difference of final levels with weight exp(-1/2); equal levels have weight 1. It halves or doubles the error."""

FEWEST = 8.0
"""Least effective number of networks near the bar; with fewer the spread is too uncertain to prune."""

TAILS = 12.0
"""Most degrees of freedom, so that the interval's tails are never lighter than those of the residuals. With a normal's
tails, false prunes on `digits` were two and a half times as many as configured (docs/measurements/pruning.md)."""

LATEST = 1_000
"""Number of latest finished networks that the rule learns from: more add little, and cost each cohort more time."""


class FinishedCurve(NamedTuple):
    """A network that trained to its end.

    Attributes:
        size: Hidden neurons.
        curve: Validation accuracy after each epoch, in 0..1; NaN where it is missing.
        final: Validation accuracy of the final weights, in 0..1.
    """

    size: int
    curve: Sequence[float]
    final: float


def expected_final(epoch: int, accuracy: float, finished: Sequence[FinishedCurve]) -> float:
    """Return the expected final accuracy of a network from its accuracy after `epoch`.

    With no finished network to learn from, return `accuracy` itself.
    """
    # A ratio of errors carries over between accuracies; the median resists the few networks that diverge.
    ratios = [
        (1.0 - other.final) / (1.0 - other.curve[epoch])
        for other in finished
        if epoch < len(other.curve) and other.curve[epoch] < 1.0
    ]
    return 1.0 - (1.0 - accuracy) * float(np.median(ratios)) if ratios else accuracy


class PruningRule:
    """The least accuracy after each epoch with which a trial may still win, as learned from finished networks.

    Args:
        finished: Networks that trained to their end by one schedule, the latest last.
        n_epochs: Number of epochs of that schedule.
        risk: Accepted chance of pruning a trial that would have entered the front, in 0..1.
        resolution: The smallest step of an accuracy: one over the number of validation samples.
    """

    def __init__(self, finished: Sequence[FinishedCurve], n_epochs: int, risk: float, resolution: float) -> None:
        self._resolution = resolution
        sizes = np.array([other.size for other in finished], np.int64)
        finals = np.array([other.final for other in finished], np.float64)
        order = np.lexsort((-finals, sizes))  # Best first within a size, so that each running best is a size's bar.
        self._sizes, self._best = sizes[order], np.maximum.accumulate(finals[order])
        # Bars come from all networks, the regression from the latest.
        self._finals = finals[-LATEST:]
        padded = zip_longest(range(n_epochs), *(other.curve for other in finished[-LATEST:]), fillvalue=0.0)
        # The range above keeps short curves, or none, at `n_epochs`; its column is dropped. Padding with 0 and NaN as
        # 0 leave the running best as it is.
        curves = np.nan_to_num(np.array(list(padded))[:, 1:].T)
        self._levels = self._level(np.maximum.accumulate(curves, axis=1))
        shares = 1.0 / np.arange(1, n_epochs + 1)
        # The last epoch never prunes, so the shares of the others alone add up to the risk.
        self._risks = risk * shares / max(shares[:-1].sum(), 1.0)
        self._bars = np.unique(self._best)

    def bar(self, size: int) -> float | None:
        """Return the best final accuracy of the networks no larger than `size`; None where there is none."""
        n_rivals = int(np.searchsorted(self._sizes, size, side="right"))
        return float(self._best[n_rivals - 1]) if n_rivals else None

    def reason(self, size: int, epoch: int, accuracy: float) -> str | None:
        """Say why a trial can no longer reach the front; None if it may.

        Args:
            size: Hidden neurons of the trial.
            epoch: The epoch just ended, counted from 0.
            accuracy: The trial's best validation accuracy so far, in 0..1. NaN prunes nothing.
        """
        needed = self.needed(size)
        if needed is None or epoch >= len(needed) - 1 or not accuracy < needed[epoch]:
            return None
        return (
            f"at epoch {epoch} accuracy {accuracy:.4f}; {needed[epoch]:.4f} is the least that could still win "
            f"at {size} neurons"
        )

    def needed(self, size: int) -> NDArray[np.float64] | None:
        """Return the least accuracy after each epoch with which a trial may still win: float64, `(epochs,)`.

        A trial that cannot exceed a lower bar cannot exceed a higher one. So a size needs at least what every lower
        bar needs. Return None if no network is as small: then any accuracy will do.
        """
        bar = self.bar(size)
        return None if bar is None else self._table[np.searchsorted(self._bars, bar)]

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        """`needed` for every bar: float64, `(bars, epochs)`; at most 0 where too little is known.

        Each row has the lower ends of the prediction intervals for a network that ends one step above the bar.
        """
        ends = self._level(self._finals)
        # Centred on a winner's final level, so that the regression's intercept is the prediction.
        x = ends - self._level(self._bars + self._resolution)[:, None]
        weights = np.exp(-0.5 * (x / NEAR) ** 2)
        # Kish's effective number of networks: unequal weights count as so many equal ones.
        n = weights.sum(1, keepdims=True) ** 2 / (weights**2).sum(1, keepdims=True)
        weights /= weights.sum(1, keepdims=True)
        x_mean, y_mean = (weights * x).sum(1, keepdims=True), weights @ self._levels
        # Final levels may all be equal: the small term keeps the slope finite. Rounding may make a variance negative.
        x_variance = (weights * x**2).sum(1, keepdims=True) - x_mean**2 + 1e-9
        y_variance = np.maximum(weights @ self._levels**2 - y_mean**2, 0.0)
        # A better end never speaks for a worse start: a negative slope is noise.
        slopes = np.maximum(((weights * x) @ self._levels - x_mean * y_mean) / x_variance, 0.0)
        freedom = np.maximum(n - 2, 1)
        residual = np.maximum(y_variance - slopes**2 * x_variance, 0.0) * n / freedom
        width = np.sqrt(residual * (1 + 1 / n + x_mean**2 / (n * x_variance)))
        least = y_mean - slopes * x_mean - stats.t.isf(self._risks, np.minimum(freedom, TAILS)) * width
        # Bars rise along axis 0, and a higher bar needs no less. A level of 0 is an accuracy of 0: it prunes nothing.
        known = np.maximum(np.where(n < FEWEST, 0.0, least), 0.0)
        return 1.0 - np.exp(-np.maximum.accumulate(known, axis=0))

    def _level(self, accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
        # An accuracy of 1 has no finite level: it counts as half a wrong sample.
        return -np.log(np.maximum(1.0 - accuracies, self._resolution / 2))
