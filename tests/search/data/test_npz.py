"""A file that somebody calls a data set: what it is instead, in one line, and nothing of it run or loaded in vain."""

import io
import os
import pickle
import socket
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fewest.search.data import npz
from fewest.search.data.errors import DataError
from fewest.search.data.loading import load
from fewest.storage.errors import FewestError, MisuseError

FUZZ = settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])


def whole() -> bytes:
    """A tiny data set that nothing is wrong with, as its file."""
    rng, y = np.random.default_rng(0), np.arange(8) % 2
    file = io.BytesIO()
    np.savez(file, x_train=rng.normal(size=(8, 2)), y_train=y, x_test=np.ones((2, 2)), y_test=y[:2])
    return file.getvalue()


WHOLE = whole()


def npy(header: str, content: bytes = b"", version: int = 1, length: int | None = None) -> bytes:
    """A member with any header, and any length said of it."""
    said = len(header) if length is None else length
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<I", said)
        + header.encode()
        + content
    )


def zipped(folder: Path, **members: bytes) -> str:
    """The tiny data set with some members replaced by other bytes."""
    path = folder / "mine.npz"
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as changed:
        for name in npz.ARRAY_NAMES:
            changed.writestr(f"{name}.npy", members.get(name, archive.read(f"{name}.npy")))
    return str(path)


def written(folder: Path, content: bytes) -> str:
    path = folder / "mine.npz"
    path.write_bytes(content)
    return str(path)


def attempt(path: str) -> str:
    """The one line that refuses a file; nothing if it is data."""
    try:
        load(path, validation="stratified", validation_share=0.25, seed=0)
    except FewestError as error:
        assert type(error) in (DataError, MisuseError)
        assert str(error).isprintable()
        return str(error)
    return ""


# What a file is instead


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"a,b,c\n1,2,3\n", "what looks like text (CSV?)"),
        ("größe;länge\n1,2;3,4\n".encode("latin-1"), "what looks like text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "run `git lfs pull`"),
        (b"\n<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\x89PNG\r\n\x1a\n" + bytes(9), "a PNG image"),
        (b"\x1f\x8b\x08" + bytes(9), "a gzip file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(9), "an HDF5 file"),
        (b"PAR1" + bytes(9), "a Parquet file"),
        (b"\x00\x00\x08\x03" + bytes(9), "an IDX file"),
        (pickle.dumps({"x_train": 1}), "a pickle, which may run code"),
        (pickle.dumps([1], protocol=2), "a pickle"),
        (b"\x00\x01\x02\x03", "bytes of an unknown kind"),
        (b"PK\x03\x04 and no more", "may be truncated"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    line = attempt(written(tmp_path, content))
    assert said in line
    assert "unsafe" not in line and "allow_pickle" not in line
    assert ("truncated" in line) == (said == "may be truncated")


@pytest.mark.parametrize("content", [b"just text", b"", b"\x80\x04]", b"\x89PNG"])
def test_a_member_that_is_no_array_is_called_what_it_is(tmp_path: Path, content: bytes) -> None:
    assert attempt(zipped(tmp_path, y_train=content)).startswith("`y_train` in 'mine.npz' must be an array, got ")


def test_another_kind_of_zip_lists_some_of_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2000):
            archive.writestr(f"word/{number}\n.xml", "")
    line = attempt(str(path))
    assert "1,992 more" in line and len(line) < 400


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("xtrain", "ytrain", "xtest", "ytest"), "xtrain to x_train, ytrain to y_train, xtest to x_test, ytest to"),
        (("Ytrain", "x_train", "x_test", "y_test"), "Rename Ytrain to y_train?"),
        (("X_train", "y_train", "x_test"), "y_test missing, it has X_train, y_train, x_test."),
        (("images", "labels"), "it has images, labels."),
    ],
)
def test_each_missing_name_gets_a_name_of_its_own(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    np.savez(tmp_path / "mine.npz", **dict.fromkeys(names, np.zeros(3)))
    line = attempt(str(tmp_path / "mine.npz"))
    assert said in line


# What would fill the memory


def test_more_than_fits_memory_is_refused_before_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "available_memory", lambda: 999_999)
    bomb = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000, 1000), }\n", bytes(1_000_000))
    path = zipped(tmp_path, x_train=bomb)
    assert Path(path).stat().st_size < 9_000
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("loaded"))
    assert "must fit into memory" in attempt(path)


def test_this_machine_says_how_much_memory_is_free() -> None:
    assert 1e6 < npz.available_memory() <= 2**63


FLAT = "{'descr': '<f8', 'fortran_order': False, 'shape': (8,), }\n"

HEADERS = {
    "shape": "{'descr': '<f8', 'fortran_order': False, 'shape': (9000000000000,), }\n",
    "negative": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2), }\n",
    "beyond int64": "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }\n",
    "no bytes": "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000000,), }\n",
    "no type": "{'descr': 'nonsense', 'fortran_order': False, 'shape': (8,), }\n",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (8,), }\n",
    "nested": "(" * 5000,
    "structured": "{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (8,), }\n",
    "code": "__import__('os').abort()\n",
}


@pytest.mark.parametrize("member", npz.ARRAY_NAMES)
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_that_lies_is_one_line(tmp_path: Path, member: str, header: str) -> None:
    assert attempt(zipped(tmp_path, **{member: npy(header, bytes(64))}))


@pytest.mark.parametrize("version", [2, 3, 77])
def test_a_huge_header_is_not_read(tmp_path: Path, version: int) -> None:
    path = zipped(tmp_path, x_train=npy(" " * 50_000, version=version, length=2**32 - 1))
    assert "header of 4,294,967,295 bytes" in attempt(path)


def test_a_damaged_last_byte_is_noticed(tmp_path: Path) -> None:
    content = bytearray(WHOLE)
    content[content.find(b"PK\x03\x04", 4) - 1] ^= 255  # the last byte of `x_train`
    assert "Bad CRC-32" in attempt(written(tmp_path, bytes(content)))


# Where a path leads


@pytest.mark.parametrize(
    "path", ["x" * 300, "x" * 300 + ".npz", "~nosuchuser/a.npz", "a\0b.npz", "\ud83c.npz", "two\nlines", "a\x7f/b.npz"]
)
def test_a_path_that_leads_nowhere_is_misuse(path: str) -> None:
    with pytest.raises(MisuseError) as caught:
        load(path, validation="tail", validation_share=0.25, seed=0)
    assert str(caught.value).isprintable()


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    os.mkfifo("pipe.npz")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "link.npz").symlink_to("pipe.npz")
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.npz")
        kinds = {"pipe": "named pipe", "folder": "folder", "link": "named pipe", "socket": "socket", "loop": "Too many"}
        for name, kind in kinds.items():
            assert kind in attempt(f"{name}.npz")
    assert "the device '/dev/zero'" in attempt("/dev/zero")


@pytest.mark.parametrize(
    "name", ["🎉.npz", "a\"b'c.npz", "back\\slash.npz", "two\nlines.npz", "del\x7f.npz", "\udcff.npz"]
)
def test_a_file_of_any_name_is_read_and_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.npz"
    path.write_bytes(WHOLE)
    assert attempt(str(path)) == ""
    path.write_bytes(Path(zipped(tmp_path, x_train=npy(FLAT, bytes(64)))).read_bytes())
    assert "`x_train`" in attempt(str(path))


def test_no_permission_is_not_called_truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, WHOLE)
    for method in ("open", "stat"):  # the file's own permission, and its folder's
        with monkeypatch.context() as patch:
            patch.setattr(Path, method, denied)
            assert attempt(path).endswith("cannot be read: Permission denied.")


def test_a_failing_disk_is_not_called_truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise OSError(5, "Input/output error")

    path = written(tmp_path, WHOLE)
    monkeypatch.setattr(zipfile.ZipExtFile, "read", failing)
    assert attempt(path).endswith("cannot be read: Input/output error.")


# Any bytes


@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes_are_one_line(tmp_path: Path, content: bytes) -> None:
    assert attempt(written(tmp_path, content))


@FUZZ
@given(changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_file_with_any_bytes_changed_is_data_or_one_line(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(WHOLE)
    for position, byte in changes:
        content[position] = byte
    attempt(written(tmp_path, bytes(content)))


@FUZZ
@given(st.sampled_from(npz.ARRAY_NAMES), st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_an_array_with_any_bytes_changed_is_data_or_one_line(tmp_path: Path, name: str, at: int, put: bytes) -> None:
    """Unlike above, the checksums are right."""
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        member = archive.read(f"{name}.npy")
    attempt(zipped(tmp_path, **{name: member[:at] + put + member[at + len(put) :]}))


@FUZZ
@given(
    name=st.sampled_from(npz.ARRAY_NAMES),
    descr=st.sampled_from(
        ["<f2", ">f4", "<f8", "<f16", "<c8", "|b1", "|i1", "<u8", "<M8[s]", "<m8", "|S3", "<U2", "|V4"]
    ),
    shape=st.lists(st.integers(0, 9), max_size=4),
    content=st.binary(max_size=64),
)
def test_arrays_of_any_type_and_shape_are_data_or_one_line(
    tmp_path: Path, name: str, descr: str, shape: list[int], content: bytes
) -> None:
    n_bytes = int(np.dtype(descr).itemsize * np.prod(shape, dtype=int))
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}\n"
    attempt(zipped(tmp_path, **{name: npy(header, (content + bytes(n_bytes))[:n_bytes])}))
