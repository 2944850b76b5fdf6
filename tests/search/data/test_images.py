"""Folders of images: grey or colour, transparent, in parts, among other files; and any bytes in one of them."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_helpers import FUZZ, N, labels, loaded, pixels, refused_or_read, write_image_parts, write_images
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.data import npz
from fewest.search.data.errors import DataError

Image = pytest.importorskip("PIL.Image")


def test_colour_images_have_three_channels_and_grey_ones_join_them(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "it", pixels(shape=(4, 5, 3)), labels())
    Image.fromarray(pixels(1)[0]).save(folder / "class 0" / "0000.png")
    data, _ = loaded(folder, test=0.1)
    assert data.input_shape == (4, 5, 3)
    assert data.notes == ("60 images of 5 x 4, colour.", "1 grey images are read as colour, as others are.")


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".tif", ".webp", ".PGM", ".jpg"])
def test_images_come_in_many_formats(suffix: str, tmp_path: Path) -> None:
    x = np.repeat(np.repeat(pixels(shape=(1, 1)), 4, 1), 5, 2)  # of one grey each: no format loses much
    data, _ = loaded(write_images(tmp_path / "it", x, labels(), suffix))
    assert data.input_shape in ((4, 5), (4, 5, 3))


def test_transparent_pixels_are_put_on_white(tmp_path: Path) -> None:
    x = np.zeros((N, 2, 2, 4), np.uint8)
    x[..., 0], x[:, 0, 0, 3], x[:, 1, 1, 3] = labels()[:, None, None] * 100, 255, 51
    data, _ = loaded(write_images(tmp_path / "it", x, labels()))
    assert data.notes[1] == "60 images have transparent pixels: these are put on white."
    assert sorted(np.unique(data.x_train[..., 1])) == [0, 204, 255]


def test_a_palette_of_greys_and_two_colours_are_grey(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    for index, path in enumerate(sorted(folder.glob("*/*.png"))):
        with Image.open(path) as image:
            changed = image.convert("1") if index % 2 else image.convert("P")
        changed.save(path)
    data, _ = loaded(folder)
    assert data.input_shape == (4, 5)


def test_images_of_sixteen_bits_keep_them(tmp_path: Path) -> None:
    x = pixels().astype(np.uint16) * 200
    data, _ = loaded(write_images(tmp_path / "it", x, labels()))
    assert data.x_train.max() > 40_000
    assert data.notes == ("60 images of 5 x 4, grey of 16 bits.",)


def test_a_validation_part_joins_the_training_images_and_is_said(tmp_path: Path) -> None:
    folder = write_image_parts(tmp_path, pixels(), labels(), pixels(9), labels(9))
    write_images(folder / "val", pixels(15, 5), labels(15))
    data, sealed = loaded(folder)
    assert (len(data.y_train) + len(data.y_validation), sealed.n_samples) == (75, 9)
    assert "The 15 images in val join the training images, of which a share validates." in data.notes


def test_another_folder_may_hold_the_test_images(tmp_path: Path) -> None:
    write_image_parts(tmp_path, pixels(), labels(), pixels(9), labels(9))
    _, sealed = loaded(tmp_path / "it" / "Train", test=str(tmp_path / "it" / "test"))
    assert sealed.n_samples == 9


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    (folder / "class 0").rename(folder / "train")
    assert loaded(folder)[0].n_classes == 3


def test_hidden_files_are_not_seen_and_other_files_are_said(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    for name in (".DS_Store", "class 0/Thumbs.db", "class 1/.hidden.png", "README.md", "class 2/notes.txt"):
        (folder / name).write_text("no image")
    (folder / ".cache").mkdir()
    os.mkfifo(folder / "class 0" / "pipe.png")
    data, _ = loaded(folder)
    assert data.notes[1] == "Left out as no images: README.md, pipe.png, notes.txt."


def test_images_that_cannot_fit_into_memory_are_refused_before(tmp_path: Path, monkeypatch: Any) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    monkeypatch.setattr(npz, "available_memory", lambda: 1_000)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(DataError, match=r"^'it' must fit into memory"):
        loaded(folder)


def test_pillow_is_asked_for_in_one_line(tmp_path: Path, monkeypatch: Any) -> None:
    folder = write_images(tmp_path / "it", pixels(), labels())
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(DataError, match=r"^Reading images needs 'PIL\.Image', .*\[images\]"):
        loaded(folder)


def encoded(suffix: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels(1)[0]).save(file, {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper()))
    return file.getvalue()


ENCODED = {suffix: encoded(suffix) for suffix in (".png", ".jpg", ".gif", ".bmp", ".tif", ".webp")}


@FUZZ
@given(
    suffix=st.sampled_from(list(ENCODED)),
    kept=st.integers(0, 400),
    put=st.binary(max_size=8),
    more=st.one_of(st.just(b""), st.binary(max_size=60)),
)
def test_any_bytes_in_an_image_are_data_or_one_line(
    tmp_path: Path, suffix: str, kept: int, put: bytes, more: bytes
) -> None:
    folder = tmp_path / "it"
    if not folder.exists():
        write_images(folder, pixels(12), labels(12))
    whole = ENCODED[suffix]
    path = folder / "class 0" / f"0000{suffix}"
    path.write_bytes(whole[:kept] + put + (more or whole[kept + len(put) :]))
    refused_or_read(folder)
    path.unlink()
