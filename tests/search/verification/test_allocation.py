"""Where seeds go next: candidates around the crossing, few seeds for clear cases, more at the boundary."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.verification_coverage import (
    covers,
    covers_new_samples,
    simulate,
    synthetic_table,
    true_answer,
    true_answers,
    verify_on_a_sample,
)
from fewest.search.answers.answer import Answer
from fewest.search.answers.evidence import SHARES
from fewest.search.answers.intervals import answer_target
from fewest.search.settings.space import SearchSpace
from fewest.search.verification.allocation import Rule, candidates, next_seeds

SPACE = SearchSpace(max_depth=3, min_width=1, max_width=32)
SPREAD = (-0.001, 0.0, 0.0, 0.001)


def rising(sizes, seeds=SPREAD):
    """Accuracy 0.90 and 0.01 more a neuron: ten sd a neuron, so that four seeds settle everything."""
    return {(size,): [0.9 + 0.01 * size + seed for seed in seeds] for size in sizes}


def run_to_the_end(mean, targets, space, start, rule=None, seed=0):
    """Draw what is asked for, normal around `mean(size)` with sd 0.0025, until nothing more is."""
    rng = np.random.default_rng(seed)
    results = {architecture: [] for architecture in start}
    rounds = 0
    while plan := next_seeds(results, targets, space, rule):
        rounds += 1
        for architecture, fresh in plan.items():
            drawn = rng.normal(mean(sum(architecture)), 0.0025, fresh)
            results.setdefault(architecture, []).extend(np.clip(drawn, 0, 1).round(4).tolist())
    return results, rounds


def mnist_like(size):
    """About what a table of one-layer widths on MNIST shows: 0.95 at 12 to 13 neurons."""
    return 0.979 - 0.42 * max(size, 1) ** -1.05


class TestNextSeeds:
    def test_every_candidate_gets_a_first_look(self):
        plan = next_seeds({(): [], (4,): [0.9], (5,): []}, [0.95], SPACE)
        assert plan == {(): 4, (4,): 3, (5,): 4}

    def test_clear_cases_get_no_more(self):
        """0.945 lies half-way between four and five neurons, five sd from either."""
        assert next_seeds(rising(range(1, 9)), [0.945], SPACE) == {}

    def test_the_size_at_the_boundary_gets_more(self):
        assert next_seeds(rising(range(1, 9)), [0.95], SPACE) == {(5,): 4}

    def test_a_second_look_follows_the_schedule(self):
        """Six seeds, as an interruption may leave them, go on to eight."""
        results = rising(range(1, 9), seeds=(-0.001, -0.001, 0.0, 0.0, 0.001, 0.001))
        assert next_seeds(results, [0.95], SPACE)[(5,)] == 2

    def test_a_hopeless_boundary_is_given_up(self):
        """With its mean on the target a size cannot be settled as typical or not, whatever comes."""
        results = rising(range(1, 9), seeds=SPREAD * 3)
        assert next_seeds(results, [0.95], SPACE, Rule(least_chance=0.0)) == {(5,): 4}
        assert next_seeds(results, [0.95], SPACE) == {}

    def test_the_cap_holds(self):
        results = rising(range(1, 9), seeds=SPREAD * 5)
        assert next_seeds(results, [0.95], SPACE, Rule(least_chance=0.0)) == {}

    def test_a_larger_cap_goes_on(self):
        results = rising(range(1, 9), seeds=SPREAD * 5)
        assert next_seeds(results, [0.95], SPACE, Rule(cap=40, least_chance=0.0)) == {(5,): 20}

    def test_downward_when_the_smallest_is_enough(self):
        assert set(next_seeds(rising((6, 7, 8)), [0.945], SPACE)) == {(4,)}

    def test_upward_when_the_largest_is_not(self):
        assert set(next_seeds(rising((1, 2, 3)), [0.945], SPACE)) == {(5,)}

    def test_large_sizes_are_added_in_larger_steps(self):
        """With every mean on the target either end of the interval is open, and no seed can close it."""
        results = {(size,): [0.95 + off for off in SPREAD * 5] for size in (56, 60, 64)}
        plan = next_seeds(results, [0.95], SearchSpace(max_depth=1, min_width=1, max_width=128))
        assert set(plan) == {(48,), (52,), (68,), (72,)}
        plan = next_seeds(results, [0.95], SearchSpace(max_depth=1, min_width=50, max_width=66))
        assert set(plan) == {(50,), (52,), (66,)}

    def test_not_beyond_the_space(self):
        space = SearchSpace(max_depth=1, min_width=1, max_width=3)
        assert next_seeds(rising((1, 2, 3)), [0.945], space) == {}

    def test_holes_are_filled(self):
        assert next_seeds(rising((1, 2, 7, 8)), [0.945], SPACE) == {(4,): 4, (5,): 4, (6,): 4}

    def test_deeper_sizes_take_the_nearest_shape(self):
        results = {(2 * n, n): seeds for (n,), seeds in rising((4, 5, 6)).items()}
        assert next_seeds(results, [0.935], SPACE)[(5, 3)] == 4

    @given(st.integers(0, 10_000), st.lists(st.sampled_from([0.85, 0.9, 0.93, 0.95, 0.99]), min_size=1))
    @settings(max_examples=30, deadline=None)
    def test_it_ends_within_the_cap_and_answers(self, seed, targets):
        results, _ = run_to_the_end(mnist_like, targets, SPACE, [(10,), (11,), (12,)], seed=seed)
        assert max(map(len, results.values())) <= Rule().cap
        for target in targets:
            findings = answer_target(results, target).overall
            assert all(isinstance(finding, Answer) or finding.status == "not reached" for finding in findings.values())

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"look": 0}, "`look` must be in 1..cap"),
            ({"least_chance": 2.0}, "`least_chance` must be in 0..1"),
        ],
    )
    def test_a_rule_is_checked(self, changes, message):
        with pytest.raises(ValueError, match=message):
            Rule(**changes)


class TestCandidates:
    def test_all_widths_around_the_crossing(self):
        trials = [((size,), mnist_like(size)) for size in (1, 2, 4, 8, 12, 14, 16, 32)]
        assert candidates(trials, [0.95], SPACE) == [(), *((width,) for width in range(10, 16))]

    def test_a_lucky_trial_does_not_move_them_far(self):
        trials = [((size,), mnist_like(size) + (0.02 if size == 6 else 0.0)) for size in range(1, 17)]
        assert (13,) in candidates(trials, [0.95], SPACE)

    def test_a_target_out_of_reach_takes_the_largest(self):
        assert (16,) in candidates([((size,), 0.9) for size in (4, 16)], [0.99], SPACE)

    def test_deeper_networks_scale_the_smallest_shape_that_reached_the_target(self):
        trials = [((6, 4), 0.93), ((4, 6), 0.95), ((8, 4), 0.96), ((5, 3), 0.92), ((9, 9), math.nan)]
        found = candidates(trials, [0.95], SPACE)
        assert [shape for shape in found if shape] == [(3, 5), (4, 5), (4, 6), (4, 7), (5, 7)]
        assert (6, 4) not in found
        assert sorted({sum(architecture) for architecture in found if architecture}) == list(range(8, 13))

    def test_a_lucky_trial_of_a_deeper_network_does_not_decide(self):
        """An error of 0.8 over the geometric mean of the widths: 0.95 at two layers of 16."""
        shapes = [(one, two) for one in range(4, 33, 4) for two in range(4, 33, 4)]
        trials = [(shape, 1.0 - 0.8 / (shape[0] * shape[1]) ** 0.5) for shape in shapes]
        found = candidates(trials, [0.95], SPACE)
        assert found == [(), *((width, width) for width in range(12, 19))]
        assert candidates([*trials, ((5, 3), 0.96)], [0.95], SPACE) == found

    def test_without_trials_softmax_alone_is_left(self):
        assert candidates([], [0.95], SPACE) == [()]


class TestCoverage:
    """Short runs of benchmarks/verification_coverage.py."""

    def test_intervals_cover_and_seeds_are_saved(self):
        """A hundred verifications of a made-up table: a third of twenty seeds for every candidate."""
        table = synthetic_table(500, np.random.default_rng(1))
        runs = simulate(table, [0.95], Rule(), 100, seed=2)
        for quantity, share in SHARES.items():
            truth = true_answer(table, 0.95, share)
            assert sum(covers(run.answers[0].by_depth[1][quantity], truth) for run in runs) >= 93
        assert sum(run.seeds for run in runs) <= 0.35 * sum(20 * run.candidates for run in runs)

    def test_intervals_for_new_samples_cover_what_no_test_set_shows(self):
        """Sixty test sets of 300 samples: seeds of a width miss much the same ones, so the test set moves them all."""
        rng = np.random.default_rng(3)
        hardness, skill = rng.normal(0.0, 1.0, 600), rng.normal(0.0, 0.15, (12, 40, 600))
        reach = np.log(np.arange(1, 13))
        bits = {(n,): (reach[n - 1] + skill[n - 1] > hardness).astype(np.float32) for n in range(1, 13)}
        truth = true_answers({width: right.mean(axis=1).tolist() for width, right in bits.items()}, [0.95])[0]
        runs = [verify_on_a_sample(bits, [0.95], Rule(), np.random.default_rng([4, run])) for run in range(60)]
        found = [(run.answers[0].by_depth[1][quantity], truth[quantity]) for run in runs for quantity in SHARES]
        assert sum(covers_new_samples(*one) for one in found) >= 0.95 * len(found)
        assert sum(covers(*one) for one in found) <= 0.9 * len(found)


@pytest.mark.parametrize("cap", [1, 2])
def test_too_few_seeds_for_a_verdict_call_for_no_further_sizes(cap: int) -> None:
    """They would go on to both ends of the space."""
    rule = Rule(look=cap, cap=cap)
    assert next_seeds({(12,): [], (13,): []}, [0.95], SPACE, rule) == {(12,): cap, (13,): cap}
    assert next_seeds({(12,): [0.94] * cap, (13,): [0.96] * cap}, [0.95], SPACE, rule) == {}
