"""Every weight of every member has a place of its own, and comes back from it."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.settings.space import Architecture, n_parameters
from fewest.search.training.population.layout import HIDDEN_KINDS, Kind, Layout, _kinds, deal, pack, unpack

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
def test_scores_lie_by_output_block(architectures: list[Architecture]) -> None:
    """Every member is scored once; those without hidden layers come last, all others where their output blocks lie."""
    layout = Layout(tuple(architectures), 6, 3, 3)
    assert sorted(layout.scored) == list(range(len(architectures)))
    kinds = [*layout.kinds[0][HIDDEN_KINDS:], *layout.kinds[1][HIDDEN_KINDS:], *layout.kinds[2]]
    softmax = [member for member, architecture in enumerate(architectures) if not architecture]
    assert layout.scored == [*(member for kind in kinds for member in kind.members), *softmax]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=15), st.integers(1, 4))
def test_kinds_that_pad_least_are_joined_first(sides: list[tuple[int, int]], n: int) -> None:
    """The same kinds as by looking at every pair before every union."""

    def padding(pair: tuple[Kind, Kind]) -> int:
        return pair[0].joined(pair[1]).size - pair[0].size - pair[1].size

    blocks = sorted((side, member) for member, side in enumerate(sides))
    alike = itertools.groupby(blocks, lambda block: block[0])
    kinds = [Kind(side[0], side[1], tuple(m for _, m in same)) for side, same in alike]
    while len(kinds) > n:
        pair = min(itertools.combinations(kinds, 2), key=padding)
        kinds = [*(kind for kind in kinds if kind not in pair), pair[0].joined(pair[1])]
    assert [kind for kind in _kinds(dict(enumerate(sides)), n) if kind.members] == kinds


@given(COHORTS, st.integers(1, 5))
def test_a_cohort_is_dealt_out_evenly(architectures: list[Architecture], n: int) -> None:
    """Everybody is in one shard, none is empty, and no shard could give its last member away and still be slower."""
    shards = deal(architectures, 6, 3, 3, n)
    assert sorted(itertools.chain(*shards.members)) == list(range(len(architectures)))
    assert len(shards.members) == (n if n <= len(architectures) else {1: 1, 2: 2, 3: 2, 4: 4}[len(architectures)])
    assert all(shards.members)
    for members, layout in zip(shards.members, shards.layouts, strict=True):
        assert layout.architectures == tuple(architectures[member] for member in members)
    own = [[Layout((architectures[m],), 6, 3, 3).work for m in members] for members in shards.members]
    assert max(sum(works) - min(works) for works in own) <= min(map(sum, own)) + 1e-6
