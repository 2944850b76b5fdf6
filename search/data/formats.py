"""The formats of arrays and images: which one a path has, and how it is read. Tables are read by `tables`."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from fewest.search.data import idx, image_folder, npy, npz
from fewest.search.data.errors import one_line
from fewest.search.data.held_out import require_no_test, share_asked, with_test_part
from fewest.search.data.npz import Arrays
from fewest.search.data.tables import is_table
from fewest.search.settings.config import DataConfig

__all__ = ["FORMATS_IN_WORDS", "Format", "format_of", "is_data_file"]

FORMATS_IN_WORDS: Final = (
    "a table (.csv, .parquet, ...), arrays (.npz, .npy), IDX files, or a folder of images by class"
)
"""What a path may lead to, for errors."""


class Format(NamedTuple):
    """How data other than tables are read.

    Attributes:
        read: Makes arrays of a path; errors as for `loading.load`.
        n_samples: Counts the samples of a path without reading them; raises OSError or ValueError.
        takes: The options of a data set that mean something here.
    """

    read: Callable[[Path, DataConfig], Arrays]
    n_samples: Callable[[Path], int]
    takes: tuple[str, ...] = ("test",)


def format_of(path: Path) -> Format:
    """Return the format of a path that is no table: a folder's or a file's; by default `.npz`."""
    if path.is_dir():
        images = idx.images_in(path)
        return _at(images, IDX) if images else FOLDER
    if idx.is_idx(path.name):
        return IDX
    return NPY if path.suffix.lower() == ".npy" else NPZ


def is_data_file(name: str) -> bool:
    """Say whether a file's name is that of data.

    >>> is_data_file("iris.csv"), is_data_file("x.NPY"), is_data_file("study.toml")
    (True, True, False)
    """
    return is_table(name) or name.lower().endswith((".npz", ".npy")) or idx.is_idx(name)


def _at(path: Path, format_: Format) -> Format:
    """Return the format for another path than the one that is asked for."""
    return Format(lambda _, choice: format_.read(path, choice), lambda _: format_.n_samples(path), format_.takes)


def _read_npz(path: Path, choice: DataConfig) -> Arrays:
    arrays, name = npz.read_npz(path), one_line(path.name)
    if len(arrays) == 2:
        return with_test_part(*arrays, share_asked(choice, name), name)
    require_no_test(choice, name)
    x_train, y_train, x_test, y_test = arrays
    return Arrays(x_train, y_train, x_test, y_test)


def _n_in_npy(path: Path) -> int:
    with path.open("rb") as file:
        return npz.array_length(file)


NPZ: Final = Format(_read_npz, npz.n_samples)

NPY: Final = Format(npy.read_pair, _n_in_npy, ("label", "test"))

IDX: Final = Format(idx.read_idx, idx.n_images)

FOLDER: Final = Format(image_folder.read_folder, image_folder.n_images)
