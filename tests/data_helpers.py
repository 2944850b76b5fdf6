"""Data in files: the same tiny samples, written in many formats, and loaded."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings

from fewest.search.data.loading import load
from fewest.search.data.samples import SealedTest, SearchData
from fewest.search.settings.config import DataConfig
from fewest.storage.errors import FewestError

FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

N = 60


def pixels(n: int = N, seed: int = 0, shape: tuple[int, ...] = (4, 5)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)


def labels(n: int = N) -> np.ndarray:
    return np.arange(n) % 3


def loaded(path: Path | str, **choice: Any) -> tuple[SearchData, SealedTest]:
    chosen = DataConfig(name=str(path), **choice)
    return load(str(path), validation="stratified", validation_share=0.2, seed=0, choice=chosen)


def as_idx(array: np.ndarray) -> bytes:
    kinds = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    start = struct.pack(f">BBBB{array.ndim}I", 0, 0, kinds[array.dtype.str[1:]], array.ndim, *array.shape)
    return start + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(folder: Path, part: str, x: np.ndarray, y: np.ndarray, end: str = "") -> Path:
    pack: Callable[[bytes], bytes] = gzip.compress if end else bytes
    (folder / f"{part}-labels-idx1-ubyte{end}").write_bytes(pack(as_idx(y.astype(np.uint8))))
    path = folder / f"{part}-images-idx3-ubyte{end}"
    path.write_bytes(pack(as_idx(x)))
    return path


def write_images(folder: Path, x: np.ndarray, y: np.ndarray, suffix: str = ".png") -> Path:
    from PIL import Image

    for index, (image, label) in enumerate(zip(x, y, strict=True)):
        path = folder / f"class {label}" / f"{index:04d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def write_image_parts(folder: Path, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> Path:
    write_images(folder / "it" / "Train", x, y)
    write_images(folder / "it" / "test", x_test, y_test)
    return folder / "it"


def refused_or_read(path: Path, **choice: Any) -> None:
    try:
        loaded(path, **choice)
    except FewestError as refused:
        assert "\n" not in str(refused) and refused.exit_status == 2
