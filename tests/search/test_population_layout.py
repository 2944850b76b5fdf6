"""Every weight of every member has a place of its own, and comes back from it."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from search.population_layout import Layout, pack, unpack
from search.space import Architecture, n_parameters

COHORTS = st.lists(st.lists(st.integers(1, 140), max_size=3).map(tuple), min_size=1, max_size=12)


@given(COHORTS, st.integers(3, 4))
def test_round_trip(architectures: list[Architecture], n_levels: int) -> None:
    """Packed arrays hold exactly the members' parameters, and give them back; the mask shows where."""
    layout = Layout(tuple(architectures), 6, 3, n_levels)
    rng = np.random.default_rng(0)
    stocks = {}
    for member, architecture in enumerate(architectures):
        sizes = (6, *architecture, 3)
        stocks[member] = [
            rng.uniform(1, 2, size).astype(np.float32)
            for pair in itertools.pairwise(sizes)
            for size in (pair, pair[1:])
        ]
    arrays = pack(layout, stocks)
    assert sum(map(np.count_nonzero, arrays)) == sum(n_parameters(a, 6, 3) for a in architectures)
    assert sum(array.size for array in arrays) == layout.n_weights
    assert np.array_equal(layout.mask(), arrays[1] > 0)
    for member, stock in stocks.items():
        assert all(map(np.array_equal, unpack(layout, arrays, member), stock))


@given(COHORTS)
def test_rows_are_read_by_their_own_member(architectures: list[Architecture]) -> None:
    """Every unit of a member is read once, by a block of that member, and its gradient comes from there."""
    layout = Layout(tuple(architectures), 6, 3, 3)
    tables = layout.tables()
    for level in range(3):
        forward, backward = tables[f"forward_{level}"], tables[f"backward_{level}"]
        owners = np.full(layout.n_rows[level], -1)
        for member, rows in layout.rows[level].items():
            owners[rows] = member
            assert np.array_equal(forward[backward[rows]], np.arange(rows.start, rows.stop))
        readers = [m for kind in layout.kinds[level] for m in kind.members for _ in range(kind.inputs)]
        assert np.array_equal(owners[forward], readers)
        padding = np.flatnonzero(owners < 0)
        before = np.maximum.accumulate(np.where(owners < 0, 0, np.arange(len(owners))))
        assert np.array_equal(owners[forward[backward[padding]]], owners[before[padding]])


@given(COHORTS)
def test_scores_are_sorted_by_class_and_member(architectures: list[Architecture]) -> None:
    """The gather of scores is a permutation, and the other one its inverse."""
    tables = Layout(tuple(architectures), 6, 3, 3).tables()
    order = np.arange(3 * len(architectures))
    assert np.array_equal(tables["backward"][tables["forward"]], order)
    assert np.array_equal(np.sort(tables["forward"]), order)
