"""Seeds and orders: what a study's seed decides."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.settings.seeds import SampleOrder


@given(n=st.integers(1, 300), batch=st.integers(1, 64), seed=st.integers(0, 9), epoch=st.integers(0, 9))
def test_an_epoch_is_whole_batches_of_different_samples(n, batch, seed, epoch):
    order = SampleOrder(seed).batches(epoch, n, batch)
    assert order.shape[1] == min(batch, n)
    assert order.size == max(n // batch * batch, min(batch, n))
    assert len(np.unique(order)) == order.size


def test_every_epoch_has_an_order_of_its_own_that_the_seed_decides():
    first = SampleOrder(1).batches(0, 100, 10)
    assert (first == SampleOrder(1).batches(0, 100, 10)).all()
    assert (first != SampleOrder(1).batches(1, 100, 10)).any()
    assert (first != SampleOrder(2).batches(0, 100, 10)).any()
