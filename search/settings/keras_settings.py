"""Keras and TensorFlow with this project's own settings, whatever the user's files and variables say.

    from fewest.search.settings.keras_settings import keras, tf

Keras reads `keras.json` and variables named `KERAS_...` once, when it is first imported, and TensorFlow imports it.
Only a study's settings may change its networks, so every module takes both libraries from here. The import neither
reads nor creates the user's `~/.keras`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fewest.search.settings.memory import keep_memory
from fewest.storage.errors import MisuseError

__all__ = ["keras", "settle", "tf"]

BACKEND = "tensorflow"

_NOWHERE = os.devnull
"""A home folder for Keras that can hold no file, so Keras can neither read nor create one there."""


@contextmanager
def _own_variables() -> Iterator[None]:
    """Hide the user's variables from Keras within the context."""
    users = {
        name: value for name, value in os.environ.items() if name.startswith("KERAS_") or name == "TF_USE_LEGACY_KERAS"
    }
    ours = {"KERAS_BACKEND": BACKEND, "KERAS_HOME": _NOWHERE}
    for name in users:
        del os.environ[name]
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
        os.environ.update(users)


# oneDNN's shared cache may give a thread another's primitive, made for more scratch memory than the thread has. It then
# damages the heap (docs/decisions/0027-onednn-shares-no-primitives.md).
os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "0"
keep_memory()

with _own_variables():
    import keras
    import tensorflow as tf


def settle() -> None:
    """Set Keras's process-wide settings to those that our networks are trained with.

    Raises:
        MisuseError: The calling program has already imported Keras with another backend.
    """
    backend = keras.config.backend()
    if backend != BACKEND:
        raise MisuseError(
            f"Keras must run on {BACKEND}, but this program imported it with the backend '{backend}' before. "
            f"Set KERAS_BACKEND={BACKEND}, or use fewest in a process of its own."
        )
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    # TF32 has 10 bits of mantissa: on a GPU the same network would classify some samples differently.
    tf.config.experimental.enable_tensor_float_32_execution(False)


def _restore_home() -> None:
    """Restore Keras's usual folder for data sets; only its settings are ours."""
    from keras.src.backend import config

    if config._KERAS_DIR == _NOWHERE:
        home = os.path.expanduser("~")  # noqa: PTH111  # as Keras asks: "~" for a user who has none
        usual = Path(home if os.access(home, os.W_OK) else "/tmp", ".keras")
        config._KERAS_DIR = os.environ.get("KERAS_HOME", str(usual))


settle()
_restore_home()
