"""Image files -> one array of pixels; Pillow decodes them.

Grey images have no axis of channels, colour images have three: red, green, blue. Transparent pixels are put on white.
What the training images are, the test images must be: the first training image says the size, and grey images among
colour ones become colour.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError, reason
from fewest.search.data.npz import require_memory
from fewest.search.settings.config import shown
from fewest.storage import extras

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["IMAGE_SUFFIXES", "Pictures", "decoded"]

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")

FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""Pillow's names of the formats that it may open; it knows many more, which no data set needs."""

GREY, DEEP, COLOUR = "grey", "grey of 16 bits", "colour"

_KINDS: Final = {"L": GREY, "I;16": DEEP, "RGB": COLOUR}


@dataclass
class Pictures:
    """Decoded images.

    Attributes:
        x: uint8 `(images, height, width)` or `(images, height, width, 3)`; uint16 for 16 bits.
        kind: What the images are, in words.
        n_transparent: Images with transparent pixels.
        n_coloured: Grey images that became colour.
    """

    x: NDArray[Any]
    kind: str
    n_transparent: int = 0
    n_coloured: int = 0


class _InColourError(Exception):
    """A colour image among grey ones."""


def decoded(paths: Sequence[Path], name: str, like: Pictures | None = None, n_more: int = 0) -> Pictures:
    """Decode images of one size.

    Args:
        paths: Regular files, at least one.
        name: The data set's name, for errors.
        like: The training images, whose size and kind these must have; None for the training images themselves.
        n_more: Images that are decoded later, which must fit into memory, too.

    Raises:
        DataError: Pillow is missing, or an image is damaged, animated, of another size or kind, or too large.
    """
    library = extras.load("PIL.Image", "images", DataError, what="Reading images")
    kind = like.kind if like else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about faults that it mends
        warnings.simplefilter("error", library.DecompressionBombWarning)
        try:
            return _filled(library, paths, name, like, kind, n_more)
        except _InColourError as error:
            if like:
                raise DataError(f"The training images of {name} are {kind}, so {error} must not be colour.") from None
            return _filled(library, paths, name, None, COLOUR, n_more)


def _filled(
    library: ModuleType, paths: Sequence[Path], name: str, like: Pictures | None, kind: str, n_more: int
) -> Pictures:
    """Decode all images into one array; the first one says size and kind where nothing else does."""
    found: Pictures | None = None
    size = None if like is None else (like.x.shape[2], like.x.shape[1], "the training images")
    for index, path in enumerate(paths):
        with _opened(library, path) as image:
            size = size or (*image.size, _short(path))
            _require_size(image, size, path, name)
            if found is None:
                channels = {COLOUR: 3, DEEP: 2}.get(kind or _KINDS.get(image.mode, GREY), 1)
                require_memory(channels * size[0] * size[1] * (len(paths) + n_more), name)
            pixels, transparent = _pixels(image, path)
            if found is None:
                kind = kind or _kind_of(pixels)
                shape = (len(paths), size[1], size[0], *((3,) if kind == COLOUR else ()))
                found = Pictures(np.empty(shape, np.uint16 if kind == DEEP else np.uint8), kind)
            found.n_transparent += transparent
            found.x[index] = _alike(pixels, found, path, name)
    assert found
    return found


def _require_size(image: "Image.Image", size: tuple[int, int, str], path: Path, name: str) -> None:
    if image.size != size[:2]:
        raise DataError(
            f"All images of {name} must have one size, got {size[0]} x {size[1]} ({size[2]}) and {image.width} x "
            f"{image.height} ({_short(path)}). Bring them to one size first, for example with Pillow's `ImageOps.fit`."
        )


def _alike(pixels: NDArray[Any], found: Pictures, path: Path, name: str) -> NDArray[Any]:
    """Return pixels as the other images have them."""
    kind = _kind_of(pixels)
    if kind == found.kind:
        return pixels
    if DEEP in (kind, found.kind):
        raise DataError(f"All images of {name} must have as many bits, got {found.kind} and {kind} ({_short(path)}).")
    if kind == COLOUR:
        raise _InColourError(_short(path))
    found.n_coloured += 1
    return pixels[..., None]  # NumPy repeats it


def _kind_of(pixels: NDArray[Any]) -> str:
    return COLOUR if pixels.ndim == 3 else DEEP if pixels.dtype.itemsize == 2 else GREY


@contextmanager
def _opened(library: ModuleType, path: Path) -> "Iterator[Image.Image]":
    """Open an image; whatever fails while it is open is the image's fault."""
    try:
        with library.open(path, formats=FORMATS) as image:
            yield image
    except (DataError, _InColourError):
        raise
    except MemoryError as error:
        raise DataError(f"The image {_short(path)} does not fit into memory ({reason(error)}).") from error
    except Exception as error:  # bytes from a stranger may make Pillow fail in any way
        why = (error.strerror if isinstance(error, OSError) else None) or reason(error)
        if type(error).__name__ == "UnidentifiedImageError":
            why = "it is none, or of a kind that is not read"
        raise DataError(f"The image {_short(path)} cannot be read: {why[:200]}. Mend it or take it out.") from error


def _pixels(image: "Image.Image", path: Path) -> tuple[NDArray[Any], bool]:
    """Return the pixels of an image, and whether some were transparent."""
    if getattr(image, "is_animated", False) and image.format != "MPO":
        n_frames = getattr(image, "n_frames", 2)
        raise DataError(f"The image {_short(path)} must be a single picture, got {n_frames} frames. Save one of them.")
    if image.mode in _KINDS and "transparency" not in image.info:
        return np.asarray(image), False
    if image.mode == "1" and "transparency" not in image.info:
        return np.asarray(image.convert("L")), False
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise DataError(
            f"The image {_short(path)} must be grey or RGB, got Pillow's mode {image.mode}. Convert it, for example "
            "with Pillow's `convert('RGB')`."
        )
    return _on_white(image.convert("RGBA"), path)


def _on_white(image: "Image.Image", path: Path) -> tuple[NDArray[Any], bool]:
    """Put transparent pixels on white; an image of greys alone becomes grey."""
    rgba = np.asarray(image)
    rgb, alpha = rgba[..., :3], rgba[..., 3:].astype(np.uint16)
    transparent = bool((alpha < 255).any())
    if transparent:
        rgb = ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    grey = (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all()
    return (rgb[..., 0] if grey else rgb), transparent


def _short(path: Path) -> str:
    """Return an image's path from the folder of its class on."""
    return shown(str(Path(path.parent.name) / path.name))
