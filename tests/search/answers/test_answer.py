"""Answers: hand-computed verdicts, intervals and sentences; closed forms against SciPy; properties."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fewest.search.answers import evidence as answers
from fewest.search.answers import intervals
from fewest.search.answers.answer import Answer, NoAnswer, TargetAnswer, is_settled
from fewest.search.answers.evidence import CAP, SHARES, bound, evidence
from fewest.search.answers.intervals import answer_target, answer_targets
from fewest.search.answers.pooling import estimates
from fewest.search.answers.results import by_depth, collect
from fewest.search.settings.space import SearchSpace
from fewest.storage.trials.records import VerifiedNetwork

SPREAD = (-0.004, -0.002, 0.0, 0.002, 0.004)


def rising(sizes=range(1, 9), seeds=SPREAD, step=0.01):
    """Accuracy 0.90 + `step` a neuron, with the same seeds around it at every width."""
    return {(size,): [0.9 + step * size + seed for seed in seeds] for size in sizes}


def of(neurons, low, high, seeds=20):
    return Answer(neurons, (neurons,) if neurons else (), (low, high), 0.95, seeds)


results_strategy = st.dictionaries(
    keys=st.lists(st.integers(1, 9), min_size=0, max_size=2).map(tuple),
    values=st.lists(st.one_of(st.integers(80, 100).map(lambda percent: percent / 100), st.just(math.nan)), max_size=12),
    max_size=8,
)
sampling_strategy = st.dictionaries(
    keys=st.lists(st.integers(1, 9), min_size=0, max_size=2).map(tuple), values=st.floats(0.0, 1e-3), max_size=8
)
target_strategy = st.integers(80, 100).map(lambda percent: percent / 100)


class TestOneSize:
    def test_z_is_what_a_hand_computes(self):
        """Mean 0.95, sd sqrt(10) / 1000, target 0.945: t = 0.005 / (sd / sqrt(5)) on 4 degrees of freedom."""
        found = evidence({(5,): [0.95 + seed for seed in SPREAD]}, 0.945)[(5,)]["typical"]
        t = 0.005 / (math.sqrt(10) / 1000 / math.sqrt(5))
        assert found.z == pytest.approx(33 / 35 * math.sqrt(4 * math.log(1 + t**2 / 4)))
        assert found.seeds == 5
        assert found.share == 1.0

    def test_quantiles_shift_the_mean_by_their_deviate(self):
        """Reliable asks for mean - 1.2816 sd, with sqrt(1/5 + 1.2816^2 / 8) sd for its error."""
        found = evidence({(5,): [0.95 + seed for seed in SPREAD]}, 0.945)[(5,)]["reliable"]
        sd = math.sqrt(10) / 1000
        t = (0.005 - 1.28155 * sd) / (sd * math.sqrt(1 / 5 + 1.28155**2 / 8))
        assert found.z == pytest.approx(33 / 35 * math.sqrt(4 * math.log(1 + t**2 / 4)), rel=1e-4)

    def test_two_seeds_give_no_verdict(self):
        found = evidence({(5,): [0.99, 0.99]}, 0.9)[(5,)]["possible"]
        assert (found.verdict, found.z) == ("open", 0.0)

    def test_no_seeds_give_no_verdict(self):
        found = evidence({(5,): []}, 0.9)[(5,)]["possible"]
        assert found.verdict == "open"
        assert math.isnan(found.share)

    def test_equal_seeds_still_leave_doubt(self):
        """Twenty equal accuracies exactly at the target show nothing about a margin."""
        exactly = evidence({(5,): [0.95] * 20}, 0.95)[(5,)]["reliable"]
        beyond = evidence({(5,): [0.95] * 20}, 0.949)[(5,)]["reliable"]
        assert (exactly.verdict, beyond.verdict) == ("open", "at least")

    def test_float32_accuracies_reach_their_target(self):
        found = evidence({(5,): [float(np.float32(0.95))] * 4}, 0.95)[(5,)]["typical"]
        assert found.share == 1.0

    def test_margins_do_not_decide_against_the_count(self):
        """A long lower tail drags the mean down, but 18 of 20 pass: not "below nine in ten"."""
        found = evidence({(5,): [0.9501] * 18 + [0.90, 0.90]}, 0.95)[(5,)]["reliable"]
        assert found.verdict == "open"

    def test_a_seed_that_failed_has_no_accuracy(self):
        failed, accuracy = by_depth({(5,): [0.9, math.nan]})[1][(5,)]
        assert math.isnan(failed)
        assert accuracy == 0.9

    def test_an_accuracy_outside_its_range_is_refused(self):
        with pytest.raises(ValueError, match=r"`test_accuracy` must be in 0..1, got 1.2 for 5-3\."):
            by_depth({(5, 3): [0.9, 1.2]})


class TestClosedForms:
    """What the standard library computes here, against SciPy."""

    @pytest.mark.parametrize("degrees", [3, 7, 15, 22])
    @pytest.mark.parametrize("t", [-4.0, -1.0, 0.0, 0.5, 2.5, 5.0])
    def test_wallace(self, t, degrees):
        exact = stats.norm.ppf(stats.t.cdf(t, degrees))
        assert answers._normal_of_t(t, degrees) == pytest.approx(exact, abs=0.03)

    @pytest.mark.parametrize("share", SHARES.values())
    def test_rare_counts_are_binomial_tails(self, share):
        for seeds in (4, 12, 20):
            for hits in range(1, seeds + 1):
                expected = stats.binom.cdf(hits, seeds, share) <= 0.15
                assert answers._rare(seeds, hits, share) == expected

    @pytest.mark.parametrize("share", SHARES.values())
    def test_deviates(self, share):
        assert answers._quantile_of(share) == pytest.approx(stats.norm.ppf(1 - share))

    @pytest.mark.parametrize(
        ("looks", "level", "error"),
        [
            (range(4, 21, 4), 95, 0.0132),
            (range(16, 57, 8), 95, 0.0193),
            (range(4, 21, 4), 99, 0.00226),
            (range(16, 57, 8), 99, 0.00385),
        ],
    )
    def test_looks_err_as_said(self, looks, level, error):
        """Armitage's recursion: the density of the sum of scores that have not crossed yet, look by look."""
        spent, grid, density, before = 0.0, np.zeros(1), np.ones(1), 0
        for worth in looks:
            limit, scale = bound(4, level, worth) * math.sqrt(worth), math.sqrt(worth - before)
            spent += np.sum(density * stats.norm.sf(limit, loc=grid, scale=scale))
            fresh = np.linspace(-45.0, limit, 1200)
            width = fresh[1] - fresh[0]
            density = (stats.norm.pdf(fresh[:, None], loc=grid, scale=scale) * density).sum(axis=1) * width
            density[[0, -1]] /= 2.0
            grid, before = fresh, worth
        assert spent == pytest.approx(error, rel=0.02)

    @pytest.mark.parametrize(("level", "error"), [(95, 0.005), (99, 0.001)])
    def test_seeds_added_later_have_an_error_of_their_own(self, level, error):
        later = sum(stats.norm.sf(bound(CAP * 2**doubling, level)) for doubling in range(1, 30))
        assert later == pytest.approx(error, rel=2e-3)


class TestIntervals:
    def test_clear_sizes_leave_one(self):
        """A step of three sd a neuron: 0.945 lies half-way between four and five neurons."""
        found = answer_target(rising(seeds=SPREAD * 4), 0.945)
        assert found.overall["typical"] == Answer(5, (5,), (5, 5), pytest.approx(0.95), 20)

    def test_untested_sizes_stay_inside(self):
        found = answer_target(rising(sizes=(1, 2, 6, 7, 8), seeds=SPREAD * 4), 0.945)
        assert found.overall["typical"].interval == (3, 6)
        assert found.overall["typical"].neurons == 6

    def test_nothing_smaller_tested_leaves_the_lower_end_open(self):
        found = answer_target(rising(sizes=(5, 6, 7), seeds=SPREAD * 4), 0.92)
        assert found.overall["typical"].interval == (1, 5)

    def test_not_reached(self):
        found = answer_target(rising(), 0.999)
        assert found.overall["typical"] == NoAnswer("not reached", 8, 9)
        assert str(found.overall["typical"]) == "not reached up to 8 neurons"

    def test_needs_more_seeds_at_the_largest_size(self):
        found = answer_target(rising(sizes=(4, 5, 6)), 0.96)
        assert found.overall["typical"] == NoAnswer("needs more seeds", 6, 6)

    @pytest.mark.parametrize("results", [{}, {(3,): []}, {(3,): [0.97]}, {(): [0.9, 0.9]}])
    def test_too_little_needs_more_seeds(self, results):
        found = answer_target(results, 0.95)
        assert {finding.status for finding in found.overall.values()} == {"needs more seeds"}

    def test_softmax_alone_is_an_answer(self):
        found = answer_target({(): [0.925, 0.926, 0.927, 0.926], **rising()}, 0.9)
        assert found.overall["reliable"] == Answer(0, (), (0, 0), pytest.approx(0.926), 4)
        assert found.by_depth[1]["typical"].neurons == 1

    def test_over_all_depths_the_smallest_of_answers_and_ends(self):
        deep = {(size, size): [0.9 + 0.02 * size + seed for seed in SPREAD * 4] for size in (1, 2, 3, 4)}
        found = answer_target({**rising(seeds=SPREAD * 4), **deep}, 0.945)
        assert found.by_depth[2]["typical"].interval == (5, 6)
        assert found.overall["typical"].neurons == 5
        assert found.overall["typical"].interval == (5, 5)

    def test_of_several_shapes_the_best_counts(self):
        family = {(3, 3): [0.90 + s for s in SPREAD * 4], (2, 4): [0.95 + s for s in SPREAD * 4]}
        assert answer_target(family, 0.93).overall["typical"].widths == (2, 4)

    def test_a_target_that_is_no_accuracy_is_refused(self):
        with pytest.raises(ValueError, match=r"`target` must be an accuracy in 0..1, got 95"):
            answer_target({}, 95)

    def test_targets_are_answered_once_from_low_to_high(self):
        assert [found.accuracy for found in answer_targets({}, [0.95, 0.9, 0.95])] == [0.9, 0.95]

    def test_a_depth_is_estimated_once_for_all_targets_and_for_new_samples(self, monkeypatch):
        estimated = []

        def counted(family):
            estimated.append(len(family))
            return estimates(family)

        monkeypatch.setattr(intervals, "estimates", counted)
        monkeypatch.setattr(answers, "estimates", None)  # The evidence takes them as they are.
        results = {**rising(), (2, 2): [0.5, 0.51, 0.52, 0.53]}
        found = answer_targets(results, [0.9, 0.945], sampling=dict.fromkeys(results, 1e-6))
        assert (estimated, len(found)) == ([8, 1], 2)


class TestNewSamples:
    def test_the_test_sets_variance_adds_to_the_error(self):
        """As in "what a hand computes", with (0.002)^2 more in the squared error: 4 (1 + 2)^2 degrees of freedom."""
        found = evidence({(5,): [0.95 + seed for seed in SPREAD]}, 0.945, sampling={(5,): 4e-6})[(5,)]["typical"]
        t = 0.005 / math.sqrt(1e-5 / 5 + 4e-6)
        assert found.z == pytest.approx(289 / 291 * math.sqrt(36 * math.log(1 + t**2 / 36)))

    def test_a_known_variance_does_not_make_few_seeds_weaker(self):
        """Four seeds of softmax agree closely, 8.6 roots of the variance under the target."""
        family = {(): [0.9276, 0.9277, 0.9276, 0.9277], **rising(seeds=SPREAD * 4)}
        found = answer_target(family, 0.945, sampling=dict.fromkeys(family, 4e-6)).overall["typical"]
        assert found.new_samples == (4, 6)

    @given(st.floats(0.90, 0.99), st.floats(0, 1e-3))
    def test_new_samples_never_say_more_than_this_test_set(self, target, variance):
        family = {(5,): [0.95 + seed for seed in SPREAD]}
        seen, new = (evidence(family, target, sampling=given)[(5,)] for given in (None, {(5,): variance}))
        assert all(abs(new[quantity].z) <= abs(seen[quantity].z) for quantity in SHARES)

    def test_without_a_variance_a_size_is_open(self):
        family = rising(seeds=SPREAD * 4)
        found = answer_target(family, 0.945, sampling=dict.fromkeys(list(family)[:-1], 0.0)).overall["typical"]
        assert (found.interval, found.new_samples) == ((5, 5), (5, None))

    def test_it_widens_with_the_variance(self):
        family = rising(seeds=SPREAD * 4)
        found = [answer_target(family, 0.945, sampling=dict.fromkeys(family, v)).overall["typical"] for v in (0, 2e-5)]
        assert [answer.new_samples for answer in found] == [(5, 5), (4, 6)]

    def test_with_failed_seeds_only_those_count_that_reach_the_target_by_a_margin(self):
        family = {(5,): [0.95] * 19 + [math.nan]}
        near, far = (evidence(family, 0.94, sampling={(5,): v})[(5,)]["typical"] for v in (1e-6, 1e-4))
        assert near == evidence(family, 0.94)[(5,)]["typical"]
        assert (far.z, far.verdict) == (0.0, "open")


class TestProperties:
    @given(results_strategy, target_strategy, st.randoms(use_true_random=False))
    def test_the_order_of_seeds_and_architectures_changes_nothing(self, results, target, random):
        shuffled = list(results.items())
        random.shuffle(shuffled)
        permuted = {architecture: random.sample(seeds, len(seeds)) for architecture, seeds in shuffled}
        assert answer_target(results, target) == answer_target(permuted, target)

    @given(results_strategy, target_strategy, target_strategy)
    @settings(max_examples=200)
    def test_a_higher_target_never_needs_fewer_neurons(self, results, one, other):
        lower, higher = (answer_target(results, target) for target in sorted((one, other)))
        for quantity in SHARES:
            hard, easy = higher.overall[quantity], lower.overall[quantity]
            if isinstance(hard, Answer):
                assert isinstance(easy, Answer)
                assert easy.neurons <= hard.neurons
                assert easy.interval[0] <= hard.interval[0]
                assert easy.interval[1] <= hard.interval[1]

    @given(results_strategy, target_strategy)
    @settings(max_examples=200)
    def test_possible_is_at_most_typical_is_at_most_reliable(self, results, target):
        found = answer_target(results, target).overall
        for easy, hard in (("possible", "typical"), ("typical", "reliable")):
            if isinstance(found[hard], Answer):
                assert found[easy].neurons <= found[hard].neurons
                assert found[easy].interval <= found[hard].interval

    @given(results_strategy, target_strategy)
    @settings(max_examples=200)
    def test_the_interval_contains_the_answer(self, results, target):
        found = answer_target(results, target)
        for findings in (found.overall, *found.by_depth.values()):
            for finding in findings.values():
                if isinstance(finding, Answer):
                    assert finding.interval[0] <= finding.neurons <= finding.interval[1]
                    assert finding.neurons == sum(finding.widths)

    @given(results_strategy, target_strategy, sampling_strategy, st.sampled_from([95, 99]))
    @settings(max_examples=200)
    def test_the_interval_for_new_samples_contains_that_of_this_test_set(self, results, target, sampling, level):
        bare = answer_target(results, target, level=level)
        found = answer_target(results, target, level=level, sampling=sampling)
        pairs = zip([found.overall, *found.by_depth.values()], [bare.overall, *bare.by_depth.values()], strict=True)
        for some, same in pairs:
            for quantity in SHARES:
                if isinstance(some[quantity], Answer):
                    low, high = some[quantity].new_samples or (math.inf, None)
                    assert low <= some[quantity].interval[0]
                    assert high is None or some[quantity].interval[1] <= high
                    assert replace(some[quantity], new_samples=None) == same[quantity]
                else:
                    assert some[quantity] == same[quantity]

    @given(results_strategy, target_strategy)
    def test_json_is_json(self, results, target):
        written = answer_target(results, target).to_json()
        assert json.loads(json.dumps(written)) == written

    @given(st.integers(1, 1000))
    def test_the_bound_never_rests_on_less_than_its_last_level(self, seeds):
        assert bound(seeds) >= bound(CAP)


OVERALL = {"possible": of(12, 11, 12), "typical": of(13, 12, 14), "reliable": of(14, 13, 15)}


class TestWords:
    def test_json_follows_the_schema(self):
        found = TargetAnswer(0.95, OVERALL, {1: {**OVERALL, "reliable": NoAnswer("not reached", 32, 33)}})
        written = found.to_json()
        assert written["typical"] == {
            "neurons": 13,
            "widths": [13],
            "interval": [12, 14],
            "test_accuracy": 0.95,
            "seeds": 20,
            "new_samples": None,
        }
        assert set(written) == {"accuracy", "possible", "typical", "reliable", "could_beat", "by_depth"}
        assert written["by_depth"]["1"]["reliable"] is None
        assert written["by_depth"]["1"]["unanswered"] == {"reliable": "not reached up to 32 neurons"}

    def test_a_seed_is_counted_once(self):
        networks = [VerifiedNetwork((3,), seed, seed / 10, 0.8, 15, 1.0) for seed in (1, 2, 1)]
        assert collect(networks) == {(3,): [0.1, 0.2]}


def test_softmax_that_falls_short_does_not_widen_the_overall_interval():
    """It has one size only, so no larger network of depth 0 might reach the target."""
    clear = {(): [0.80, 0.801, 0.799, 0.80]} | {
        (n,): [0.83 + 0.02 * n + 0.001 * k for k in range(4)] for n in range(1, 9)
    }
    found = answer_target(clear, 0.931)
    assert found.overall["typical"] == found.by_depth[1]["typical"]
    assert isinstance(found.by_depth[0]["typical"], NoAnswer)


class TestDepthsThatCannotHoldTheAnswer:
    def test_one_size_that_falls_short_bounds_a_depth(self):
        found = answer_target({**rising(), (2, 2): [0.5, 0.51, 0.52, 0.53]}, 0.945, SearchSpace(2, 1, 16))
        assert found.overall["typical"].neurons == 5
        assert found.by_depth[2]["typical"] == NoAnswer("larger", 4, 5)
        assert found.could_beat == ()
        written = found.to_json()["by_depth"]["2"]
        assert written["unanswered"]["typical"] == "at least 5 neurons"
        assert written["at_least"]["typical"] == 5

    def test_a_depth_that_nobody_tested_could_beat_the_answer(self):
        found = answer_target(rising(), 0.945, SearchSpace(3, 1, 16))
        assert found.could_beat == (2, 3)
        assert found.to_json()["could_beat"] == [2, 3]
        assert not is_settled(found)

    def test_fewer_neurons_than_layers_beat_nothing(self):
        assert answer_target(rising(), 0.945, SearchSpace(8, 1, 16)).could_beat == (2, 3, 4)

    def test_a_smaller_size_that_falls_short_leaves_it_open(self):
        found = answer_target({**rising(), (1, 1): [0.5, 0.51, 0.52, 0.53]}, 0.945, SearchSpace(2, 1, 16))
        assert found.by_depth[2]["typical"] == NoAnswer("not reached", 2, 3)
        assert found.could_beat == (2,)

    def test_layers_are_not_narrower_than_the_space_allows(self):
        """Two layers of at least 3 neurons have at least 6, and the answer is 5; two of at least 2 might have 4."""
        assert answer_target(rising(), 0.945, SearchSpace(3, 3, 16)).could_beat == ()
        assert answer_target(rising(), 0.945, SearchSpace(3, 2, 16)).could_beat == (2,)

    def test_a_depth_whose_largest_network_falls_short_has_none_left(self):
        deep = {(n, 1, 1): seeds for (n,), seeds in rising().items()}
        largest = {(2, 2): [0.5, 0.51, 0.52, 0.53]}
        found = answer_target({**deep, **largest}, 0.945, SearchSpace(3, 1, 2))
        assert found.overall["typical"].neurons == 7
        assert found.could_beat == ()

    def test_one_layer_and_what_softmax_beats_keep_their_own_words(self):
        """All networks have at least the neurons of softmax, so that says nothing of them."""
        softmax, deep = {(): [0.9949, 0.995, 0.995, 0.9951]}, {(9, 9): [0.5, 0.51, 0.52, 0.53]}
        found = answer_target({**softmax, **rising(), **deep}, 0.987)
        assert found.overall["typical"].neurons == 0
        words = [str(found.by_depth[depth]["typical"]) for depth in (1, 2)]
        assert words == ["not reached up to 8 neurons", "not reached up to 18 neurons"]
