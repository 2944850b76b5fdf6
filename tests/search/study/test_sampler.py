"""What is proposed next, and the sampler as Optuna sees it."""

import numpy as np
import optuna
from hypothesis import example, given
from hypothesis import strategies as st

from fewest.search.settings.space import SearchSpace, width_name
from fewest.search.study.sampler import FrontSampler, propose

SPACE = SearchSpace(max_depth=2, min_width=1, max_width=16)
FRONTS = st.lists(st.lists(st.integers(1, 16), max_size=2).map(tuple), max_size=5)


@example(front=[()], n=30, seed=62)
@example(front=[(), ()], n=19, seed=0)
@given(front=FRONTS, n=st.integers(0, 30), seed=st.integers(0, 99))
def test_proposals_lie_in_the_space_and_are_all_new(front, n, seed):
    proposals = propose(SPACE, front, front, n, np.random.default_rng(seed))
    assert len(proposals) == n
    assert all(proposal in SPACE for proposal in proposals)
    assert len({*proposals, *front}) == n + len(set(front))


def test_a_space_that_is_used_up_is_proposed_again():
    assert propose(SearchSpace(0, 1, 1), [], [()], 2, np.random.default_rng(0)) == [(), ()]


def test_the_random_generator_decides_everything():
    first, again = (propose(SPACE, [(4,)], [], 9, np.random.default_rng(7)) for _ in range(2))
    assert first == again


def test_a_small_member_among_many_large_ones_is_changed_as_often_as_its_part_of_the_axis_says():
    """Six members crowd at the upper end; the small one is the nearest for two thirds of the logarithmic axis."""
    space = SearchSpace(max_depth=1, min_width=1, max_width=255)
    front = [(4,), (200,), (205,), (210,), (215,), (220,), (225,)]
    proposals = [propose(space, front, [], 1, np.random.default_rng(seed))[0] for seed in range(300)]
    n_small = sum(widths < (31,) for widths in proposals if widths)
    assert 0.5 < n_small / sum(map(bool, proposals)) < 0.75


def test_optuna_asks_the_sampler_for_conditional_parameters():
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=FrontSampler(SPACE, seed=3))

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        depth = trial.suggest_int("depth", 0, 2)
        widths = [trial.suggest_int(width_name(layer), 1, 16, log=True) for layer in range(1, depth + 1)]
        return sum(widths), 1.0 - 1.0 / (2 + sum(widths))

    study.optimize(objective, n_trials=25)
    asked = [tuple(trial.params.items()) for trial in study.trials]
    assert len(set(asked)) == 25
