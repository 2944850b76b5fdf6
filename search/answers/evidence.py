"""The evidence of one size: do at least a required share of its seeds reach the target?

A size's accuracies go in; z and a verdict come out. `intervals` turns the verdicts of all sizes into an interval.

One size
--------
Let a size's accuracies have the mean y and the standard deviation s, with a target t and a required share q. The
(1 - q) quantile of the accuracies is y + k s, where k is the normal quantile of 1 - q. The share p(n) of all seeds that
reach t is at least q when this quantile is at least t. So each size is judged by

    T = (y + k s - t) / sqrt(E^2 + k^2 s^2 / (2 v)).

`pooling` estimates y and s from the size's own seeds and its neighbours'. E is the standard error of y, and v are the
degrees of freedom of s, so the denominator is the large-sample error of y + k s. T is read as Student's t with v
degrees of freedom and turned into a normal z (Wallace 1959).

The accuracies say more than pass or fail, and that makes twenty seeds enough: twenty passes of twenty alone do
not show p >= 0.9 at 95 %.

The verdict is "at least" when z exceeds the bound below, "below" when -z does, and "open" otherwise. Either
verdict needs the size's own pass count to agree, so that neither a wrong shape of the distribution nor a neighbour can
decide alone:

- The observed share lies on the same side of q.
- A count so lopsided has an exact binomial probability of at most 15 % at p(n) = q. A unanimous count always
  agrees, since for some q nothing rarer exists.

Seeds that failed
-----------------
A seed whose training failed, as when its loss is no longer finite, has no accuracy. It misses every target, so it
counts among the size's seeds and never among those that pass. It is no point of the distribution either: a 0 would
stretch s and hide what the others say. So a size with failed seeds is judged by its pass count alone. z is then
the normal quantile of the exact binomial tail at p(n) = q. The tail has at least so many passes when the share is at
least q, else at most so many. This assumes nothing of the accuracies, errs less than the bound allows, and needs more
seeds. The other seeds of the size still say something of its neighbours.

None of this applies without failed seeds. Failures too rare to be seen are covered by the assumption on the
distribution, like any rare accident. Versions up to 0.1 wrote an accuracy of 0 for a failed seed; it stays a 0.

Looking more than once
----------------------
A size is looked at after every few seeds. So z is held to a boundary of Wang and Tsiatis (1987), their
Delta = 0.4, which spends the error over the looks:

    bound(w) = 2.50 (cap / w)^0.1    for w <= cap = 20 seeds,    2.50 from there on.

w is what the estimate is worth: the number of seeds that would say as much alone, at least the size's own. Alone, five
looks at equal distances err to one side with 1.3 %, by numerical integration, which a test repeats. With neighbours
the first look is often worth 16 seeds already; six looks from there to 56 err with 1.9 %. The 0.5 % left pays for seeds
added later: with more than 20 of its own, a size's bound is the normal quantile of 0.25 % up to 40, and each further
doubling has half the error of the one before.

At the level 99 %, in place of 95 %, 3.06 stands for 2.50, and the errors are a fifth.

The bound depends on what is known only. So an answer needs no history of looks, and any rule may choose
what to train next and stop at any time.

New samples
-----------
The test set is a sample itself: another one of as many samples gives other accuracies, to all seeds of a size alike.
Let V be the variance of the size's mean accuracy for that reason. A verdict about accuracy on samples that nobody has
seen adds V to the squared error in T, and T then has the degrees of freedom of the sum, v (1 + V / E^2)^2 as V is known
(Satterthwaite 1946). Neighbours do not lessen V: they were scored on the same samples. The count must agree with a
margin: for "at least" those seeds pass that reach t + 1.96 sqrt(V), for "below" those that reach t - 1.96 sqrt(V)
(2.58 at 99 %). And z is no larger than that about this test set, so a verdict never says more. Seeds differ a little
less on all samples than on some, which is left out: it makes the spread, and so the interval, too large rather than too
small.

Only the standard library is used. `fewest answer` must start at once, and importing SciPy's statistics would take
longer than the whole command may. The tests compare the closed forms with SciPy.

References:
    D. L. Wallace (1959), Bounds on normal approximations to Student's and the chi-square distributions.
    F. E. Satterthwaite (1946), An approximate distribution of estimates of variance components.
    S. K. Wang, A. A. Tsiatis (1987), Approximately optimal one-parameter boundaries for group sequential
        trials.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Literal, NamedTuple, TypeAlias

from fewest.search.answers.pooling import FEWEST_SEEDS, Estimate, estimates
from fewest.search.answers.results import Results
from fewest.search.settings.space import Architecture

__all__ = ["CAP", "FEWEST_SEEDS", "SHARES", "Evidence", "Level", "Quantity", "Sampling", "Verdict", "bound", "evidence"]

Quantity: TypeAlias = Literal["possible", "typical", "reliable"]

SHARES: Mapping[Quantity, float] = {"possible": 0.05, "typical": 0.5, "reliable": 0.9}
"""The share of seeds that must reach the target, from the least to the most demanding."""

CAP = 20
"""Seeds of one architecture that the boundary is planned for; more may be added later."""

Verdict: TypeAlias = Literal["below", "open", "at least"]
"""Judgement of p(n) against the required share."""

Sampling: TypeAlias = Mapping[Architecture, float]
"""Variance of each architecture's mean test accuracy over test sets of as many samples; unknown where it is missing."""

Level: TypeAlias = Literal[95, 99]
"""Confidence of an interval, in per cent; each of the two verdicts at its ends errs with half of what is left."""

_NORMAL = NormalDist()

_BOUNDARY: Mapping[Level, float] = {95: 2.50, 99: 3.06}
"""The bound of an estimate that is worth `CAP` seeds or more; see "Looking more than once" for its error."""

_FLATNESS = 0.1
"""1/2 - Delta: 0 would be Pocock's level boundary."""

_LATER_SHARE = 0.1
"""Share of a verdict's error that the first doubling beyond `CAP` spends; all doublings spend twice as much."""

_SURPRISE = 0.15
"""Most binomial probability of a pass count that agrees with z: the count can object, but cannot decide alone."""

_TOLERANCE = 1e-6
"""Slack for accuracies that come as float32: 9,500 of 10,000 is then 0.94999999."""

_LEAST_TAIL = 1e-300
"""Least probability of a binomial tail: the normal quantile of 0 is infinite."""


class Evidence(NamedTuple):
    """The evidence from one architecture's seeds about one required share of one target.

    Attributes:
        seeds: Number of seeds seen, those that failed to train included.
        share: Share of the seeds that reach the target, in 0..1; NaN without seeds.
        z: Standard normal if p(n) equals the required share; positive for a larger p(n). 0 with fewer than
            `FEWEST_SEEDS` seeds.
        verdict: "open" unless |z| exceeds the bound and the pass count agrees.
        worth: Number of seeds that would say as much without the neighbours.
    """

    seeds: int
    share: float
    z: float
    verdict: Verdict
    worth: float


def bound(seeds: int, level: Level = 95, worth: float = 0.0) -> float:
    """Return the bound that |z| must exceed for a verdict; see "Looking more than once".

    Args:
        seeds: Number of the size's own seeds.
        level: Confidence of the intervals.
        worth: Number of seeds that would say as much without neighbours, if more than `seeds`.

    >>> [round(bound(seeds), 2) for seeds in (4, 8, 12, 16, 20, 40, 80)]
    [2.94, 2.74, 2.63, 2.56, 2.5, 2.81, 3.02]
    >>> round(bound(4, worth=16.0), 2), round(bound(4, 99), 2)
    (2.56, 3.59)
    """
    if seeds <= CAP:
        return _BOUNDARY[level] * math.pow(max(1.0, CAP / max(worth, seeds)), _FLATNESS)
    doubling = math.ceil(math.log2(seeds / CAP))
    return -_NORMAL.inv_cdf(_LATER_SHARE * _one_sided(level) / 2.0 ** (doubling - 1))


def _one_sided(level: Level) -> float:
    return (100 - level) / 200.0


def evidence(
    family: Results,
    target: float,
    level: Level = 95,
    sampling: Sampling | None = None,
    *,
    known: Mapping[Architecture, Estimate] | None = None,
) -> dict[Architecture, dict[Quantity, Evidence]]:
    """Judge every architecture of one depth against every share.

    Verdicts never contradict each other. A size judged "at least" for a larger share is so for the smaller ones, and a
    size judged "below" for a smaller share is so for the larger ones.

    Args:
        family: Results of one depth, smallest size first, as `by_depth` returns them.
        target: Accuracy to reach, in 0..1.
        level: Confidence of the intervals that the verdicts make.
        sampling: What the test set itself leaves open: the verdicts are then about new samples. None judges the
            accuracies on this test set.
        known: The family's `estimates`, which are the same for every target; None makes them.
    """
    known = estimates(family) if known is None else known
    judged: dict[Architecture, dict[Quantity, Evidence]] = {}
    for architecture, accuracies in family.items():
        unseen = 0.0 if sampling is None else sampling.get(architecture, math.inf)
        found = {
            quantity: _judge(accuracies, known.get(architecture), target, share, level, unseen)
            for quantity, share in SHARES.items()
        }
        judged[architecture] = _consistent(found)
    return judged


def _judge(
    accuracies: Sequence[float],
    known: Estimate | None,
    target: float,
    required: float,
    level: Level,
    unseen: float,
) -> Evidence:
    """Judge one architecture against one required share.

    Args:
        accuracies: Test accuracy of each seed, in 0..1; NaN for a seed that failed.
        known: Estimate of their distribution; None with too few seeds for one.
        target: Accuracy to reach, in 0..1.
        required: Share of all seeds that must reach the target: q in the derivation above.
        level: Confidence of the intervals that the verdict makes.
        unseen: Variance of the mean accuracy that comes from the test set: V in the derivation above.
    """
    seeds = len(accuracies)
    if seeds == 0:
        return Evidence(0, math.nan, 0.0, "open", 0.0)
    share = _n_reach(accuracies, target) / seeds
    if seeds < FEWEST_SEEDS:
        return Evidence(seeds, share, 0.0, "open", seeds)
    margin = -_NORMAL.inv_cdf(_one_sided(level)) * math.sqrt(unseen)
    surely, maybe = (_n_reach(accuracies, target + shift) for shift in (margin, -margin))
    # A failed seed counts as a miss but has no accuracy, so only the count is left to judge by.
    if known is None or any(map(math.isnan, accuracies)):
        z, worth = _z_of_count(seeds, surely if share >= required else maybe, required), float(seeds)
        z = max(z, 0.0) if share >= required else min(z, 0.0)
    else:
        z, worth = _z_of_estimate(known, target, required, unseen), known.worth(_quantile_of(required))
    verdict: Verdict = "open"
    limit = bound(seeds, level, worth)
    if z > limit and surely >= required * seeds and _rare(seeds, seeds - surely, 1.0 - required):
        verdict = "at least"
    elif z < -limit and maybe < required * seeds and _rare(seeds, maybe, required):
        verdict = "below"
    return Evidence(seeds, share, z, verdict, worth)


def _n_reach(accuracies: Sequence[float], target: float) -> int:
    return sum(value >= target - _TOLERANCE for value in accuracies)


def _z_of_estimate(known: Estimate, target: float, required: float, unseen: float) -> float:
    """Return z from the accuracies' distribution; the arguments are those of `_judge`."""
    quantile, error = known.quantile(_quantile_of(required))
    if math.isinf(unseen):
        return 0.0
    seen = _normal_of_t((quantile - target) / error, known.degrees)
    growth = 1.0 + unseen / error**2
    new = _normal_of_t((quantile - target) / (error * math.sqrt(growth)), known.degrees * growth**2)
    return min(seen, new, key=abs)


@lru_cache(maxsize=4096)
def _z_of_count(seeds: int, passes: int, required: float) -> float:
    """Return z from the pass count alone: the normal quantile of its binomial tail, 0 for a tail over a half.

    >>> round(_z_of_count(8, 0, 0.5), 2), round(_z_of_count(20, 19, 0.5), 2), round(_z_of_count(20, 19, 0.9), 2)
    (-2.66, 4.11, 0.27)
    """
    enough = passes >= required * seeds
    counts = range(passes, seeds + 1) if enough else range(passes + 1)
    # Exact sums instead of a normal approximation, which is poor for a required share near 0 or 1.
    tail = math.fsum(math.comb(seeds, k) * required**k * (1.0 - required) ** (seeds - k) for k in counts)
    z = -_NORMAL.inv_cdf(min(max(tail, _LEAST_TAIL), 0.5))
    return z if enough else -z


@lru_cache(maxsize=4096)
def _rare(seeds: int, hits: int, chance: float) -> bool:
    """Say whether so few hits are surprising if each seed hits with this chance; no hit at all always is.

    >>> _rare(20, 15, 0.9), _rare(20, 17, 0.9), _rare(4, 0, 0.05)
    (True, False, True)
    """
    ways = (math.comb(seeds, k) * chance**k * (1.0 - chance) ** (seeds - k) for k in range(hits + 1))
    return hits == 0 or math.fsum(ways) <= _SURPRISE


def _consistent(found: Mapping[Quantity, Evidence]) -> dict[Quantity, Evidence]:
    """Complete the verdicts with what follows from them: p >= 0.9 means p >= 0.5, and p < 0.05 means p < 0.5."""
    # `SHARES` rise: a proof for a later share proves the earlier ones, a disproof of an earlier one the later ones.
    order = list(SHARES)
    consistent: dict[Quantity, Evidence] = {}
    for place, quantity in enumerate(order):
        verdict = found[quantity].verdict
        if verdict == "open" and any(found[other].verdict == "at least" for other in order[place + 1 :]):
            verdict = "at least"
        elif verdict == "open" and any(found[other].verdict == "below" for other in order[:place]):
            verdict = "below"
        consistent[quantity] = found[quantity]._replace(verdict=verdict)
    return consistent


@lru_cache
def _quantile_of(required: float) -> float:
    """Return the standard normal deviate that the required share of all seeds exceeds."""
    return _NORMAL.inv_cdf(1.0 - required)


def _normal_of_t(t: float, degrees: float) -> float:
    """Convert Student's `t` to the standard normal deviate with about the same tail: Wallace (1959).

    >>> round(_normal_of_t(2.0, 9.0), 2)  # exactly 1.769
    1.77
    """
    scale = (8.0 * degrees + 1.0) / (8.0 * degrees + 3.0)
    return math.copysign(scale * math.sqrt(degrees * math.log1p(t * t / degrees)), t)
