"""Optuna's own contract tests on our sampler."""

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase

from fewest.search.settings.space import SearchSpace
from fewest.search.study.sampler import FrontSampler


class _Ours:
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: FrontSampler(SearchSpace(max_depth=3, min_width=1, max_width=128), seed=0)


class TestBasics(_Ours, BasicSamplerTestCase):
    pass


class TestRelative(_Ours, RelativeSamplerTestCase):
    pass


class TestTwoObjectives(_Ours, MultiObjectiveSamplerTestCase):
    pass
