"""A trained network as plain arithmetic: what is read from Keras before a graph of it is written elsewhere.

Shared by the writers `fewest.search.export.litert` and `fewest.search.export.onnx`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.settings.keras_settings import keras
from fewest.storage.errors import FewestError
from fewest.storage.extras import load

__all__ = ["ONE", "ZERO", "ExportError", "Layer", "Stack", "labels_of", "optional", "stack_of"]


class ExportError(FewestError, ValueError):
    """The network cannot be had in this format, or the file that came out is worse than it may be."""


class Layer(NamedTuple):
    """One dense layer: kernel float32 `(fan_in, fan_out)`, bias float32 `(fan_out,)`."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: str


ONE: Final = np.ones((), np.float32)
ZERO: Final = np.zeros((), np.float32)


@dataclass(frozen=True, eq=False)
class Stack:
    """A network's arithmetic: `x * scale + offset`, flattened, then dense layers, the last with softmax."""

    input_shape: tuple[int, ...]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    layers: tuple[Layer, ...]


def optional(module: str) -> Any:
    """Import an optional module, or raise one line that says how to get it."""
    return load(module, "export", ExportError, what="This format")


def stack_of(network: keras.Sequential) -> Stack:
    """Read a network's layers; refuse any that `fewest.search.training.network.build` does not make."""
    scale, offset = ONE, ZERO
    layers: list[Layer] = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Rescaling) and not layers:
            scale, offset = np.asarray(layer.scale, np.float32), np.asarray(layer.offset, np.float32)
        elif isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            layers.append(Layer(kernel, bias, layer.activation.__name__))
        elif not isinstance(layer, keras.layers.Flatten):
            raise ExportError(
                f"This format holds rescaling and dense layers only, got {type(layer).__name__}."
                " Export as .keras instead."
            )
    hidden = {layer.activation for layer in layers[:-1]}
    if not layers or layers[-1].activation != "softmax" or not hidden <= {"relu", "tanh", "sigmoid"}:
        raise ExportError(
            "This format holds hidden layers with relu, tanh or sigmoid and an output layer with softmax,"
            f" got {', '.join(layer.activation for layer in layers) or 'no layer'}. Export as .keras instead."
        )
    return Stack(tuple(network.input_shape[1:]), scale, offset, tuple(layers))


def labels_of(scores: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """Return the class of the highest score in each row, the first of equals."""
    labels: NDArray[np.intp] = np.concatenate(scores).argmax(axis=1)
    return labels
