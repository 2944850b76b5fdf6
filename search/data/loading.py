"""A data set's name or a file's path -> what the search may see, and a sealed test set.

A name is that of one of scikit-learn's data sets, of one of Keras's, or `openml:NAME`. What was fetched is kept in the
user's cache folder and read from there from then on. A path leads to a table, arrays, IDX files or a folder of images
(see `formats`).

Pixels stay uint8 in memory and features float32: scaling is left to the network (see `training.network`), but for
features that float32 would spoil (see `scaling`). What anything is scaled by is measured on the training arrays alone.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.datasets import find
from fewest.search.data.errors import DataError, listed, one_line
from fewest.search.data.labels import flat_labels
from fewest.search.data.metrics import guessing
from fewest.search.data.npz import Arrays
from fewest.search.data.samples import Images, SealedTest, SearchData, TableInputs, TestData
from fewest.search.data.scaling import Features, features, pixels
from fewest.search.data.splitting import Validation, refuse_numbers, split
from fewest.search.settings.config import DataConfig, StudyConfig
from fewest.search.settings.seeds import split_seed
from fewest.storage.errors import MisuseError

__all__ = ["assembled", "load", "load_for"]

MOST_CLASSES: Final = 65_536
"""As many as the widest layer has neurons."""

_ANY_COLUMNS = DataConfig(name="any")

Number: TypeAlias = float | NDArray[np.float64]
"""One number for all features, or one for each."""


def load(
    name_or_path: str, *, validation: Validation, validation_share: float, seed: int, choice: DataConfig | None = None
) -> tuple[SearchData, SealedTest]:
    """Load a data set, set validation samples aside, and seal the test set.

    Images of any integer type with values in 0..255 are uint8 in memory and scaled by 1 / the brightest
    training pixel; any other numbers are float32 and standardised feature by feature with the training
    file's mean and standard deviation (a constant feature is only centred). The network does so, or the loader in
    float64 where float32 holds too little of a feature (see `SearchData`). Labels are whole numbers,
    booleans, text or one-hot rows (see `labels`); the classes are the sorted distinct labels of `y_train`.

    Args:
        name_or_path: One of `data_sets()`, `openml:NAME`, or a path. A name wins over a file or a folder called so.
        validation: `"stratified"` draws the same share of every class, shuffled by `seed`; `"tail"` takes the
            end of the training file in its own order and ignores `seed`. A table's groups or order overrule both.
        validation_share: Share of the training file that validates, above 0 and below 1.
        seed: What a stratified split is drawn from.
        choice: A table's labels and inputs, a pair of arrays' labels, what is the test part where there is none, and
            the metric; None for the last column, all others, a fifth of each class, and accuracy.

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
    choice = (choice or _ANY_COLUMNS).model_copy(
        update={"validation": validation, "validation_share": validation_share}
    )
    return assembled(*find(name_or_path, choice), choice, seed)


def assembled(
    file_name: str, arrays: Arrays, table: TableInputs | None, choice: DataConfig, seed: int
) -> tuple[SearchData, SealedTest]:
    """Check and scale four arrays, set validation samples aside, and seal the test set.

    Args:
        file_name: The data set's name.
        arrays: Its samples and labels.
        table: What was made of a table's columns; None for arrays.
        choice: How validation samples are chosen, and what accuracy means.
        seed: As for `load`.

    Raises:
        DataError: The arrays do not hold what they must.
    """
    name = one_line(file_name)
    x_train, x_test, (shift, divisor, scale, offset) = _as_features(arrays, name)
    y_train, y_test, classes, said = _as_classes(arrays.y_train, arrays.y_test, name)
    _require_same_length("train", x_train, y_train, name)
    _require_same_length("test", x_test, y_test, name)
    blocks = table.blocks if table else None
    hashed = (x_train, y_train, *_arrays(shift, divisor), *([blocks.ids] if blocks else []))
    with ThreadPoolExecutor(1) as thread:  # A hash lets other threads run.
        fingerprint = thread.submit(_fingerprint, *hashed)
        kept, held_out = split(y_train, classes, name, choice.validation, choice.validation_share, seed, blocks)
        x_kept, x_validation = _taken(x_train, kept), _taken(x_train, held_out)
    data = SearchData(
        name=file_name,
        x_train=x_kept,
        y_train=y_train[kept],
        x_validation=x_validation,
        y_validation=y_train[held_out],
        n_classes=len(classes),
        scale=scale,
        offset=offset,
        fingerprint=fingerprint.result(),
        shift=shift,
        divisor=divisor,
        table=table,
        metric=choice.metric,
        notes=(*arrays.notes, *said),
    )
    counts = np.bincount(y_test, minlength=len(classes)).tolist() if choice.metric == "balanced_accuracy" else ()
    return data, SealedTest(
        len(y_test), lambda: TestData(x_test, y_test), guessing(y_train, y_test), class_counts=tuple(counts)
    )


def _taken(x: Images, rows: slice | NDArray[np.intp]) -> Images:
    """Return samples; to take them takes a tenth of the time of indexing them by an array."""
    return x[rows] if isinstance(rows, slice) else x.take(rows, axis=0)


def load_for(config: StudyConfig) -> tuple[SearchData, SealedTest]:
    """Load a study's data, split as its settings say; errors as for `load`."""
    choice = config.data
    return load(
        choice.name,
        validation=choice.validation,
        validation_share=choice.validation_share,
        seed=split_seed(config.seed),
        choice=choice,
    )


def _as_features(arrays: Arrays, name: str) -> Features:
    """Convert both arrays to uint8 or both to float32; the training array alone decides."""
    x_train, x_test = arrays.x_train, arrays.x_test
    if arrays.scaling is not None:
        return Features(x_train, x_test, arrays.scaling)
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
        return pixels(x_train, x_test)
    return features(x_train, x_test, name)


def _holds_pixels(x: NDArray[Any]) -> bool:
    return x.dtype in (np.uint8, np.bool_) or (x.dtype.kind in "iu" and x.min() >= 0 and x.max() <= 255)


def _as_classes(
    y_train: NDArray[Any], y_test: NDArray[Any], name: str
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[Any], list[str]]:
    """Return labels as class numbers, the label of each class number, and sentences on how labels were written."""
    width, test_width = (y.shape[1] if y.ndim == 2 else 1 for y in (y_train, y_test))
    if width != test_width and min(width, test_width) > 1:
        raise DataError(f"One-hot labels of {name} must be equally wide, got {width} and {test_width} columns.")
    y_train, said = flat_labels(y_train, "y_train", name)
    y_test, _ = flat_labels(y_test, "y_test", name)
    if (y_train.dtype.kind in "US") != (y_test.dtype.kind in "US"):
        raise DataError(
            f"`y_train` and `y_test` of {name} must hold labels of one type, got {y_train.dtype} and {y_test.dtype}."
        )
    classes, train = np.unique(y_train, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"`y_train` of {name} must hold at least 2 classes, got only {one_line(classes[0])}.")
    if len(classes) > MOST_CLASSES:
        refuse_numbers(y_train, classes, name)
        raise DataError(
            f"`y_train` of {name} must hold at most {MOST_CLASSES:,} classes, got {len(classes):,}; group some of them."
        )
    unknown = np.setdiff1d(y_test, classes)
    if len(unknown):
        refuse_numbers(y_train, classes, name)
        raise DataError(
            f"`y_test` of {name} must hold only labels that `y_train` holds, "
            f"got {listed([str(label) for label in unknown[:5]])}{' and others' * (len(unknown) > 5)}."
        )
    return train.astype(np.int32), np.searchsorted(classes, y_test).astype(np.int32), classes, [said] * bool(said)


def _require_same_length(part: str, x: Images, y: NDArray[np.int32], name: str) -> None:
    if len(x) != len(y):
        raise DataError(
            f"`x_{part}` and `y_{part}` of {name} must be equally long, got {len(x):,} samples and {len(y):,} labels."
        )


def _fingerprint(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).data)
    return digest.hexdigest()


def _arrays(*values: Number) -> list[NDArray[np.float64]]:
    """Those that are arrays: a plain number says that nothing was done, and old fingerprints know nothing of it."""
    return [value for value in values if isinstance(value, np.ndarray)]
