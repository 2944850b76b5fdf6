"""Features that are standardised at loading: what lies beside an exported file makes its inputs."""

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fewest.search.data.loading import load
from fewest.search.data.samples import SearchData
from fewest.search.data.samples import TestData as HeldOut
from fewest.search.export.export import FORMATS, export
from fewest.search.settings.config import DataConfig
from fewest.search.settings.space import Network
from fewest.search.training.network import build
from fewest.storage.errors import MisuseError

pytestmark = pytest.mark.slow

NAMES = {"keras": "a.keras", "tflite": "a.tflite", "tflite-int8": "a.int8.tflite", "onnx": "a.onnx"}


def features(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Two classes told apart by what float32 would lose of their features."""
    rng = np.random.default_rng(4)
    y = np.arange(400) % 2
    x = np.stack([y * 4.0, 1.0 - y * 4.0, 0 * y], 1) + rng.normal(size=(400, 3))
    if kind == "offset":
        return x + 1e9, y
    if kind == "tiny":
        return x * 1e-41, y
    if kind == "one of three":
        return x * [1e-3, 1, 1] + [1e9, 0, 5], y
    if kind == "whole numbers":
        return (x * 1000).astype(np.int64) + 2**60, y
    if kind == "images":
        return np.stack([x, x], 2) + 1e9, y
    return x, y


def loaded(kind: str, folder: Path) -> tuple[SearchData, HeldOut, np.ndarray]:
    """The data as a search sees them, and the test samples as the file holds them."""
    x, y = features(kind)
    path = folder / "mine.npz"
    np.savez(path, x_train=x[:300], y_train=y[:300], x_test=x[300:], y_test=y[300:])
    data, sealed = load(str(path), validation="stratified", validation_share=0.2, seed=0)
    return data, sealed.unseal(), x[300:]


def trained(data: SearchData) -> keras.Sequential:
    network = build(Network((4,), 1), data, "tanh")
    network.compile(optimizer=keras.optimizers.Adam(3e-2), loss="sparse_categorical_crossentropy")
    keras.utils.set_random_seed(3)
    network.fit(data.x_train, data.y_train, epochs=5, batch_size=32, verbose=0)
    return network


@pytest.mark.parametrize("kind", ["offset", "tiny", "one of three", "whole numbers", "images"])
def test_what_lies_beside_a_file_makes_its_inputs(kind: str, tmp_path: Path) -> None:
    """Whoever reads it gets the accuracy that the export found; plain float32 would not do."""
    data, test, raw = loaded(kind, tmp_path)
    network = trained(data)
    for fmt in NAMES if kind == "one of three" else ["onnx"]:
        report = export(network, fmt, tmp_path / NAMES[fmt], data, test, tolerance=0.05)
        assert report.accuracy_after > 0.9
        assert report.inputs == tmp_path / f"{NAMES[fmt]}.inputs.json"
        given = json.loads(report.inputs.read_text("utf-8"))
        wide = raw.astype(np.longdouble if raw.dtype == np.int64 else np.float64)
        inputs = ((wide - np.array(given["shift"])) / np.array(given["divisor"])).astype(np.float32)
        np.testing.assert_array_equal(inputs, test.x)
        labels = FORMATS[fmt].run(tmp_path / NAMES[fmt], inputs)
        assert np.mean(labels == test.y) == report.accuracy_after
        unmade = FORMATS[fmt].run(tmp_path / NAMES[fmt], raw.astype(np.float32))
        assert np.mean(unmade == test.y) < report.accuracy_after - 0.2
    assert given["input_shape"] == list(data.input_shape)
    assert np.broadcast_to(given["scale"], data.input_shape).shape == data.input_shape
    assert "(x - shift) / divisor" in given["about"]


def test_nothing_lies_beside_where_nothing_was_changed(tmp_path: Path) -> None:
    """A file that an export before has left does not describe this one."""
    data, test, _ = loaded("plain", tmp_path)
    (tmp_path / "a.onnx.inputs.json").write_text("older")
    (tmp_path / "b.onnx.inputs.json").write_text("another's")
    assert export(trained(data), "onnx", tmp_path / "a.onnx", data, test).inputs is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx.inputs.json", "mine.npz"]


def test_a_file_that_is_refused_leaves_nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, test, _ = loaded("offset", tmp_path)
    monkeypatch.setitem(FORMATS, "onnx", FORMATS["onnx"]._replace(run=lambda path, x: np.zeros(len(x), np.intp)))
    with pytest.raises(ValueError, match="must not lose more"):
        export(trained(data), "onnx", tmp_path / "a.onnx", data, test)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


def test_an_output_that_nothing_can_lie_beside_is_refused(tmp_path: Path) -> None:
    data, test, _ = loaded("offset", tmp_path)
    with pytest.raises(MisuseError, match=r"^'/dev/null' must be a regular file: .* Name a file with `--output`\.$"):
        export(trained(data), "onnx", "/dev/null", data, test)


def test_a_tables_rows_become_inputs_by_the_file_alone(tmp_path: Path) -> None:
    """Somebody with a CSV reader and a JSON reader, in any language, gets what the network was trained on."""
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    lines = ["size,on,colour,day,kind"]
    for row in range(90):
        size = "" if row % 11 == 5 else f"{rng.normal(3 * (row % 2)) + 1e9 * (row % 3 == 0):.3f}"
        colour = ("red", "blue", "")[rng.integers(3)]
        lines.append(
            f"{size},{('true', 'false')[row % 3 % 2]},{colour},2024-01-{1 + row % 30:02d},{('b', 'a')[row % 2]}"
        )
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("\n".join(lines[:70]))
    test.write_text("\n".join([lines[0], *lines[70:]]))
    choice = DataConfig(name=str(train), test=str(test))
    data, sealed = load(str(train), validation="stratified", validation_share=0.2, seed=0, choice=choice)
    report = export(build(Network((2,), 1), data, "relu"), "keras", tmp_path / "a.keras", data, sealed.unseal())
    assert report.inputs is not None
    given = json.loads(report.inputs.read_text("utf-8"))

    def number_of(row: dict[str, str], column: str, kind: str, value: Any) -> float:
        text = row[column]
        if kind == "missing":
            return float(text == "")
        if kind == "category":
            return float(text == (value or ""))
        if text == "":
            return float(value)
        if kind == "date":
            return (datetime.fromisoformat(text) - datetime(1970, 1, 1)).total_seconds()
        return float({"true": 1, "false": 0}.get(text, text))

    with test.open() as file:
        rows = list(csv.DictReader(file))
    x = np.array([[number_of(row, **rule) for rule in given["columns"]] for row in rows])
    inputs = ((x - np.array(given["shift"])) / np.array(given["divisor"])).astype(np.float32)
    np.testing.assert_array_equal(inputs, sealed.unseal().x)
    assert [given["classes"][label] for label in sealed.unseal().y] == [row["kind"] for row in rows]
