"""A folder of images by class -> arrays: a folder for each class, perhaps within `train` and `test`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, listed, one_line
from fewest.search.data.held_out import require_no_test, split_off
from fewest.search.data.npz import Arrays
from fewest.search.data.pictures import IMAGE_SUFFIXES, decoded
from fewest.search.settings.config import DataConfig, shown

__all__ = ["n_images", "read_folder"]

PARTS: Final = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
"""Names of folders that are parts of a data set, not classes, and the parts."""

_OTHERS: Final = ("thumbs.db", "desktop.ini", "__macosx")
"""Files and folders that systems leave behind; as little seen as those whose name begins with a dot."""


@dataclass
class _Part:
    """The images of one part, in the order of classes and names."""

    paths: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def add(self, part: "_Part") -> None:
        self.paths += part.paths
        self.labels += part.labels
        self.others += part.others


def read_folder(path: Path, choice: DataConfig) -> Arrays:
    """Read a folder of images.

    The labels are the names of the classes' folders. Images of a validation part train or validate as the study's
    settings say, like those of the training part. Files of other kinds are left out, and said; hidden ones are not.

    Args:
        path: A folder.
        choice: The test images if the folder has no test part: a share of each class, or another folder's path.

    Raises:
        DataError: There is no image in a folder of a class, or an image cannot be used.
    """
    name = one_line(path.name)
    try:
        found = _parts_of(path)
        train = _part_in(found["train"])
        extra = _part_in(found["validation"]) if "validation" in found else _Part()
        train.add(extra)
        test = _Part()
        if "test" in found:
            require_no_test(choice, name)
            test = _part_in(found["test"])
        elif isinstance(choice.test, str):
            test = _part_in(_other_folder(choice.test, path))
    except OSError as error:
        raise DataError(f"The folder {shown(str(path))} cannot be read: {error.strerror}.") from error
    train.others += test.others
    if not test.paths and not isinstance(choice.test, str):
        kept, held_out = split_off(np.array(train.labels), choice.test, name)
        train, test = _chosen(train, kept), _chosen(train, held_out)
    return _decoded(train, test, name, {found["validation"].name: len(extra.paths)} if extra.paths else {})


def n_images(path: Path) -> int:
    """Count the training images of a folder; errors as for `read_folder`, and OSError."""
    return len(_part_in(_parts_of(path)["train"]).paths)


def _decoded(train: _Part, test: _Part, name: str, joined: Mapping[str, int]) -> Arrays:
    training = decoded(train.paths, name, n_more=len(test.paths))
    testing = decoded(test.paths, name, like=training)
    _, height, width, *_ = training.x.shape
    notes = [f"{len(train.paths) + len(test.paths):,} images of {width} x {height}, {training.kind}."]
    notes += [
        f"The {n:,} images in {one_line(folder)} join the training images, of which a share validates."
        for folder, n in joined.items()
    ]
    if n := training.n_transparent + testing.n_transparent:
        notes.append(f"{n:,} images have transparent pixels: these are put on white.")
    if n := training.n_coloured + testing.n_coloured:
        notes.append(f"{n:,} grey images are read as colour, as others are.")
    if train.others:
        notes.append(f"Left out as no images: {listed(train.others, 4)}.")
    return Arrays(training.x, np.array(train.labels), testing.x, np.array(test.labels), tuple(notes))


def _chosen(part: _Part, positions: NDArray[np.intp]) -> _Part:
    return _Part([part.paths[i] for i in positions], [part.labels[i] for i in positions], part.others)


def _entries(folder: Path) -> tuple[list[Path], list[str], list[str]]:
    """List what is in a folder by name: folders, the names of regular files, and other names."""
    folders, files, others = [], [], []
    with os.scandir(folder) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name.lower() in _OTHERS:
                continue
            if entry.is_dir():
                folders.append(folder / entry.name)
            elif entry.is_file():  # A pipe might never end.
                files.append(entry.name)
            else:
                others.append(entry.name)
    return folders, files, others


def _parts_of(path: Path) -> dict[str, Path]:
    """Find the parts; without any, the folder itself is the training part. A folder of images `train` is a class."""
    folders = _entries(path)[0]
    parts: dict[str, Path] = {}
    for folder in folders:
        part = PARTS.get(folder.name.lower())
        if part is None or part in parts or not _entries(folder)[0]:
            return {"train": path}
        parts[part] = folder
    return parts if "train" in parts else {"train": path}


def _part_in(path: Path) -> _Part:
    """Find the images of each class."""
    folders, files, others = _entries(path)
    if not folders:
        raise DataError(
            f"The folder {shown(str(path))} must hold a folder of images for each class, got no folders and "
            f"{len(files):,} files."
        )
    part = _Part(others=[*files, *others])
    for folder in folders:
        part.add(_class_in(folder))
    return part


def _class_in(folder: Path) -> _Part:
    folders, files, others = _entries(folder)
    images = [name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
    if folders:
        raise DataError(
            f"The folder {shown(str(folder))} must hold the images of one class, got a folder "
            f"{shown(folders[0].name)}. "
            "Only train, test and validation may hold folders of classes, without others beside."
        )
    if not images:
        raise DataError(
            f"The folder {shown(str(folder))} must hold images of its class ({_kinds()}), got none. "
            "Fill it or take it out."
        )
    others += [name for name in files if not name.lower().endswith(IMAGE_SUFFIXES)]
    return _Part([folder / name for name in images], [folder.name] * len(images), others)


def _kinds() -> str:
    return ", ".join(IMAGE_SUFFIXES[:3]) + ", ..."


def _other_folder(test: str, training: Path) -> Path:
    path = Path(test).expanduser()
    if not path.is_dir():
        raise DataError(f"The test images must be a folder or a share such as 0.2, got {shown(test)}.")
    if path.samefile(training):
        raise DataError(f"The test images must be others than the training images, got {shown(test)} for both.")
    return path
