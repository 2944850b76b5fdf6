"""Bad files: each gets one line and exit status 2, and nothing is written."""

import gzip
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import command

from fewest.search.data import npz

Image = pytest.importorskip("PIL.Image")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

Y = np.arange(24) % 2
X = np.random.default_rng(0).integers(0, 256, (24, 4, 4)).astype(np.uint8)


def rows(header: str, *lines: str, n: int = 12) -> bytes:
    return "\n".join([header, *lines * n, ""]).encode()


GOOD = rows("x,z,y", "0.5,2.5,a", "1.5,0.25,b")


def numbered(line: str, n: int = 50) -> bytes:
    return "".join(line.format(i=i, half=i % 5 + 0.5, y="ab"[i % 2]) for i in range(n)).encode()


def file(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def archive(**arrays: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / "it.npz", **arrays)
        return folder / "it.npz"

    return write


def bomb(folder: Path) -> Path:
    """An archive of a few kilobytes whose array says that it has terabytes."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (24, 99), }".ljust(117) + b"\n"
    with zipfile.ZipFile(folder / "it.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in npz.ARRAY_NAMES:
            packed.writestr(f"{name}.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(99))
        packed.getinfo("x_train.npy").file_size = 2**50
    return folder / "it.npz"


def pair(x: bytes | np.ndarray, y: bytes | np.ndarray | None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for name, value in (("x.npy", x), ("y.npy", y)):
            if isinstance(value, bytes):
                (folder / name).write_bytes(value)
            elif value is not None:
                np.save(folder / name, value)
        return folder / "x.npy"

    return write


def idx(images: bytes | None, labels: bytes | None, name: str = "train-images-idx3-ubyte") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for file_name, content in ((name, images), ("train-labels-idx1-ubyte", labels)):
            if content is not None:
                (folder / file_name).write_bytes(content)
        return folder / name

    return write


IMAGES = struct.pack(">4I", 0x803, 24, 4, 4) + X.tobytes()
LABELS = struct.pack(">2I", 0x801, 24) + Y.astype(np.uint8).tobytes()


def images(change: Callable[[Path], Any] = lambda folder: None) -> Callable[[Path], Path]:
    """A folder of two classes of images, after a change."""

    def write(folder: Path) -> Path:
        root = folder / "it"
        for index, label in enumerate("ab" * 6):
            (root / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(X[index]).save(root / label / f"{index:02d}.png")
        change(root)
        return root

    return write


def saved(image: Any, name: str, **options: Any) -> Callable[[Path], Any]:
    return lambda root: image.save(root / "b" / name, **options)


def emptied(root: Path) -> None:
    for path in (root / "b").iterdir():
        path.unlink()


def parted(root: Path) -> None:
    """Make the folder one of two parts, the second of which has a class of its own."""
    for part, classes in (("train", "ab"), ("test", "bc")):
        for old, new in zip("ab", classes, strict=True):
            shutil.copytree(root / old, root / part / new)
    for old in "ab":
        shutil.rmtree(root / old)


def encrypted(folder: Path) -> Path:
    """A Parquet file with the mark of an encrypted footer."""
    path = cut(None)(folder)
    path.write_bytes(b"PARE" + path.read_bytes()[4:-4] + b"PARE")
    return path


def cut(kept: int | None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        parquet.write_table(pyarrow.table({"x": [1.5] * 9, "y": ["a"] * 9}), folder / "it.parquet")
        (folder / "it.parquet").write_bytes((folder / "it.parquet").read_bytes()[:kept])
        return folder / "it.parquet"

    return write


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "it.csv")
    return folder / "it.csv"


def made(folder: Path) -> Path:
    (folder / "it.csv").mkdir()
    return folder / "it.csv"


def forbidden(folder: Path) -> Path:
    file("it.csv", GOOD)(folder).chmod(0)
    return folder / "it.csv"


RED = Image.new("RGB", (4, 4), "red")

BAD: dict[str, tuple[Callable[[Path], Path], tuple[str, ...], str]] = {
    # Tables
    "no such file": (lambda folder: folder / "it.csv", (), "There is no file '"),
    "an empty file": (file("it.csv", b""), (), "'it.csv' must hold a table, got an empty file."),
    "a header only": (file("it.csv", b"x,y\n"), (), "must hold rows, got only the names of its columns."),
    "no header": (file("it.csv", rows("1,2,3", "4,5,6")), (), "must name its columns, got values: 1, 2, 3."),
    "a ragged row": (file("it.csv", GOOD + b"1,2\n"), (), "cannot be read as a table: Expected 3 columns, got 2."),
    "a name twice": (file("it.csv", rows("x,x,y", "1,2,a")), (), "must have names of their own, got x twice."),
    "a wrong label": (file("it.csv", GOOD), ("--label", "yy"), "got 'yy'; did you mean 'y'? It has x, z, y."),
    "a wrong column": (file("it.csv", GOOD), ("--ignore", "w"), "`--ignore` must name a column of it.csv, got 'w'"),
    "an empty column": (file("it.csv", rows("x,z,y", ",1,a", ",2,b")), (), "it has no value in any training row."),
    "text in numbers": (
        file("it.csv", b"x,y\n" + numbered("{i}.25,{y}\n").replace(b"\n7.25", b"\noops")),
        (),
        "it holds numbers but for 1 values such as 'oops'. Therefore mend them, or leave it out with `--ignore x`.",
    ),
    "row numbers": (file("it.csv", b"id,x,y\n" + numbered("{i},{half},{y}\n")), (), "it numbers its rows."),
    "free text": (file("it.csv", b"t,x,y\n" + numbered("a{i} b,{half},{y}\n")), (), "it holds text: "),
    "labels missing": (file("it.csv", GOOD + b"1,2,\n"), (), "must have a label, but column 'y' has none in 1 of 25"),
    "labels infinite": (file("it.csv", rows("x,y", "1,1", "2,inf")), (), "must hold classes, got numbers such as inf"),
    "labels as numbers": (file("it.csv", rows("x,y", "1,.5", "2,.25")), (), "must hold classes, got numbers such as 0"),
    "a row a class": (file("it.csv", b"x,y\n" + numbered("{half},c{i}\n")), (), "Is the column one of classes?"),
    "one class": (file("it.csv", rows("x,y", "1,a", "2,a")), (), "must hold at least 2 classes, got only a."),
    "infinite values": (
        file("it.csv", rows("x,y", "inf,a", "2,b")),
        (),
        "must hold finite numbers, got infinite ones.",
    ),
    "another encoding": (file("it.csv", GOOD.decode().encode("utf-32")), (), "must be text, got other bytes."),
    "no compressed file": (file("it.csv.gz", GOOD), (), "cannot be read as a table: "),
    "a cut compressed file": (file("it.csv.gz", gzip.compress(GOOD)[:-9]), (), "cannot be read as a table: "),
    "a cut Parquet file": (cut(200), (), "cannot be read as a table: Parquet magic bytes not found in footer"),
    "an encrypted Parquet file": (encrypted, (), "cannot be read as a table: "),
    "no ARFF": (
        file("it.arff", GOOD),
        (),
        "cannot be read as a table: line 1 must be a comment, @relation, @attribute",
    ),
    "ARFF without rows": (file("it.arff", b"@relation x\n@attribute y {a}\n"), (), "the line @data is missing"),
    "sparse ARFF": (file("it.arff", b"@attribute x real\n@attribute y {a}\n@data\n{0 1}\n"), (), "write all values."),
    "a ragged ARFF row": (
        file("it.arff", b"@attribute x real\n@data\n1,2\n"),
        (),
        "row 1 below @data must have 1 values, got 2",
    ),
    "no JSON": (file("it.jsonl", GOOD), (), "line 1 must be a JSON object and is no JSON."),
    "no object": (file("it.jsonl", b'{"x": 1}\n[1]\n'), (), "line 2 must be a JSON object, got another value."),
    "JSON of two types": (file("it.jsonl", b'{"x": 1}\n{"x": "a"}\n'), (), "column 'x' must hold values of one type"),
    "nested JSON": (
        file("it.jsonl", b'{"x": {"z": 1}, "y": 0}\n{"x": {"z": 2}, "y": 1}\n' * 9),
        (),
        "Column 'x' of it.jsonl cannot be an input: it holds values of the type dict.",
    ),
    # Arrays
    "a ZIP bomb": (bomb, (), "'it.npz' must fit into memory; its arrays "),
    "a pickle": (file("it.npz", pickle.dumps({"x": 1})), (), "got a pickle, which may run code and is never loaded"),
    "objects": (archive(x=np.array([{}] * 24, object), y=Y), (), "`x` in 'it.npz' must hold numbers or strings, got P"),
    "half a test part": (
        archive(x_train=X, y_train=Y, x_test=X),
        (),
        "y_test missing, it has x_train, y_train, x_test.",
    ),
    "another length": (archive(x=X, y=Y[:9]), (), "`x` and `y` of it.npz must be equally long, got 24 samples and 9"),
    "several ones a row": (
        archive(x=X, y=np.ones((24, 2))),
        (),
        "or one-hot rows with a single 1 and else 0, got othe",
    ),
    "NaN labels": (
        archive(x=X, y=np.where(Y, np.nan, 0)),
        (),
        "`y` of it.npz must hold classes, got numbers such as n",
    ),
    "labels of parts": (archive(x=X, y=Y + 0.5), (), "`y` of it.npz must hold classes, got numbers such as 0.5"),
    "millions of classes": (
        archive(x=np.zeros((10_000_000, 1), np.uint8), y=np.arange(10_000_000)),
        (),
        "`y_train` of it.npz must hold classes, got 10,000,000 different integers in 10,000,000 samples",
    ),
    "NaN values": (archive(x=np.full((24, 2), np.nan), y=Y), (), "must hold finite numbers, got "),
    "a test share too many": (
        archive(x_train=X, y_train=Y, x_test=X, y_test=Y),
        ("--test", "0.3"),
        "`data.test` is for data without test samples; it.npz has some of its own.",
    ),
    "no labels": (pair(X, Y), (), "`--label` must name the file with the labels of 'x.npy', such as `--label y.npy`."),
    "no file of labels": (pair(X, None), ("--label", "y.npy"), "got 'y.npy': no such file."),
    "a pickle in an array": (pair(pickle.dumps([1]), Y), ("--label", "y.npy"), "got a pickle, which may run code"),
    "objects in an array": (pair(np.array([{}], object), Y), ("--label", "y.npy"), "got Python objects (never loaded)"),
    "text for an array": (pair(b"1,2\n", Y), ("--label", "y.npy"), "must be an array, got what looks like text (CSV?)"),
    # IDX files
    "IDX without labels": (
        idx(IMAGES, None),
        (),
        "'train-labels-idx1-ubyte' must lie beside 'train-images-idx3-ubyte'",
    ),
    "cut IDX": (idx(IMAGES[:-1], LABELS), (), "must hold 384 bytes of values, got 383; is it damaged?"),
    "no IDX": (idx(b"<html>", LABELS), (), "'train-images-idx3-ubyte' must be an IDX file, got a web page."),
    "IDX bomb": (idx(struct.pack(">4I", 0x803, *[2**32 - 1] * 3), LABELS), (), "must fit into memory"),
    "IDX labels": (
        idx(LABELS, LABELS, "labels-idx1-ubyte"),
        (),
        "must be named by their images, such as train-images-",
    ),
    # Images
    "no folders": (
        lambda folder: images()(folder) / "a",
        (),
        "must hold a folder of images for each class, got no fol",
    ),
    "an empty class": (images(emptied), (), "b' must hold images of its class (.png, .jpg, .jpeg, ...), got none."),
    "a folder in a class": (images(lambda root: (root / "b" / "c").mkdir()), (), "of one class, got a folder 'c'."),
    "two sizes": (
        images(saved(Image.new("L", (5, 4)), "z.png")),
        (),
        "x 4 ('b/z.png'). Bring them to one size first, for example with Pillow's `ImageOps.fit`.",
    ),
    "no image": (
        images(lambda root: (root / "b/z.png").write_text("no")),
        (),
        "The image 'b/z.png' cannot be read: it",
    ),
    "a cut image": (
        images(lambda root: (root / "b/01.png").write_bytes((root / "b/01.png").read_bytes()[:50])),
        (),
        "The image 'b/01.png' cannot be read: ",
    ),
    "an animated image": (
        images(saved(RED, "z.gif", save_all=True, append_images=[Image.new("RGB", (4, 4), "blue")])),
        (),
        "The image 'b/z.gif' must be a single picture, got 2 frames. Save one of them.",
    ),
    "a CMYK image": (images(saved(RED.convert("CMYK"), "z.jpg")), (), "must be grey or RGB, got Pillow's mode CMYK."),
    "two depths": (
        images(lambda root: Image.fromarray(X[0].astype(np.uint16)).save(root / "b" / "z.png")),
        (),
        "must have as many bits, got grey and grey of 16 bits ('b/z.png').",
    ),
    "another class in the test": (
        images(parted),
        (),
        "must hold only labels that `y_train` holds, got c.",
    ),
    # Paths
    "a named pipe": (fifo, (), "got the named pipe '"),
    "a folder": (made, (), "must hold a folder of images for each class, got no folders and 0 files."),
    "no permission": (forbidden, (), "Permission denied"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gets_one_line_and_nothing_is_written(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    if case == "no permission" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    write, options, said = BAD[case]
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert command("run", path, *options, "--quiet", "--storage", f"sqlite:///{tmp_path}/studies.db") == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: ") and said in line
    assert line.endswith((".", "?"))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_table_is_long_enough() -> None:
    assert len(BAD) >= 40
