"""Shapes of another size."""

from hypothesis import given
from hypothesis import strategies as st

from search.shapes import shape_of_size
from search.space import SearchSpace

SPACE = SearchSpace(max_depth=3, min_width=1, max_width=32)


@given(st.integers(3, 96), st.tuples(st.integers(1, 32), st.integers(1, 32), st.integers(1, 32)))
def test_scaled_shapes_have_the_size_asked_for(size, model):
    shape = shape_of_size(size, 3, {sum(model): model}, SPACE)
    assert sum(shape) == size
    assert shape in SPACE
