"""Seeds and orders: what a study's seed decides, and that no two uses of it draw the same."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.settings import seeds
from fewest.search.settings.seeds import (
    SampleOrder,
    foreign_seed,
    layer_seeds,
    proposal_generator,
    search_order,
    split_seed,
    trial_seed,
    verification_index,
    verification_order,
    verification_seed,
)

STUDIES = st.integers(0, 2**32 - 1)


@given(n=st.integers(1, 300), batch=st.integers(1, 64), seed=STUDIES, epoch=st.integers(0, 9))
def test_an_epoch_is_whole_batches_of_different_samples(n, batch, seed, epoch):
    order = search_order(seed).batches(epoch, n, batch)
    assert order.shape[1] == min(batch, n)
    assert order.size == max(n // batch * batch, min(batch, n))
    assert len(np.unique(order)) == order.size


def test_every_epoch_has_an_order_of_its_own_that_the_seed_decides():
    first = search_order(1).batches(0, 100, 10)
    assert (first == search_order(1).batches(0, 100, 10)).all()
    assert (first != search_order(1).batches(1, 100, 10)).any()
    assert (first != search_order(2).batches(0, 100, 10)).any()


def test_seeds_of_trials_and_of_verification_never_meet():
    """By value: even and odd, whatever the study."""
    studies, places = (0, 1, 2**32 - 1), range(200)
    of_trials = {trial_seed(study, number) for study in studies for number in places}
    of_verification = {verification_seed(study, index) for study in studies for index in places}
    assert len(of_trials) == len(of_verification) == 600
    assert {seed % 2 for seed in of_trials} == {0}
    assert {seed % 2 for seed in of_verification} == {1}
    assert max(of_trials | of_verification) < 2**53


def test_no_two_uses_share_a_stream(monkeypatch):
    """Every function asks for another spawn key, and so does every place within a stream."""
    asked: list[tuple[int, ...]] = []

    def noted(seed: int, *key: int) -> np.random.SeedSequence:
        asked.append(key)
        return np.random.SeedSequence(seed, spawn_key=key)

    monkeypatch.setattr(seeds, "_drawn", noted)
    split_seed(7)
    layer_seeds(7, 3)
    for place, epoch in itertools.product(range(5), range(5)):
        verification_order(7, place).batches(epoch, 8, 2)
    for place in range(5):
        trial_seed(7, place)
        verification_seed(7, place)
        proposal_generator(7, place)
        search_order(7).batches(place, 8, 2)
        foreign_seed(7, place, "foreign")
    assert len(set(asked)) == len(asked) == 2 + 25 + 25
    assert len({key[0] for key in asked}) == 8


def test_an_order_and_the_proposals_of_the_same_place_differ():
    """Epoch k's order and the proposals after k trials were one stream once."""
    drawn = proposal_generator(3, 9).permutation(100)
    assert (search_order(3).batches(9, 100, 100)[0] != drawn).any()


@given(study=STUDIES, index=st.integers(0, 50))
def test_a_verification_seed_leads_back_to_its_index(study, index):
    assert verification_index(study, verification_seed(study, index)) == index


def test_a_trials_seed_is_none_of_verification():
    assert verification_index(0, trial_seed(0, 0)) is None


def test_equal_orders_are_equal():
    assert verification_order(1, 2) == SampleOrder(1, verification_order(1, 2).key) != verification_order(1, 3)
