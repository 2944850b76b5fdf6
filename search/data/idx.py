"""IDX files, as MNIST was published -> arrays. The path of the images or of their folder is enough to find them all.

The images lie in `train-images-idx3-ubyte`, their labels in `train-labels-idx1-ubyte`; those of the test begin with
`t10k` or `test` in place of `train`. Dots may stand for the hyphens before `idx`, and each file may be a `.gz`.

The format: two zero bytes, a byte for the type, a byte for the number of axes, each axis as a big-endian uint32, and
then the values, big-endian, the last axis first to change. See https://yann.lecun.com/exdb/mnist/.
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, one_line, reason
from fewest.search.data.held_out import require_no_test, share_asked, with_test_part
from fewest.search.data.npz import Arrays, kind_of, require_memory
from fewest.search.settings.config import DataConfig, shown

__all__ = ["images_in", "is_idx", "n_images", "read_idx"]

_IMAGES: Final = re.compile(r"(.*)images?([-.])(idx[2-9])-ubyte(?:\.gz)?", re.IGNORECASE)

_IDX: Final = re.compile(r".*[-.]idx\d-ubyte(?:\.gz)?", re.IGNORECASE)

TEST_NAMES: Final = ("t10k", "test")
"""What stands for `train` in the names of the test files."""

_TYPES: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class _Header(NamedTuple):
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)


def is_idx(name: str) -> bool:
    """Say whether a file's name is that of an IDX file.

    >>> is_idx("train-images-idx3-ubyte.gz"), is_idx("train-labels.idx1-ubyte"), is_idx("mnist.npz")
    (True, True, False)
    """
    return _IDX.fullmatch(name) is not None


def images_in(folder: Path) -> Path | None:
    """Return the file of training images in a folder; None if it has no IDX files.

    Raises:
        DataError: It has files of several data sets, or none of images.
    """
    names = sorted(path.name for path in folder.iterdir() if is_idx(path.name))
    if not names:
        return None
    images = [name for name in names if _IMAGES.fullmatch(name)]
    training = [name for name in images if "train" in name.lower()] or images
    plain = {name.removesuffix(".gz") for name in training}
    if len(plain) != 1:
        raise DataError(
            f"The folder {shown(str(folder))} must hold the images of one data set, got {listed(training or names)}. "
            "Name the file of the training images."
        )
    return folder / training[0]


def read_idx(path: Path, choice: DataConfig) -> Arrays:
    """Read images and the files beside them.

    Args:
        path: The file of the images.
        choice: The share of the test samples, if there are no files of them.

    Raises:
        DataError: A file is missing, damaged, or does not fit into memory.
    """
    name = one_line(path.name)
    found = _IMAGES.fullmatch(path.name)
    if not found:
        raise DataError(f"The data must be named by their images, such as train-images-idx3-ubyte, got {name}.")
    start, mark, axes = found.groups()
    labels = _labels(path, start, mark)
    for other in TEST_NAMES if "train" in start.lower() else ():
        test = re.sub("train", other, start, flags=re.IGNORECASE)
        images = _beside(path, f"{test}images{mark}{axes}-ubyte")
        if images:
            require_no_test(choice, name)
            return Arrays(*_read_all(name, path, labels, images, _labels(path, test, mark)))
    x, y = _read_all(name, path, labels)
    return with_test_part(x, y, share_asked(choice, name), name)


def n_images(path: Path) -> int:
    """Return the number of images that a file says it holds; errors as for `read_idx`."""
    return _header_of(path).shape[0]


def _beside(path: Path, name: str) -> Path | None:
    """Find a file beside another, compressed or not."""
    places = (path.with_name(name), path.with_name(f"{name}.gz"))
    return next((place for place in places if place.is_file()), None)


def _labels(path: Path, start: str, mark: str) -> Path:
    name = f"{start}labels{mark}idx1-ubyte"
    found = _beside(path, name)
    if not found:
        raise DataError(f"{shown(name)} must lie beside {shown(path.name)}, as it is or as .gz, and is missing.")
    return found


def _read_all(name: str, *paths: Path) -> list[Any]:
    """Read files that fit into memory together."""
    require_memory(sum(_header_of(path).n_bytes for path in paths), name)
    return [_read(path) for path in paths]


def _opened(path: Path) -> gzip.GzipFile | IO[bytes]:
    """Open a file, whether or not it is compressed: a suffix may have been lost."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


def _header_of(path: Path) -> _Header:
    try:
        with _opened(path) as file:
            return _header(file, path)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise _unreadable(path, error) from error


def _read(path: Path) -> NDArray[Any]:
    try:
        with _opened(path) as file:
            header = _header(file, path)
            content = file.read(header.n_bytes + 1)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise _unreadable(path, error) from error
    except (MemoryError, OverflowError) as error:
        raise DataError(f"{shown(str(path))} does not fit into memory ({reason(error)}).") from error
    if len(content) != header.n_bytes:
        more = "more" if len(content) > header.n_bytes else f"{len(content):,}"
        raise DataError(f"{shown(path.name)} must hold {header.n_bytes:,} bytes of values, got {more}; is it damaged?")
    return np.frombuffer(content, header.dtype).reshape(header.shape)


def _header(file: gzip.GzipFile | IO[bytes], path: Path) -> _Header:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not start[3]:
        raise DataError(f"{shown(path.name)} must be an IDX file, got {kind_of(start + file.read(508))}.")
    shape = struct.unpack(f">{start[3]}I", file.read(4 * start[3]))
    return _Header(np.dtype(_TYPES[start[2]]), shape)


def _unreadable(path: Path, error: BaseException) -> DataError:
    why = (error.strerror if isinstance(error, OSError) else None) or reason(error)
    return DataError(f"{shown(str(path))} cannot be read: {why}.")
