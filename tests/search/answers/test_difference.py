"""When two answers differ: hand-computed intervals, and how often verifications of equal studies are told apart."""

import itertools
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.answers.answer import Answer, Finding, NoAnswer
from fewest.search.answers.difference import Difference, difference
from fewest.search.answers.evidence import Level
from fewest.search.answers.intervals import answer_target
from fewest.search.settings.space import SearchSpace
from fewest.search.verification.allocation import next_seeds

TARGET = 0.95
NEVER = NoAnswer("not reached", 32, 33)
OPEN = NoAnswer("needs more seeds", 32, 10)


def of(low: int, high: int) -> Answer:
    return Answer(high, (high,), (low, high), 0.95, 20)


def between(first: Finding, second: Finding) -> Difference:
    """The difference of two answers whose intervals are the same at both levels."""
    return difference((first, first), (second, second))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (of(13, 14), of(10, 12), "1 to 4 neurons fewer"),
        (of(10, 12), of(13, 14), "1 to 4 neurons more"),
        (of(13, 13), of(12, 12), "1 neuron fewer"),
        (of(13, 14), of(12, 13), "not told apart (at most 2 fewer)"),
        (of(13, 13), of(13, 13), "the same"),
        (of(10, 12), NEVER, "at least 21 neurons more"),
        (NEVER, of(10, 12), "at least 21 neurons fewer"),
        (of(10, 12), OPEN, "not told apart (at most 2 fewer)"),
        (OPEN, of(10, 12), "not told apart (at most 2 more)"),
        (NEVER, OPEN, "not told apart"),
    ],
)
def test_answers_differ_where_their_intervals_share_no_size(first: Finding, second: Finding, said: str) -> None:
    assert str(between(first, second)) == said


def test_a_difference_is_as_sure_as_the_highest_level_that_shows_it() -> None:
    assert difference((of(13, 14), of(13, 14)), (of(10, 12), of(10, 12))).sure == 99
    assert difference((of(13, 14), of(12, 14)), (of(10, 12), of(10, 12))).sure == 95
    assert difference((of(12, 14), of(12, 14)), (of(10, 12), of(10, 12))).sure is None


@given(*[st.integers(0, 9)] * 4)
def test_the_two_directions_agree(a: int, b: int, c: int, d: int) -> None:
    first, second = of(min(a, b), max(a, b)), of(min(c, d), max(c, d))
    one, other = between(first, second), between(second, first)
    assert (one.at_least, one.at_most, one.sure) == (-other.at_most, -other.at_least, other.sure)


def test_two_verdicts_at_one_size_part_equal_answers_no_oftener_than_one_errs() -> None:
    """A study that lies `x` standard errors inside its side errs by `sf(x + z)` and is right by `sf(z - x)`."""
    normal, z = NormalDist(), NormalDist().inv_cdf(0.975)
    errs = [1.0 - normal.cdf(z + tenths / 10) for tenths in range(80)]
    right = [1.0 - normal.cdf(z - tenths / 10) for tenths in range(80)]
    worst = max(
        errs[one] * right[other] + errs[other] * right[one] for one, other in itertools.product(range(80), repeat=2)
    )
    assert worst == pytest.approx(0.025, abs=0.0007)


def verified(crossing: float, seed: int) -> tuple[Finding, Finding]:
    """Verify one layer of 7 to 13, of which the median seed reaches the target from `crossing` on; at both levels."""
    rng = np.random.default_rng(seed)
    results: dict[tuple[int, ...], list[float]] = {(width,): [] for width in range(7, 14)}
    while plan := next_seeds(results, [TARGET], SearchSpace(1, 7, 13)):
        for (width,), fresh in plan.items():
            middle = TARGET + 0.004 * (width - crossing)
            results[(width,)] += rng.normal(middle, 0.003, fresh).tolist()
    levels: tuple[Level, Level] = (95, 99)
    likely, surely = (answer_target(results, TARGET, level=level).by_depth[1]["typical"] for level in levels)
    return likely, surely


def test_equal_studies_are_told_apart_seldom_and_others_often() -> None:
    """Both need 11; the first is all but content with 10, the second just content with 11: errors are likeliest."""
    n = 120
    first = [verified(10.02, seed) for seed in range(n)]
    equal = [verified(10.98, seed) for seed in range(n, 2 * n)]
    less = [verified(8.5, seed) for seed in range(2 * n, 3 * n)]
    false = [difference(one, other) for one, other in itertools.product(first, equal)]
    true = [difference(one, other) for one, other in itertools.product(first, less)]
    assert np.mean([found.sure is not None for found in false]) <= 0.05
    assert np.mean([found.sure == 99 for found in false]) <= 0.01
    assert np.mean([found.outcome in ("same", "not told apart") for found in false]) >= 0.95
    assert np.mean([found.outcome == "fewer" for found in true]) >= 0.5
    assert np.mean([found.outcome == "more" for found in true]) <= 0.025
