"""Every weight of every member has a place of its own, and comes back from it."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from search.population_layout import Layout, pack, shape_of, unpack
from search.space import Architecture, n_parameters

COHORTS = st.lists(st.lists(st.integers(1, 140), max_size=3).map(tuple), min_size=1, max_size=12)


@given(COHORTS, st.sampled_from([0.0, 1.0]))
def test_round_trip(architectures: list[Architecture], slack: float) -> None:
    """Packed arrays hold exactly the members' parameters, and give them back."""
    layout = Layout(tuple(architectures), shape_of(architectures, 6, 3).roomier(slack))
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
    for member, stock in stocks.items():
        assert all(map(np.array_equal, unpack(layout, arrays, member), stock))


@given(COHORTS)
def test_gathers_are_each_others_inverse(architectures: list[Architecture]) -> None:
    """A row that is read knows its reader, and the other way round."""
    tables = Layout(tuple(architectures), shape_of(architectures, 6, 3).roomier(0.0)).tables()
    for name in [name for name in tables if name.startswith("forward")]:
        forward, backward = tables[name], tables[name.replace("forward", "backward")]
        read = np.flatnonzero(forward >= 0)
        assert np.array_equal(backward[forward[read]], read)
        assert np.count_nonzero(backward >= 0) == len(read)


@given(COHORTS)
def test_shapes_hold_what_they_were_made_for(architectures: list[Architecture]) -> None:
    need = shape_of(architectures, 6, 3)
    assert need.holds(need)
    assert need.roomier(1.0).holds(need)
    assert need.holds(shape_of(architectures[:-1] or architectures, 6, 3))
