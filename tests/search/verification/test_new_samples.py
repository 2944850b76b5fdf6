"""An answer for new samples gets an upper end with a few seeds, unless the test set is too small for one."""

import random

import pytest

from fewest.search.answers.answer import Answer
from fewest.search.answers.evidence import Sampling
from fewest.search.answers.intervals import answer_target
from fewest.search.settings.space import Architecture, SearchSpace
from fewest.search.verification.allocation import Rule
from fewest.search.verification.contenders import seeds_for_answers
from fewest.search.verification.new_samples import seeds_for_new_samples

SPACE = SearchSpace(1, 1, 64)
TARGET = 0.95
TRIALS = [((n,), 1.0 - 0.05 * (13 / n) ** 0.7) for n in (1, 2, 4, 8, 11, 12, 13, 14, 16, 20, 32, 64)]

Accuracies = dict[Architecture, list[float]]


def train(results: Accuracies, plan: dict[Architecture, int], rng: random.Random) -> None:
    for architecture, n in plan.items():
        mean = 1.0 - 0.05 * (13 / architecture[0]) ** 0.7 if architecture else 0.9
        results.setdefault(architecture, []).extend(rng.gauss(mean, 0.0025) for _ in range(n))


def settled() -> Accuracies:
    """Verify until the answers on this test set stand."""
    results: Accuracies = {}
    rng = random.Random(0)
    while plan := seeds_for_answers(TRIALS, results, [TARGET], SPACE, Rule()):
        train(results, plan, rng)
    return results


def variances(results: Accuracies, n_samples: int) -> Sampling:
    return dict.fromkeys(results, 0.05 * 0.95 / n_samples)


def upper_ends(results: Accuracies, sampling: Sampling) -> list[int | None]:
    answers = answer_target(results, TARGET, sampling=sampling).overall.values()
    return [one.new_samples[1] for one in answers if isinstance(one, Answer) and one.new_samples]


def test_one_look_at_a_larger_size_gives_an_upper_end() -> None:
    results = settled()
    largest = max(results)[0]
    sampling = variances(results, 2_500)
    assert None in upper_ends(results, sampling)
    plan = seeds_for_new_samples(TRIALS, results, [TARGET], SPACE, Rule(), sampling)
    ((width,),) = plan
    assert plan[width,] == 4 and 1.2 * largest <= width <= 2 * largest
    train(results, plan, random.Random(1))
    sampling = variances(results, 2_500)
    ends = upper_ends(results, sampling)
    assert len(ends) == 3 and all(end is not None and end <= width for end in ends)
    assert not seeds_for_new_samples(TRIALS, results, [TARGET], SPACE, Rule(), sampling)


def test_a_test_set_that_contradicts_the_trials_ends_it_soon() -> None:
    """The trials promise that 24 neurons are enough; the test set says of every size that the target is just met."""
    results, rng = settled(), random.Random(2)
    sizes = [max(results)[0]]
    while plan := seeds_for_new_samples(TRIALS, results, [TARGET], SPACE, Rule(), variances(results, 2_500)):
        ((width,),) = plan
        results[width,] = [rng.gauss(TARGET + 0.006, 0.001) for _ in range(4)]
        sizes.append(width)
    assert sizes == sorted(set(sizes)) and 2 <= len(sizes) <= 4 and sizes[-1] <= 1.5 * 24


@pytest.mark.parametrize(
    ("n_samples", "rule", "space"),
    [
        (60, Rule(), SPACE),  # Not even the best network clears the target by what so small a test set leaves open.
        (2_500, Rule(look=2, cap=2), SPACE),  # Two seeds have no verdict.
        (2_500, Rule(), SearchSpace(1, 1, 16)),  # No larger size is allowed.
    ],
)
def test_no_seed_is_spent_where_it_can_bound_nothing(n_samples: int, rule: Rule, space: SearchSpace) -> None:
    results = {one: seeds for one, seeds in settled().items() if not one or one in space}
    results[16,] = [1.0 - 0.05 * (13 / 16) ** 0.7] * 4
    sampling = variances(results, n_samples)
    assert None in upper_ends(results, sampling)
    assert not seeds_for_new_samples(TRIALS, results, [TARGET], space, rule, sampling)


def test_results_without_a_bit_for_each_sample_ask_for_nothing() -> None:
    results = settled()
    assert not seeds_for_new_samples(TRIALS, results, [TARGET], SPACE, Rule(), {})
    assert not seeds_for_new_samples(TRIALS, {}, [TARGET], SPACE, Rule(), {})
