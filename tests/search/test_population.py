"""The population engine gives the networks that stock Keras gives."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from search.data import SearchData
from search.network import build, optimizer
from search.population import train_cohort
from search.protocol import Protocol, batch_order
from search.space import Network

MIXED = [
    Network((), 1),
    Network((5,), 2),
    Network((40,), 3),
    Network((3, 70), 4),
    Network((33, 1), 5),
    Network((7, 40, 66), 6),
    Network((), 7),
    Network((50, 2, 9), 8),
]
"""Depths 0 to 3, widths within a tile, of several tiles, and next to a tile's edge."""


def blobs(n_train: int = 256, n_validation: int = 100, n_features: int = 20, classes: int = 4) -> SearchData:
    """Overlapping classes of uint8 pixels."""
    rng = np.random.default_rng(0)
    centers = rng.uniform(40, 200, (classes, n_features))
    y = rng.integers(0, classes, n_train + n_validation).astype(np.int32)
    x = (
        np.clip(centers[y] + rng.normal(0, 60, (len(y), n_features)), 0, 255)
        .astype(np.uint8)
        .reshape(-1, 4, 5)
    )
    return SearchData(
        "blobs", x[:n_train], y[:n_train], x[n_train:], y[n_train:], classes, 1 / 255, 0.0, "0" * 64
    )


def stock(
    network: Network, data: SearchData, protocol: Protocol, batch_seed: int, n_steps: int
) -> keras.Sequential:
    """The reference: stock Keras over the same batches."""
    model = build(network, data, protocol.activation)
    model.compile(
        optimizer(protocol, len(data.y_train)), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    for rows in batch_order(batch_seed, 0, len(data.y_train), protocol.batch_size)[:n_steps]:
        model.train_on_batch(data.x_train[rows], data.y_train[rows])
    return model


def relative(found: list[NDArray[np.float32]], wanted: list[NDArray[np.float32]]) -> float:
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_first_steps_match_stock(activation: str) -> None:
    """The same initial weights and batches give stock Keras's weights after four steps."""
    data = blobs()
    protocol = Protocol(
        batch_size=64, epochs=1, learning_rate=1e-3, schedule="constant", activation=activation
    )
    outcomes = train_cohort(MIXED, data, protocol, batch_seed=3)
    for network, outcome in zip(MIXED, outcomes, strict=True):
        wanted = stock(network, data, protocol, 3, 4).get_weights()
        assert relative(outcome.weights, wanted) < 1e-5, network
