"""An `.npz` or `.npy` file -> arrays, or one line that says what it is instead; and an `.npz` file written whole.

A data file is a stranger's: nothing in it is unpickled, and nothing is loaded that cannot fit into memory.
"""

import contextlib
import difflib
import errno
import io
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, reason
from fewest.search.data.scaling import Scaling
from fewest.search.settings.config import shown
from fewest.search.settings.spelling import setting
from fewest.storage.files.atomic import replacing

__all__ = [
    "ARRAY_NAMES",
    "Arrays",
    "array_length",
    "available_memory",
    "kind_of",
    "n_samples",
    "read_npy",
    "read_npz",
    "require_memory",
    "rounded_down",
    "write_npz",
]

T = TypeVar("T")

ARRAY_NAMES: Final = ("x_train", "y_train", "x_test", "y_test")

NAME_SETS: Final = (ARRAY_NAMES, ("x_train", "y_train"), ("x", "y"))
"""Names of the arrays that an archive may hold, in upper or lower case; the first set that is whole counts."""

MOST_HEADER_BYTES: Final = 10_000
"""Longest array header that is read; NumPy reads no longer one either, but only after it has loaded it."""

_LFS_POINTER: Final = b"version https://git-lfs.github.com/"

_ARRAY_START: Final = b"\x93NUMPY"

_STARTS: Final = {
    _ARRAY_START: "a single array",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"MATLAB 5.0": "a MATLAB file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF",
    b"\x00\x00\x08": "an IDX file, as MNIST was published",
    **{bytes([0x80, version]): "a pickle, which may run code and is never loaded" for version in (2, 3, 4, 5)},
}
"""What files begin with."""


class Arrays(NamedTuple):
    """The four arrays of a data set as its source gives them.

    Attributes:
        x_train: Training samples.
        y_train: Their labels.
        x_test: Test samples.
        y_test: Their labels.
        notes: What was found, in sentences for the user.
        scaling: What is done to the samples, if these are float32 as training takes them; None if that is to be found.
    """

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]
    notes: tuple[str, ...] = ()
    scaling: Scaling | None = None


def read_npz(path: Path) -> tuple[NDArray[Any], ...]:
    """Read the arrays of a regular file: `x_train`, `y_train`, `x_test` and `y_test`, or samples and labels alone.

    Returns:
        Four arrays, or two if the archive has no test part: samples and labels.

    Raises:
        DataError: The file cannot be opened, is no archive of these arrays, or does not fit into memory.
    """
    return _guarded(_read_archive, path, f"an .npz archive of {listed(ARRAY_NAMES)}", "numpy.savez")


def read_npy(path: Path) -> NDArray[Any]:
    """Read the single array of a regular file.

    Raises:
        DataError: The file cannot be opened, is no array of numbers or text, or does not fit into memory.
    """
    return _guarded(_read_single, path, "an array", "numpy.save")


def _guarded(read: Callable[[BinaryIO, Path], T], path: Path, what: str, writer: str) -> T:
    """Open a file and read it; whatever goes wrong is a `DataError`."""
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, about files written by Python 2
            return read(file, path)
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{shown(str(path))} does not fit into memory ({reason(error)}).") from error
    except Exception as error:  # bytes from a stranger may make the readers of ZIP and NumPy fail in any way
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # EINVAL: a seek to nowhere
            raise DataError(f"{shown(str(path))} cannot be read: {error.strerror}.") from error
        raise DataError(
            f"{shown(str(path))} must be {what}, but: {reason(error)}. "
            f"It may be truncated; write it again with `{writer}`."
        ) from error


def require_memory(n_bytes: int, name: str, n_rows: int | None = None) -> None:
    """Refuse a data set whose arrays do not fit into memory.

    Args:
        n_bytes: Bytes that they take.
        name: The data set's name, for the error.
        n_rows: Rows of which a sample can be taken; None if it cannot.

    Raises:
        DataError: Fewer are free.
    """
    available = available_memory()
    if n_bytes > available:
        fitting = rounded_down(0.9 * (n_rows or 0) * available / n_bytes)
        sample = ("Take a sample with ", setting("data.rows", fitting), ".")
        takes = "its inputs would" if n_rows else "its arrays say that they"
        raise DataError(
            f"{shown(name)} must fit into memory; {takes} take {n_bytes / 1e9:,.1f} GB, and "
            f"{available / 1e9:,.1f} GB are free. ",
            *(sample if fitting else ["Store fewer samples, or smaller types."]),
        )


def rounded_down(n: float) -> int:
    """Round a number down to two digits.

    >>> rounded_down(43_999.0), rounded_down(7), rounded_down(0.5)
    (43000, 7, 0)
    """
    digits: int = 10 ** max(0, len(str(int(n))) - 2)
    return int(n) // digits * digits


def n_samples(path: Path) -> int:
    """Return the number of training labels that an archive says it holds, without loading them.

    Raises:
        ValueError: It is no such archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            with archive.open(members[_chosen(list(members), path)[1]]) as member:
                return array_length(member)
    except (zipfile.BadZipFile, IndexError, NotImplementedError, EOFError, zlib.error) as error:
        raise ValueError(reason(error)) from error


def array_length(file: IO[bytes]) -> int:
    """Return the length of the first axis that an array's header says.

    Raises:
        ValueError: There is no such header, or no such axis.
    """
    start = io.BytesIO(file.read(MOST_HEADER_BYTES + 12))
    try:
        version = np.lib.format.read_magic(start)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return int(read(start)[0][0])
    except Exception as error:  # NumPy parses the header with Python's own parser, which fails in many ways
        raise ValueError(reason(error)) from error


def write_npz(path: Path, arrays: Arrays) -> None:
    """Write arrays whole or not at all, also when two processes write at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, suffix=".npz") as partial, partial.open("wb") as file:
        np.savez_compressed(file, **{name: getattr(arrays, name) for name in ARRAY_NAMES})


def _read_archive(file: BinaryIO, path: Path) -> tuple[NDArray[Any], ...]:
    start = file.read(512)
    if not start.startswith(b"PK") and not zipfile.is_zipfile(file):
        raise DataError(_no_archive(start, path))
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        names = _chosen(list(members), path)
        require_memory(sum(members[name].file_size for name in names), path.name)
        return tuple(_read_member(archive, members[name], name, path) for name in names)


def _read_single(file: BinaryIO, path: Path) -> NDArray[Any]:
    start = file.read(512)
    if not start.startswith(_ARRAY_START):
        raise DataError(f"{shown(str(path))} must be an array, got {kind_of(start)}; write it with `numpy.save`.")
    _require_header(start, "array", path)
    require_memory(path.stat().st_size, path.name)
    file.seek(0)
    return _read_array(file, "array", path)


def _no_archive(start: bytes, path: Path) -> str:
    if start.startswith(_LFS_POINTER):
        return (
            f"{shown(str(path))} must be an .npz archive, got a Git LFS pointer that stands for one; "
            "run `git lfs pull` to fetch it."
        )
    return (
        f"{shown(str(path))} must be an .npz archive of {listed(ARRAY_NAMES)}, got {kind_of(start)}; "
        "write the arrays with `numpy.savez`."
    )


def kind_of(start: bytes) -> str:
    """Name the kind of a file or a member by its first bytes."""
    if not start:
        return "an empty file"
    for known, kind in _STARTS.items():
        if start.startswith(known):
            return kind
    if start.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return "a web page"
    if not any(byte < 32 and byte not in b"\t\n\r\f" for byte in start):
        return "what looks like text (CSV?)"
    return "bytes of an unknown kind"


def _chosen(found: list[str], path: Path) -> tuple[str, ...]:
    """Return the names of the archive's arrays in our order: of four, or of samples and labels."""
    lower = {name.lower(): name for name in found} | {name: name for name in found}
    has_test = any(name in lower for name in ARRAY_NAMES[2:])  # Half a test part is a mistake.
    for names in NAME_SETS[: 1 if has_test else None]:
        if all(name in lower for name in names):
            return tuple(lower[name] for name in names)
    missing = [name for name in ARRAY_NAMES if name not in lower]
    known = [lower[name] for name in ARRAY_NAMES if name in lower]
    renames = [f"{old} to {new}" for new, old in _nearest(missing, [name for name in found if name not in known])]
    hint = f" Rename {listed(renames)}?" if renames else ""
    raise DataError(
        f"{shown(path.name)} must hold {listed(ARRAY_NAMES)}, or x and y alone; {listed(missing)} missing, it has "
        f"{listed(found) or 'no arrays at all'}.{hint}"
    )


def _nearest(missing: list[str], found: list[str]) -> list[tuple[str, str]]:
    """Pair each missing name with the most similar found one, ignoring case; each found one serves once."""
    likeness = {
        (new, old): difflib.SequenceMatcher(None, new, old.lower()).ratio() for new in missing for old in found[:1000]
    }
    pairs: dict[str, str] = {}
    for new, old in sorted(likeness, key=lambda pair: -likeness[pair]):
        if likeness[new, old] >= 0.6 and new not in pairs and old not in pairs.values():
            pairs[new] = old
    return [(new, pairs[new]) for new in missing if new in pairs]


def available_memory() -> int:
    """Bytes that the machine and its container can give; many where neither says, and NumPy's refusal decides."""
    available = [2**63]
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path("/proc/meminfo").read_text("ascii")
        available.append(int(text.split("MemAvailable:")[1].split()[0]) * 1024)
    with contextlib.suppress(OSError, ValueError):  # "max" is no number: no limit
        # The whole limit: what is used of it includes files that make way.
        available.append(int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    if len(available) == 1:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            available.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(available)


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, path: Path) -> NDArray[Any]:
    with archive.open(info) as member:
        _require_header(member.read(512), name, path)
    with archive.open(info) as member:
        return _read_array(member, name, path)


def _read_array(file: IO[bytes], name: str, path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"`{name}` in {shown(path.name)} must hold numbers or strings, got Python objects (never loaded); "
            "convert it with `.astype` to a plain type first."
        ) from error
    file.read(1)  # past the end: only then is the checksum of an archive's member compared
    if array.dtype.itemsize == 0:
        raise DataError(f"`{name}` in {shown(path.name)} must hold numbers or strings, got values of no bytes.")
    return array


def _require_header(start: bytes, name: str, path: Path) -> None:
    """Refuse a member that is no array, or whose header would fill the memory before anything is known of it."""
    if not start.startswith(_ARRAY_START):
        raise DataError(
            f"`{name}` in {shown(path.name)} must be an array, got {kind_of(start)}; write it with `numpy.savez`."
        )
    length = int.from_bytes(start[8:10] if start[6:7] == b"\1" else start[8:12], "little")
    if length > MOST_HEADER_BYTES:
        raise DataError(
            f"`{name}` in {shown(path.name)} must be a plain array, got one with a header of {length:,} bytes; "
            "convert it with `.astype` to a plain type first."
        )
