"""How often `fewest compare` tells two answers apart falsely, and which differences it finds.

    python -m benchmarks.comparison_error
    python -m benchmarks.comparison_error --verifications 40        # a try

Populations are made up: accuracies are normal at every width, around a smooth curve like MNIST's, moved so that the
share of seeds that reach 0.95 crosses the required one at a chosen place between two whole widths. A place just above
12 leaves width 12 all but good enough, and a place just below 13 makes width 13 just good enough. The true answer is 13
at both, and errors are likeliest there. Each verification does what a real one does, as in `verification_coverage`.
Verifications of two populations are independent, so every one of the first is compared with every one of the second.

Printed for each answer: of places with the same true answer, the largest share of false differences at 95 % and at
99 %; the share for a study of two depths, both all but good enough with 12, against one of a single depth. Then for
true differences of 1 to 8 neurons the share told apart, and the least share of intervals that hold the true difference.

Exits with status 1 if a false difference comes more often than in 5 % (1 %) of the pairs, or an interval holds less
often than in 95 %, by more than the simulation's own error.
"""

import argparse
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from benchmarks.verification_coverage import verify_once
from fewest.search.answers.answer import Finding
from fewest.search.answers.difference import Difference, difference
from fewest.search.answers.evidence import SHARES, Quantity
from fewest.search.answers.intervals import answer_target
from fewest.search.settings.space import Architecture
from fewest.search.verification.allocation import Rule

__all__ = ["main"]

TARGET = 0.95
ANSWER = 13
PLACES = (0.02, 0.25, 0.5, 0.75, 0.98)
"""Where the crossing lies between the true answer less one (0) and the true answer (1)."""
DIFFERENCES = (1, 2, 3, 4, 6, 8)
WIDTHS = range(1, 41)
POINTS = 999
"""Points of each normal distribution: odd, so that the median is one of them."""

SPREAD = 0.045
"""Standard deviation between seeds, as a share of the mean error."""

_NORMAL = NormalDist()
Levels = tuple[Finding, Finding]


class Rates(NamedTuple):
    """Shares of all pairs of verifications of two populations.

    Attributes:
        apart: Pairs told apart with 95 %.
        surely: Pairs told apart with 99 %.
        held: Pairs whose interval holds the true difference.
    """

    apart: float
    surely: float
    held: float


def population(crossing: float, quantity: Quantity) -> dict[Architecture, list[float]]:
    """Make up every width's accuracies so that the required share of them reaches the target from `crossing` on."""
    deviate = _NORMAL.inv_cdf(1.0 - SHARES[quantity])
    points = [_NORMAL.inv_cdf((point + 0.5) / POINTS) for point in range(POINTS)]
    moved = TARGET - _accuracy(crossing, deviate)
    return {(width,): [min(moved + _accuracy(width, point), 1.0) for point in points] for width in WIDTHS}


def _accuracy(width: float, deviate: float) -> float:
    """Return a quantile of a width's accuracies: so many standard deviations above their mean."""
    error: float = 0.021 + 0.42 * width**-1.1
    return 1.0 - error + SPREAD * error * deviate


def verifications(crossing: float, quantity: Quantity, n: int, seed: int, depths: int = 1) -> list[Levels]:
    """Run independent verifications of a population; return the answer over all depths at both levels.

    Args:
        crossing: Place from which enough seeds reach the target.
        quantity: Which answer.
        n: Number of verifications.
        seed: Seed of all random numbers.
        depths: 2 verifies the population again as networks of two layers, whose second one has one neuron.
    """
    table = population(crossing, quantity)
    found = []
    for run in range(n):
        results: dict[Architecture, Sequence[float]] = {}
        for depth in range(depths):
            rng = np.random.default_rng([seed, run, round(1000 * crossing), *[depth] * depth])
            drawn = verify_once(table, [TARGET], Rule(), rng).results
            results |= {(width - depth, *[1] * depth): drawn[(width,)] for (width,) in drawn if width > depth}
        likely, surely = answer_target(results, TARGET), answer_target(results, TARGET, level=99)
        found.append((likely.overall[quantity], surely.overall[quantity]))
    return found


def rates(first: Sequence[Levels], second: Sequence[Levels], truth: int) -> Rates:
    """Compare every verification of one population with every one of another."""
    apart = surely = held = 0
    for (one, n_one), (other, n_other) in itertools.product(_counted(first), _counted(second)):
        found = difference(one, other)
        apart += n_one * n_other * (found.sure is not None)
        surely += n_one * n_other * (found.sure == 99)
        held += n_one * n_other * holds(found, truth)
    n = len(first) * len(second)
    return Rates(apart / n, surely / n, held / n)


def _counted(found: Sequence[Levels]) -> list[tuple[Levels, int]]:
    """Count verifications with the same bounds at both levels, since most have them."""
    kept = {tuple((each.at_least, getattr(each, "interval", None)) for each in levels): levels for levels in found}
    counts = Counter(tuple((each.at_least, getattr(each, "interval", None)) for each in levels) for levels in found)
    return [(levels, counts[bounds]) for bounds, levels in kept.items()]


def holds(found: Difference, truth: int) -> bool:
    """Say whether the interval of a difference holds the true one."""
    low, high = found.at_least, found.at_most
    return (low is None or low <= truth) and (high is None or truth <= high)


def report(quantity: Quantity, n: int, seed: int) -> bool:
    """Print the figures of one of the three answers; return whether all keep to their levels."""
    run = cache(lambda crossing, batch: verifications(crossing, quantity, n, seed + batch))
    equal = {
        (one, other): rates(run(ANSWER - 1 + one, 0), run(ANSWER - 1 + other, 1), 0)
        for one, other in itertools.product(PLACES, repeat=2)
    }
    false = max(found.apart for found in equal.values())
    surely = max(found.surely for found in equal.values())
    held = min(found.held for found in equal.values())
    print(f"{quantity:9} same answer: told apart {false:.1%}, with 99 % {surely:.1%}; interval holds {held:.1%}")
    deep = rates(verifications(ANSWER - 0.98, quantity, n, seed + 2, depths=2), run(ANSWER - 0.02, 1), 0)
    print(
        f"{quantity:9} same answer, two depths just short: told apart {deep.apart:.1%}; interval holds {deep.held:.1%}"
    )
    false, held = max(false, deep.apart), min(held, deep.held)
    for more in DIFFERENCES:
        pairs = [
            rates(run(ANSWER - 1 + one, 0), run(ANSWER - 1 + more + other, 1), more)
            for one, other in ((0.02, 0.98), (0.5, 0.5), (0.98, 0.02))
        ]
        held = min(held, *(found.held for found in pairs))
        print(
            f"{quantity:9} {more} neurons more: told apart {np.mean([found.apart for found in pairs]):.0%}, "
            f"with 99 % {np.mean([found.surely for found in pairs]):.0%}; "
            f"interval holds {min(found.held for found in pairs):.1%}"
        )
    slack = 2.0 * math.sqrt(0.05 * 0.95 / n)
    return false <= 0.05 + slack and surely <= 0.01 + slack and held >= 0.95 - slack


def main() -> int:
    """Read the command line, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verifications", type=int, default=1000, help="simulated verifications of each population")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    good: Mapping[Quantity, bool] = {
        quantity: report(quantity, options.verifications, options.seed) for quantity in SHARES
    }
    return 0 if all(good.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
