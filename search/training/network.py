"""One architecture as a stock `keras.Sequential`: the reference that every engine must agree with.

Inputs are raw samples (uint8 pixels as loaded). Scaling is the network's first layer, so a stored or exported network
takes the data set's own numbers.
"""

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.metrics import DECIMALS
from fewest.search.data.samples import Images, SearchData
from fewest.search.settings.keras_settings import keras
from fewest.search.settings.protocol import Protocol, learning_rate_at, n_batches
from fewest.search.settings.seeds import layer_seeds
from fewest.search.settings.space import Network
from fewest.search.training.outcome import Weights

__all__ = [
    "PREDICT_BATCH",
    "ProtocolSchedule",
    "accuracy_of",
    "balanced",
    "build",
    "extract",
    "initial_weights",
    "optimizer",
    "predict_labels",
    "save",
]

PREDICT_BATCH: Final = 4096
"""Samples labelled at once: bounds memory without changing results."""


def build(network: Network, data: SearchData, activation: str) -> keras.Sequential:
    """Build a network with its initial weights, not compiled.

    Layers: `Rescaling` (raw samples to floats), `Flatten`, one `Dense` per hidden width, `Dense` with softmax. Each
    gets its data type and any order of axes explicitly, since another program may have changed Keras's defaults.
    """
    *hidden_seeds, output_seed = layer_seeds(network.seed, len(network.architecture) + 1)
    return keras.Sequential(
        [
            keras.Input(data.input_shape, dtype=str(data.x_train.dtype)),
            keras.layers.Rescaling(data.scale, data.offset, dtype="float32"),
            keras.layers.Flatten(data_format="channels_last", dtype="float32"),
            *(_dense(width, activation, seed) for width, seed in zip(network.architecture, hidden_seeds, strict=True)),
            _dense(data.n_classes, "softmax", output_seed),
        ]
    )


def initial_weights(network: Network, n_features: int, n_classes: int) -> list[NDArray[np.float32]]:
    """Return the initial weights that `build` would use, without building a model.

    Returns:
        `[kernel, bias, kernel, bias, ...]` from input to output, kernels float32 `(fan_in, fan_out)`.
    """
    sizes = (n_features, *network.architecture, n_classes)
    weights: list[NDArray[np.float32]] = []
    for (fan_in, fan_out), seed in zip(pairwise(sizes), layer_seeds(network.seed, len(sizes) - 1), strict=True):
        weights.append(keras.ops.convert_to_numpy(_glorot(seed)((fan_in, fan_out), dtype="float32")))
        weights.append(np.zeros(fan_out, np.float32))
    return weights


def predict_labels(network: keras.Sequential, x: Images) -> NDArray[np.intp]:
    """Label raw samples with the most probable class, the first of equals; integer `(samples,)`."""
    chunks = (x[start : start + PREDICT_BATCH] for start in range(0, len(x), PREDICT_BATCH))
    scores = [keras.ops.convert_to_numpy(network(chunk, training=False)) for chunk in chunks]
    labels: NDArray[np.intp] = np.concatenate(scores).argmax(axis=1)
    return labels


def save(network: keras.Sequential, path: Path) -> None:
    """Write a `.keras` file without optimizer, loss and schedule: any Keras 3 loads it without our package."""
    if network.compiled:
        weights, network = network.get_weights(), keras.Sequential.from_config(network.get_config())
        network.set_weights(weights)  # clone_model would compile it too
    with warnings.catch_warnings():
        # Keras 3.15 reads TensorFlow 2.21 variables in a way that NumPy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        network.save(path)


def optimizer(protocol: Protocol, n_train: int) -> keras.optimizers.Optimizer:
    """Return Adam with the protocol's learning rate."""
    return keras.optimizers.Adam(ProtocolSchedule(protocol, n_train))


class ProtocolSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # keras is untyped
    """`learning_rate_at` as a Keras schedule: a table with one entry for each optimizer step."""

    def __init__(self, protocol: Protocol, n_train: int) -> None:
        self.protocol = protocol
        self.n_train = n_train
        n_steps = protocol.epochs * n_batches(n_train, protocol.batch_size)
        self.table = np.array([learning_rate_at(protocol, step + 0.5, n_steps) for step in range(n_steps)], np.float32)

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of optimizer step `step`, counted from 0; after the end, the last one."""
        return keras.ops.take(self.table, keras.ops.minimum(step, len(self.table) - 1))

    def get_config(self) -> dict[str, Any]:
        """Return the configuration that Keras saves."""
        return {"protocol": self.protocol.model_dump(), "n_train": self.n_train}


def accuracy_of(data: SearchData) -> str | keras.metrics.Metric:
    """Return the Keras metric that logs call `accuracy`: the data set's own."""
    return "accuracy" if data.metric == "accuracy" else _BalancedAccuracy(data.n_classes)


class _BalancedAccuracy(keras.metrics.Metric):  # type: ignore[misc]  # keras is untyped
    """The balanced accuracy of all samples since the last reset, from counts."""

    def __init__(self, n_classes: int) -> None:
        super().__init__(dtype="float64", name="accuracy")
        self._n_classes = n_classes
        self._hits = self.add_weight(shape=(n_classes,), initializer="zeros", name="hits")
        self._seen = self.add_weight(shape=(n_classes,), initializer="zeros", name="seen")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the samples of a batch, and those labelled right, by class."""
        labels = keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32")
        right = keras.ops.equal(keras.ops.cast(keras.ops.argmax(y_pred, axis=-1), "int32"), labels)
        of_class = keras.ops.one_hot(labels, self._n_classes, dtype="float64")
        self._seen.assign_add(keras.ops.sum(of_class, axis=0))
        self._hits.assign_add(keras.ops.sum(of_class * keras.ops.cast(right, "float64")[:, None], axis=0))

    def result(self) -> Any:
        """Return the mean of the classes' recalls."""
        return balanced(self._hits, self._seen)


def balanced(hits: Any, seen: Any) -> Any:
    """Return balanced accuracies as `metrics.score` has them, float64 `(...)`.

    Args:
        hits: Right samples of each class, `(..., classes)`.
        seen: Samples of each class, `(classes,)`; a class of none is left out.
    """
    hits, seen = keras.ops.cast(hits, "float64"), keras.ops.cast(seen, "float64")
    recalls = hits / keras.ops.maximum(seen, 1.0)
    mean = keras.ops.sum(recalls, axis=-1) / keras.ops.sum(keras.ops.cast(seen > 0, "float64"))
    return keras.ops.round(mean * 10.0**DECIMALS) / 10.0**DECIMALS


def _dense(width: int, activation: str, seed: int) -> keras.layers.Dense:
    return keras.layers.Dense(width, activation=activation, kernel_initializer=_glorot(seed), dtype="float32")


def _glorot(seed: int) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=seed)


def extract(network: Network, weights: Weights, data: SearchData, protocol: Protocol) -> keras.Sequential:
    """Return a member as a stock `keras.Sequential`.

    Args:
        network: The member's architecture and seed.
        weights: Its `Outcome.weights`.
        data: The data set: input shape, classes and scaling.
        protocol: The protocol: activation.
    """
    model = build(network, data, protocol.activation)
    model.set_weights(weights)
    return model
