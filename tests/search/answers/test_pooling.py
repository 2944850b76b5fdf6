"""What neighbouring sizes say of each other: against NumPy's least squares, and where they must not be heard."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.answers import pooling
from fewest.search.answers.pooling import Estimate, estimates

SPREAD = (-0.004, -0.002, 0.0, 0.002, 0.004)


def around(means: dict[int, float], factor: float = 1.0) -> dict[tuple[int, ...], list[float]]:
    """Five seeds with a standard deviation of sqrt(10) / 1000 times the factor around the mean of each width."""
    return {(width,): [mean + factor * seed for seed in SPREAD] for width, mean in means.items()}


def concave(width: float) -> float:
    """An error that falls with the root of the width: 0.95 at 13 neurons."""
    return float(1.0 - 0.05 * (13.0 / width) ** 0.5)


class TestMean:
    def test_it_is_the_least_squares_fit_with_its_priors(self) -> None:
        """The prediction from the others and the own mean are one regression, prior curvature and misfits included."""
        family = around({width: concave(width) + 0.001 * (-1) ** width for width in (10, 11, 12, 13, 14, 16)})
        found = estimates(family)[(13,)]
        errors = 1.0 - (concave(13) - 0.001)
        x = np.log(np.array([10, 11, 12, 13, 14, 16]) / 13)
        y = np.array([np.mean(seeds) for seeds in family.values()]) + errors * x**2 / 2
        own = np.array([estimate.sd**2 / 5 for estimate in estimates(family).values()])
        weights = 1 / (own + (8 / 6 * errors * np.abs(x) ** 3) ** 2)
        design = np.stack([np.ones(6), x, x**2], axis=1)
        normal = design.T @ (design * weights[:, None]) + np.diag([0, 0, 1 / errors**2])
        assert found.mean == pytest.approx(np.linalg.solve(normal, design.T @ (weights * y))[0])
        assert found.error == pytest.approx(math.sqrt(np.linalg.inv(normal)[0, 0]))

    def test_neighbours_are_worth_seeds(self) -> None:
        """At the middle of seven sizes, twelve and more of 35 seeds count; without neighbours the five own ones."""
        middle = estimates(around({width: concave(width) for width in range(10, 17)}))[(13,)]
        alone = estimates(around({13: 0.95}))[(13,)]
        assert 12 < middle.worth(0.0) < 35
        assert alone.worth(0.0) == pytest.approx(5)
        assert middle.mean == pytest.approx(0.95, abs=1e-4)

    def test_small_sizes_are_too_far_apart(self) -> None:
        found = estimates(around({width: 1.0 - 0.5 / width for width in (2, 3, 4, 5, 6)}))
        assert found[(3,)].worth(0.0) < 7

    def test_a_size_that_disagrees_stands_alone(self) -> None:
        """Three standard errors above all others: no smooth curve goes there."""
        means = {width: concave(width) for width in range(10, 17)}
        found = estimates(around({**means, 13: means[13] + 0.01}))[(13,)]
        assert found.mean == pytest.approx(means[13] + 0.01)
        assert found.worth(0.0) == pytest.approx(5)

    def test_another_shape_is_no_neighbour(self) -> None:
        """Scaled shapes of a size lie beside each other; one with another bottleneck does not."""
        scaled = {(width, width): [concave(width) + seed for seed in SPREAD] for width in range(10, 17)}
        others = {(width - 6 * (-1) ** width, width + 6 * (-1) ** width): seeds for (width, _), seeds in scaled.items()}
        mixed = {**others, (13, 13): scaled[(13, 13)]}
        assert estimates(scaled)[(13, 13)].worth(0.0) > 10
        assert estimates(mixed)[(13, 13)].worth(0.0) < 6

    def test_seeds_that_failed_say_nothing(self) -> None:
        family = around({width: concave(width) for width in range(10, 17)})
        failed = {**family, (12,): [math.nan, *family[(12,)]]}
        assert estimates(failed) == estimates(family)

    def test_too_few_seeds_have_no_estimate(self) -> None:
        assert estimates({(): [0.9] * 4, (3,): [0.9, 0.9], (4,): [math.nan, 0.9, 0.9]}) == {
            (): Estimate(0.9, pytest.approx(5e-5), 1e-4, 3.0)
        }

    @given(st.lists(st.lists(st.integers(80, 100), min_size=3, max_size=8), min_size=1, max_size=9))
    def test_neighbours_never_widen_the_error_of_a_mean(self, family: list[list[int]]) -> None:
        results = {(width,): [value / 100 for value in seeds] for width, seeds in enumerate(family, 1)}
        for (width,), found in estimates(results).items():
            assert 0 < found.error <= found.sd / math.sqrt(len(family[width - 1])) * (1 + 1e-9)
            assert found.worth(0.0) >= len(family[width - 1]) * (1 - 1e-9)


class TestSpread:
    def test_it_is_moderated_by_the_neighbours_mean_variance(self) -> None:
        """Four own degrees, and sixteen of the others' 24; variances of 1, 4, 9, ... x 1e-5 at equal errors."""
        family = {(width,): [0.9 + width * seed for seed in SPREAD] for width in range(1, 8)}
        sd, degrees = pooling._spread(3, [pooling._Size((n,), n, 0.9, n**2 * 1e-5, 5) for n in range(1, 8)])
        theirs = (1 + 4 + 9 + 25 + 36 + 49) / 6 * 1e-5
        assert (sd, degrees) == (pytest.approx(math.sqrt((4 * 16e-5 + 16 * theirs) / 20)), 20.0)
        assert estimates(family)[(4,)].sd == pytest.approx(sd)

    def test_variances_are_in_proportion_to_errors(self) -> None:
        sizes = [pooling._Size((n,), n, mean, 4e-5, 5) for n, mean in enumerate((0.8, 0.9, 0.8), 1)]
        assert pooling._spread(1, sizes) == (pytest.approx(math.sqrt((4 * 4e-5 + 8 * 2e-5) / 12)), 12.0)

    def test_one_neighbour_does_not_count(self) -> None:
        sizes = [pooling._Size((1,), 1, 0.9, 1e-4, 5), pooling._Size((2,), 2, 0.9, 4e-4, 5)]
        assert pooling._spread(0, sizes) == (pytest.approx(0.01), 4.0)


def test_a_quantile_has_the_error_of_mean_and_deviation() -> None:
    quantile, error = Estimate(0.95, 0.003, 0.01, 8.0).quantile(2.0)
    assert (quantile, error) == (pytest.approx(0.97), pytest.approx(math.hypot(0.003, 0.01 * 2 / 4)))


def test_the_estimates_cover_what_they_estimate() -> None:
    """Four seeds each of nine sizes, 400 times: the means lie within two errors as often as they should."""
    rng = np.random.default_rng(0)
    truth = {(width,): concave(width) for width in range(9, 18)}
    inside = worth = 0.0
    for _ in range(400):
        found = estimates({size: rng.normal(mean, 0.0025, 4).tolist() for size, mean in truth.items()})
        inside += sum(abs(found[size].mean - mean) < 2 * found[size].error for size, mean in truth.items()) / 3600
        worth += found[(13,)].worth(0.0) / 400
    assert 0.93 <= inside <= 0.97
    assert worth >= 9
