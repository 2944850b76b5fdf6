"""A network that takes samples as the caller of `fewest.search` has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fewest.search.data.samples import Images
from fewest.search.settings.keras_settings import keras
from fewest.search.training.network import save

__all__ = ["PreparedModel"]


class PreparedModel(keras.Sequential):  # type: ignore[misc]  # Keras ships no types
    """A study's network whose `predict` prepares samples first.

    Args:
        network: A network of the study.
        prepare: Turns samples of the caller's type into what the network takes.
    """

    def __init__(self, network: keras.Sequential, prepare: Callable[[Any], Images]) -> None:
        super().__init__([keras.Input(network.input_shape[1:], dtype=network.input_dtype), *network.layers])
        self._prepare_samples = prepare

    def predict(self, x: Any, *args: Any, **options: Any) -> Any:
        """Return the probability of each class, float32 `(samples, classes)`; arguments as Keras has them."""
        return super().predict(self._prepare_samples(x), *args, **options)

    def save(self, filepath: str | Path) -> None:
        """Write the network as a `.keras` file, which any Keras 3 loads, without the preparation of samples."""
        network = keras.Sequential.from_config(self.get_config())
        network.set_weights(self.get_weights())
        save(network, Path(filepath))
