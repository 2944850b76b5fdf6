"""One size against one share: the bound, z, and the verdict."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist, fmean, median, variance
from typing import Literal, NamedTuple, TypeAlias

from fewest.search.answers.results import Results
from fewest.search.settings.space import Architecture, n_neurons

__all__ = ["CAP", "SHARES", "Evidence", "Quantity", "Verdict", "bound", "evidence", "interval_ends", "verdicts_by_size"]

Quantity: TypeAlias = Literal["possible", "typical", "reliable"]

SHARES: Mapping[Quantity, float] = {"possible": 0.05, "typical": 0.5, "reliable": 0.9}
"""The share of seeds that must reach the target, from the least to the most demanding."""

CAP = 20
"""Seeds of one architecture that the boundary is planned for; more may be added later."""

FEWEST_SEEDS = 3
"""Fewer give no verdict and no answer: their spread is unknown."""

Verdict: TypeAlias = Literal["below", "open", "at least"]
"""How p(n) stands to the required share."""

_NORMAL = NormalDist()

_BOUNDARY = 2.35

_FLATNESS = 0.1
"""1/2 - Delta: 0 would be Pocock's level boundary."""

_LATER_ERROR = 0.0025

_SURPRISE = 0.15

_TOLERANCE = 1e-6
"""Accuracies may come as float32: 9,500 of 10,000 is then 0.94999999."""

_LEAST_SD = 1e-4
"""Seeds that agree exactly still leave doubt of this size: one image in ten thousand."""

_PRIOR_DEGREES = 3.0

_NEIGHBOURS = 2


class Evidence(NamedTuple):
    """What the seeds of one architecture say about one required share of one target.

    Attributes:
        seeds: Accuracies seen.
        share: Of them that reach the target; NaN without seeds.
        z: Standard normal if p(n) were exactly the required share; above 0 speaks for more. 0 when there are
            fewer than `FEWEST_SEEDS`.
        verdict: Where the pass count agrees and |z| is beyond the bound.
    """

    seeds: int
    share: float
    z: float
    verdict: Verdict


def bound(seeds: int) -> float:
    """What |z| must exceed for a verdict after so many seeds; see "Looking more than once".

    >>> [round(bound(seeds), 2) for seeds in (4, 8, 12, 16, 20, 40, 80)]
    [2.76, 2.58, 2.47, 2.4, 2.35, 2.81, 3.02]
    """
    if seeds <= CAP:
        return _BOUNDARY * math.pow(CAP / seeds, _FLATNESS)
    doubling = math.ceil(math.log2(seeds / CAP))
    return -_NORMAL.inv_cdf(_LATER_ERROR / 2.0 ** (doubling - 1))


def evidence(family: Results, target: float) -> dict[Architecture, dict[Quantity, Evidence]]:
    """What is known about every architecture of one depth.

    A larger share shown is a smaller one shown too, and the other way about, so verdicts never contradict
    each other.

    Args:
        family: Results of one depth, smallest first, as `by_depth` gives them.
        target: Accuracy to reach, in 0..1.
    """
    spreads = _spreads(list(family.values()))
    judged: dict[Architecture, dict[Quantity, Evidence]] = {}
    for (architecture, accuracies), spread in zip(family.items(), spreads, strict=True):
        found = {quantity: _judge(accuracies, spread, target, share) for quantity, share in SHARES.items()}
        judged[architecture] = _consistent(found)
    return judged


def verdicts_by_size(
    judged: Mapping[Architecture, Mapping[Quantity, Evidence]], quantity: Quantity
) -> list[tuple[int, Verdict]]:
    """(neurons, verdict) from small to large; of several shapes of a size the best counts.

    Architectures without seeds are not there yet.
    """
    rank: list[Verdict] = ["below", "open", "at least"]
    best: dict[int, Verdict] = {}
    for architecture, found in judged.items():
        if found[quantity].seeds:
            size = n_neurons(architecture)
            best[size] = max(best.get(size, "below"), found[quantity].verdict, key=rank.index)
    return sorted(best.items())


def interval_ends(sizes: Sequence[tuple[int, Verdict]]) -> tuple[int, int]:
    """Positions of the first size not judged "below", and of the lowest of the chain "at least" from the top.

    Either may be `len(sizes)`: all are below, or the largest is not shown to be enough.
    """
    low = next((place for place, (_, verdict) in enumerate(sizes) if verdict != "below"), len(sizes))
    high = len(sizes)
    while high > low and sizes[high - 1][1] == "at least":
        high -= 1
    return low, high


def _judge(accuracies: Sequence[float], spread: tuple[float, float], target: float, required: float) -> Evidence:
    """One architecture against one required share.

    Args:
        accuracies: Of its seeds.
        spread: Standard deviation and its degrees of freedom.
        target: Accuracy to reach.
        required: q.
    """
    seeds = len(accuracies)
    if seeds == 0:
        return Evidence(0, math.nan, 0.0, "open")
    passes = sum(value >= target - _TOLERANCE for value in accuracies)
    share = passes / seeds
    if seeds < FEWEST_SEEDS:
        return Evidence(seeds, share, 0.0, "open")
    sd, degrees = spread
    quantile = _quantile_of(required)
    error = sd * math.sqrt(1.0 / seeds + quantile**2 / (2.0 * degrees))
    z = _normal_of_t((fmean(accuracies) + quantile * sd - target) / error, degrees)
    verdict: Verdict = "open"
    if z > bound(seeds) and share >= required and _rare(seeds, seeds - passes, 1.0 - required):
        verdict = "at least"
    elif z < -bound(seeds) and share < required and _rare(seeds, passes, required):
        verdict = "below"
    return Evidence(seeds, share, z, verdict)


@lru_cache(maxsize=4096)
def _rare(seeds: int, hits: int, chance: float) -> bool:
    """Whether so few hits would surprise a little if each seed hit with this chance; none at all always do.

    >>> _rare(20, 15, 0.9), _rare(20, 17, 0.9), _rare(4, 0, 0.05)
    (True, False, True)
    """
    ways = (math.comb(seeds, k) * chance**k * (1.0 - chance) ** (seeds - k) for k in range(hits + 1))
    return hits == 0 or math.fsum(ways) <= _SURPRISE


def _consistent(found: Mapping[Quantity, Evidence]) -> dict[Quantity, Evidence]:
    """Verdicts with what follows from them: p >= 0.9 means p >= 0.5, and p < 0.05 means p < 0.5."""
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


def _spreads(family: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Standard deviation between seeds and its degrees of freedom, for each size of a depth in turn.

    Each size's own variance is moderated towards the median variance of the sizes nearest to it, where
    there are at least three to take a median of.
    """
    own = [(variance(seeds), len(seeds) - 1) if len(seeds) >= FEWEST_SEEDS else None for seeds in family]
    spreads: list[tuple[float, float]] = []
    for place, mine in enumerate(own):
        if mine is None:
            spreads.append((math.inf, 1.0))
            continue
        near = [pair for pair in own[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS + 1] if pair is not None]
        pooled, degrees = mine
        if len(near) >= 3:
            # The median of a chi-square over its degrees of freedom, Wilson and Hilferty (1931).
            prior = median(value / (1.0 - 2.0 / (9.0 * df)) ** 3 for value, df in near)
            pooled = (_PRIOR_DEGREES * prior + degrees * pooled) / (_PRIOR_DEGREES + degrees)
            spreads.append((max(math.sqrt(pooled), _LEAST_SD), _PRIOR_DEGREES + degrees))
        else:
            spreads.append((max(math.sqrt(pooled), _LEAST_SD), float(degrees)))
    return spreads


@lru_cache
def _quantile_of(required: float) -> float:
    """The standard normal deviate that the required share of all seeds exceeds."""
    return _NORMAL.inv_cdf(1.0 - required)


def _normal_of_t(t: float, degrees: float) -> float:
    """The standard normal deviate with about the same tail as Student's `t`: Wallace (1959).

    >>> round(_normal_of_t(2.0, 9.0), 2)  # exactly 1.769
    1.77
    """
    scale = (8.0 * degrees + 1.0) / (8.0 * degrees + 3.0)
    return math.copysign(scale * math.sqrt(degrees * math.log1p(t * t / degrees)), t)
