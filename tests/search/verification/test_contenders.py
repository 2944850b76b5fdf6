"""Depths that cannot hold an answer cost a few seeds; those that can are verified like any."""

import random

from fewest.search.answers.answer import Answer, is_settled
from fewest.search.answers.intervals import answer_target
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons
from fewest.search.verification.allocation import Rule
from fewest.search.verification.contenders import seeds_for_answers

SPACE = SearchSpace(3, 1, 40)
TARGET = 0.95


def level(architecture: Architecture, worth: float = 0.5) -> float:
    """The mean accuracy: 0.95 at 13 neurons in one layer; a neuron in more layers is worth `worth` of one."""
    if not architecture:
        return 0.92
    n = n_neurons(architecture) * (1.0 if len(architecture) == 1 else worth)
    return 1.0 - 0.05 * (13 / n) ** 0.7


def verified(worth: float, deeper: bool = True, seed: int = 0) -> dict[Architecture, list[float]]:
    """Carry plans out until none is left, four networks at a time."""
    rng = random.Random(seed)
    found = [(a, level(a, worth)) for a in [(), *((n,) for n in (8, 11, 12, 13, 14, 16)), (7, 6), (9, 4), (5, 4, 4)]]
    results: dict[Architecture, list[float]] = {}
    while plan := seeds_for_answers(found, results, [TARGET], SPACE, Rule(), deeper=deeper):
        batch = [architecture for architecture, n in plan.items() for _ in range(n)][:4]
        for architecture in batch:
            results.setdefault(architecture, []).append(rng.gauss(level(architecture, worth), 0.002))
        assert sum(map(len, results.values())) < 2_000
    return results


def test_one_layer_comes_first_and_alone_where_only_it_is_asked_for() -> None:
    assert {len(architecture) for architecture in verified(0.5, deeper=False)} == {0, 1}


def test_a_depth_far_from_the_answer_is_settled_by_one_size() -> None:
    results = verified(0.5)
    found = answer_target(results, TARGET, SPACE)
    for depth in (2, 3):
        family = {one: seeds for one, seeds in results.items() if len(one) == depth}
        assert len(family) == 1 and sum(map(len, family.values())) <= 8
        assert [str(finding) for finding in found.by_depth[depth].values()] == [
            f"at least {n_neurons(next(iter(family))) + 1} neurons"
        ] * 3
    assert is_settled(found)


def test_a_depth_that_beats_one_layer_is_verified() -> None:
    found = answer_target(verified(1.3), TARGET, SPACE)
    assert found.overall["typical"].widths == found.by_depth[2]["typical"].widths or (
        found.overall["typical"].widths == found.by_depth[3]["typical"].widths
    )
    answer = found.overall["typical"]
    assert isinstance(answer, Answer)
    low, high = answer.interval
    assert low <= 10 <= high < 13  # 13 / 1.3
    assert found.by_depth[1]["typical"].neurons == 13


def test_without_an_answer_in_one_layer_every_depth_counts() -> None:
    small = SearchSpace(2, 1, 10)
    results = {(n,): [0.93, 0.931, 0.932, 0.933] for n in (7, 8, 9, 10)} | {(): [0.92, 0.921, 0.922, 0.923]}
    plan = seeds_for_answers([((10,), 0.93), ((9, 9), 0.951)], results, [TARGET], small, Rule())
    assert plan and all(len(architecture) == 2 for architecture in plan)


def test_softmax_is_beaten_by_nothing() -> None:
    """No network has fewer than 0 neurons, so deeper ones are not even challenged."""
    results: dict[Architecture, list[float]]
    results = {(): [0.96, 0.961, 0.962, 0.963], **{(n,): [0.97, 0.971, 0.972, 0.973] for n in (1, 2, 3, 4)}}
    assert seeds_for_answers([((1,), 0.97)], results, [TARGET], SPACE, Rule()) == {}
    assert is_settled(answer_target(results, TARGET, SPACE))


def test_networks_in_fewer_neurons_than_layers_do_not_exist() -> None:
    results: dict[Architecture, list[float]]
    results = {(): [0.5, 0.51, 0.52, 0.53], **{(n,): [0.97, 0.971, 0.972, 0.973] for n in (1, 2, 3, 4)}}
    assert seeds_for_answers([((1,), 0.97)], results, [TARGET], SPACE, Rule()) == {}


def test_of_two_shapes_of_a_size_the_one_that_is_judged_gets_the_seeds() -> None:
    """Another target may have had the other shape verified; it may have all its seeds."""
    results = verified(0.5, deeper=False)
    fresh, spent = (8, 5), (7, 6)  # Both one neuron fewer than the answer to be safe, 14.
    results |= {fresh: [0.948, 0.949, 0.9505, 0.9512], spent: [0.947 + 0.0002 * seed for seed in range(20)]}
    assert seeds_for_answers([((13,), 0.95)], results, [TARGET], SearchSpace(2, 1, 40), Rule()) == {fresh: 4}
