"""Protocols: learning rates."""

import pytest

from fewest.search.settings.protocol import Protocol, learning_rate_at


@pytest.mark.parametrize(("step", "rate"), [(0, 0.0), (7.5, 0.01), (15, 0.02), (57.5, 0.01), (100, 0.0)])
def test_one_cycle_rises_to_its_peak_and_falls_to_zero(step, rate):
    protocol = Protocol(protocol="one_cycle")
    assert learning_rate_at(protocol, step, 100) == pytest.approx(rate, abs=1e-12)


def test_a_constant_rate_is_constant():
    protocol = Protocol(protocol="notebook")
    assert {learning_rate_at(protocol, step, 100) for step in (0, 50, 99)} == {1e-3}
