"""Architectures, their sizes and their trial parameters."""

from hypothesis import given
from hypothesis import strategies as st

from fewest.search.settings.space import SearchSpace, architecture_of, n_neurons, n_parameters, parameters_of

ARCHITECTURES = st.lists(st.integers(1, 128), max_size=4).map(tuple)


@given(ARCHITECTURES)
def test_parameters_hold_the_whole_architecture(architecture):
    assert architecture_of(parameters_of(architecture)) == architecture


def test_sizes_by_hand():
    assert n_neurons((3, 4)) == 7
    assert n_parameters((3, 4), n_features=2, n_classes=5) == (2 + 1) * 3 + (3 + 1) * 4 + (4 + 1) * 5


def test_a_space_without_hidden_layers_has_softmax_alone():
    assert SearchSpace(0, 1, 8).ladder() == [()]


def test_a_space_knows_its_architectures():
    space = SearchSpace(2, 2, 8)
    assert (2, 8) in space
    assert (1,) not in space
    assert (2, 2, 2) not in space
