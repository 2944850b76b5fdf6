"""Protocols: batches and learning rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.settings.protocol import Protocol, batch_order, learning_rate_at


@given(n=st.integers(1, 300), batch=st.integers(1, 64), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_an_epoch_is_whole_batches_of_different_samples(n, batch, seed, epoch):
    order = batch_order(seed, epoch, n, batch)
    assert order.shape[1] == min(batch, n)
    assert order.size == max(n // batch * batch, min(batch, n))
    assert len(np.unique(order)) == order.size


def test_every_epoch_has_an_order_of_its_own_that_the_seed_decides():
    first = batch_order(1, 0, 100, 10)
    assert (first == batch_order(1, 0, 100, 10)).all()
    assert (first != batch_order(1, 1, 100, 10)).any()
    assert (first != batch_order(2, 0, 100, 10)).any()


@pytest.mark.parametrize(("step", "rate"), [(0, 0.0), (7.5, 0.01), (15, 0.02), (57.5, 0.01), (100, 0.0)])
def test_one_cycle_rises_to_its_peak_and_falls_to_zero(step, rate):
    protocol = Protocol(protocol="one_cycle")
    assert learning_rate_at(protocol, step, 100) == pytest.approx(rate, abs=1e-12)


def test_a_constant_rate_is_constant():
    protocol = Protocol(protocol="notebook")
    assert {learning_rate_at(protocol, step, 100) for step in (0, 50, 99)} == {1e-3}
