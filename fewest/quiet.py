"""Quiet imports: libraries print nothing where a user reads results and errors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_libraries"]


def quiet_libraries() -> None:
    """Import Keras, TensorFlow and Optuna without their greetings; their errors still raise.

    Raises:
        MisuseError: The calling program has already imported Keras with another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent_stderr():
        # TensorFlow's C++ part writes to stderr before any log level counts.
        from fewest.search.settings.keras_settings import tf
    import optuna

    tf.get_logger().setLevel("ERROR")
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Redirect file descriptor 2 to the null device within the context."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
