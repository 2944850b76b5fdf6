"""Which shape reaches a target with the fewest neurons, learned from noisy trials; and shapes of another size."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewest.search.settings.space import SearchSpace
from fewest.search.verification.shapes import crossing_shape, shape_of_size

SPACE = SearchSpace(max_depth=3, min_width=1, max_width=32)


def accuracy(widths, first_layer=0.5):
    """Level 3, an error of 5 %, at two layers of 16; 0.6 more at twice the widths; bottlenecks cost."""
    one, two = (math.log2(width / 16) for width in widths)
    return 1.0 - math.exp(-(3.0 + 0.6 * (first_layer * one + (1.0 - first_layer) * two) - 0.1 * (one - two) ** 2))


def trials(n, seed, sd=0.0, first_layer=0.5):
    """Networks of two layers of 4 to 32 units, their levels off by as much."""
    rng = np.random.default_rng(seed)
    shapes = np.exp2(rng.uniform(2, 5, (n, 2))).round().astype(int).tolist()
    off = np.exp(-rng.normal(0.0, sd, n)).tolist()
    return [
        ((one, two), 1.0 - (1.0 - accuracy((one, two), first_layer)) * share)
        for (one, two), share in zip(shapes, off, strict=True)
    ]


def fewest(target, first_layer):
    """What exhaustive search finds."""
    shapes = ((one, two) for one in range(1, 33) for two in range(1, 33))
    return min(sum(shape) for shape in shapes if accuracy(shape, first_layer) >= target)


class TestCrossingShape:
    def test_layers_that_matter_alike_become_alike(self):
        """Level 3 is an error of exp(-3), reached by two layers of 16 and by nothing smaller."""
        one, two = crossing_shape(trials(100, 0), 1 - math.exp(-3), SPACE)
        assert abs(one - 16) <= 1
        assert abs(two - 16) <= 1

    @pytest.mark.parametrize("first_layer", [0.2, 0.5, 0.8])
    def test_it_is_about_as_small_as_can_be(self, first_layer):
        shape = crossing_shape(trials(400, 0, first_layer=first_layer), 0.95, SPACE)
        assert abs(sum(shape) - fewest(0.95, first_layer)) <= 1
        assert (shape[0] > shape[1] + 1) == (first_layer > 0.5)
        assert (shape[1] > shape[0] + 1) == (first_layer < 0.5)

    def test_searches_that_differ_in_their_noise_choose_alike(self):
        """Levels off by 0.2, as those of digits are: the smallest that reached the target may be anything."""
        chosen = [crossing_shape(trials(80, seed, sd=0.2), 0.95, SPACE) for seed in range(10)]
        assert all(28 <= sum(shape) <= 36 for shape in chosen)
        assert all(max(shape) <= 1.6 * min(shape) for shape in chosen)

    def test_trainings_that_failed_do_not_matter(self):
        sound = trials(80, 0, sd=0.1)
        failed = [(widths, 0.1 if index % 10 == 0 else known) for index, (widths, known) in enumerate(sound)]
        size, other = (sum(crossing_shape(found, 0.95, SPACE)) for found in (sound, failed))
        assert abs(size - other) <= 1

    def test_a_target_out_of_reach_takes_what_is_best(self):
        assert sum(crossing_shape(trials(100, 0), 0.9999, SPACE)) >= 60

    def test_a_target_within_reach_of_all_takes_the_smallest(self):
        found = trials(100, 0)
        assert sum(crossing_shape(found, 0.0, SPACE)) == min(sum(widths) for widths, _ in found)

    def test_from_few_trials_the_smallest_that_reached_the_target(self):
        found = [((6, 4), 0.93), ((4, 6), 0.95), ((8, 4), 0.96), ((5, 3), 0.92)]
        assert crossing_shape(found, 0.95, SPACE) == (4, 6)
        assert crossing_shape(found, 0.97, SPACE) == (8, 4)

    @pytest.mark.parametrize("depth", [2, 3])
    def test_equal_trials_say_nothing_and_break_nothing(self, depth):
        assert crossing_shape([((4,) * depth, 0.9)] * 20, 0.95, SPACE) == (4,) * depth

    @given(
        st.integers(2, 3).flatmap(
            lambda depth: st.lists(
                st.tuples(st.tuples(*[st.integers(3, 8)] * depth), st.floats(0.0, 1.0)), min_size=1, max_size=40
            )
        ),
        st.floats(0.0, 1.0),
        st.randoms(use_true_random=False),
    )
    @settings(max_examples=100, deadline=None)
    def test_it_is_of_the_space_and_of_a_size_tried_whatever_the_order(self, found, target, random):
        narrow = SearchSpace(max_depth=3, min_width=3, max_width=8)
        shape = crossing_shape(found, target, narrow)
        sizes = [sum(widths) for widths, _ in found]
        assert shape in narrow
        assert min(sizes) <= sum(shape) <= max(sizes)
        random.shuffle(found)
        assert crossing_shape(found, target, narrow) == shape


@given(st.integers(3, 96), st.tuples(st.integers(1, 32), st.integers(1, 32), st.integers(1, 32)))
def test_scaled_shapes_have_the_size_asked_for(size, model):
    shape = shape_of_size(size, 3, {sum(model): model}, SPACE)
    assert sum(shape) == size
    assert shape in SPACE
