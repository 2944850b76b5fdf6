"""Exported files: run by their own runtimes they give the network's labels, and a bad one never appears."""

import importlib
import json
import sys
import zipfile
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fewest.search.data.loading import load
from fewest.search.data.samples import SearchData
from fewest.search.data.samples import TestData as HeldOut
from fewest.search.export.export import FORMATS, ExportError, ExportReport, export, format_of
from fewest.search.settings.space import Network
from fewest.search.training.network import build
from fewest.storage.errors import FewestError, MisuseError

ARCHITECTURES = {"depth0": (), "depth1": (12,), "depth2": (16, 10)}
ACTIVATIONS = {"depth0": "relu", "depth1": "relu", "depth2": "tanh"}
FILES = {
    "keras": "network.keras",
    "tflite": "network.tflite",
    "tflite-int8": "network.int8.tflite",
    "onnx": "network.onnx",
}


@pytest.fixture(scope="session")
def digits() -> tuple[SearchData, HeldOut]:
    data, sealed = load("digits", validation="stratified", validation_share=0.15, seed=0)
    return data, sealed.unseal()


def trained(widths: tuple[int, ...], data: SearchData, activation: str, epochs: int = 12) -> keras.Sequential:
    network = build(Network(widths, 4), data, activation)
    network.compile(optimizer=keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy")
    keras.utils.set_random_seed(3)
    network.fit(data.x_train, data.y_train, epochs=epochs, batch_size=64, verbose=0)
    return network


@pytest.fixture(scope="session", params=list(ARCHITECTURES))
def network(request: pytest.FixtureRequest, digits: tuple[SearchData, HeldOut]) -> keras.Sequential:
    return trained(ARCHITECTURES[request.param], digits[0], ACTIVATIONS[request.param])


@pytest.fixture(scope="session")
def small(digits: tuple[SearchData, HeldOut]) -> keras.Sequential:
    """Barely trained: for tests that ask nothing of its accuracy."""
    return trained((4,), digits[0], "sigmoid", epochs=3)


@pytest.fixture(scope="session")
def mixed() -> tuple[keras.Sequential, SearchData, HeldOut]:
    """A network on float32 features whose sizes differ by seven orders of magnitude."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 900).astype(np.int32)
    centres = np.array([[-2, 0, 1, 0], [2, 1, 0, 0], [0, -2, -2, 0]])
    spread = centres[y] + 0.5 * rng.normal(size=(900, 4))
    x = (spread * [1e-3, 1, 1e4, 7] + [0, 5, -1e5, 1]).astype(np.float32)
    scale = 1 / x.std(axis=0)
    offset = -x.mean(axis=0) * scale
    data = SearchData("mixed", x[:600], y[:600], x[600:700], y[600:700], 3, scale, offset, "0" * 64)
    return trained((6,), data, "relu"), data, HeldOut(x[700:], y[700:])


def probabilities(path: Path, x: np.ndarray) -> np.ndarray:
    """What the file's own runtime says, by other calls than the code under test makes."""
    if path.suffix == ".keras":
        return keras.models.load_model(path).predict(x, verbose=0)
    if path.suffix == ".onnx":
        session = importlib.import_module("onnxruntime").InferenceSession(
            path.read_bytes(), providers=["CPUExecutionProvider"]
        )
        return session.run(["probabilities"], {"sample": x})[0]
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=path.read_bytes())
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert source["dtype"] == x.dtype
    rows = []
    for sample in x:
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target["index"])[0])
    stored = np.array(rows)
    if stored.dtype == np.int8:
        scale, zero_point = target["quantization"]
        assert (scale, zero_point) == (1 / 256, -128)
        return (stored.astype(np.float32) - zero_point) * scale
    return stored


def refusal(error: type[FewestError], *arguments: Any, **options: Any) -> str:
    """The one line that refuses an export."""
    with pytest.raises(error) as caught:
        export(*arguments, **options)
    assert type(caught.value) is error
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


class TestEveryFormat:
    @pytest.mark.parametrize("fmt", FILES)
    def test_file_gives_the_networks_labels(
        self, fmt: str, network: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        """Float formats label every sample alike; INT8 all but a few close calls, counted truly."""
        data, test = digits
        path = tmp_path / FILES[fmt]
        report = export(network, fmt, path, data, test)
        expected = network.predict(test.x, verbose=0)
        found = probabilities(path, test.x)
        changed = int(np.sum(found.argmax(1) != expected.argmax(1)))
        assert report.labels_changed == changed
        assert changed <= (0.01 * len(test.y) if fmt == "tflite-int8" else 0)
        assert report.accuracy_after == np.mean(found.argmax(1) == test.y)
        assert report.accuracy_before == np.mean(expected.argmax(1) == test.y) > 0.9
        np.testing.assert_allclose(found, expected, atol=0.15 if fmt == "tflite-int8" else 1e-5)

    @pytest.mark.parametrize("fmt", FILES)
    def test_report_describes_the_file(
        self, fmt: str, small: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        path = tmp_path / FILES[fmt]
        report = export(small, None, str(path), *digits, tolerance=1.0)
        assert (report.path, report.format) == (path, fmt)
        assert report.bytes == path.stat().st_size
        assert report.parameters == 64 * 4 + 4 + 4 * 10 + 10
        assert [file.name for file in tmp_path.iterdir()] == [path.name]
        with pytest.raises(FrozenInstanceError):
            report.bytes = 0  # type: ignore[misc]  # that it is frozen is what is tested

    @pytest.mark.parametrize("fmt", ["tflite", "tflite-int8", "onnx"])
    def test_same_network_gives_the_same_bytes(
        self, fmt: str, small: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        contents = []
        for folder in ("first", "second"):
            (tmp_path / folder).mkdir()
            path = tmp_path / folder / FILES[fmt]
            export(small, fmt, path, *digits, tolerance=1.0)
            contents.append(path.read_bytes())
        assert contents[0] == contents[1]

    @pytest.mark.parametrize("fmt", FILES)
    def test_conversion_is_silent(
        self,
        fmt: str,
        small: keras.Sequential,
        digits: tuple[SearchData, HeldOut],
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        export(small, fmt, tmp_path / FILES[fmt], *digits, tolerance=1.0)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("fmt", FILES)
    def test_raw_float_features_go_in(
        self, fmt: str, mixed: tuple[keras.Sequential, SearchData, HeldOut], tmp_path: Path
    ) -> None:
        """Features of very different sizes are standardised inside the file, INT8 included."""
        network, data, test = mixed
        report = export(network, fmt, tmp_path / FILES[fmt], data, test)
        assert report.accuracy_after > 0.95
        assert report.labels_changed <= (2 if fmt == "tflite-int8" else 0)
        found = probabilities(tmp_path / FILES[fmt], test.x).argmax(1)
        assert np.mean(found == test.y) == report.accuracy_after

    def test_every_format_is_covered(self) -> None:
        assert set(FILES) == set(FORMATS)
        assert {fmt: format_of(name) for fmt, name in FILES.items()} == {fmt: fmt for fmt in FILES}


class TestInt8:
    def test_uses_integers_throughout(
        self, small: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        """Raw uint8 pixels stand for themselves, and no tensor is float."""
        export(small, "tflite-int8", tmp_path / "q.tflite", *digits, tolerance=1.0)
        interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(
            model_content=(tmp_path / "q.tflite").read_bytes()
        )
        assert interpreter.get_input_details()[0]["quantization"] == (1.0, 0)
        kinds = {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()}
        assert kinds <= {"uint8", "int8", "int32"}

    def test_calibrates_on_training_samples_only(
        self, small: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        """Other validation and test samples leave every byte as it was; other training samples do not."""
        data, test = digits
        other = replace(data, x_validation=data.x_validation * 0)
        dark = replace(data, x_train=data.x_train // 4)
        contents = []
        for index, (given, scored) in enumerate([(data, test), (other, HeldOut(test.x[:5], test.y[:5])), (dark, test)]):
            path = tmp_path / f"{index}.tflite"
            export(small, "tflite-int8", path, given, scored, tolerance=1.0)
            contents.append(path.read_bytes())
        assert contents[0] == contents[1] != contents[2]

    def test_a_dead_layer_is_no_division_by_zero(self, digits: tuple[SearchData, HeldOut], tmp_path: Path) -> None:
        network = build(Network((4,), 0), digits[0], "relu")
        network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
        report = export(network, "tflite-int8", tmp_path / "dead.tflite", *digits)
        assert report.labels_changed == 0


class TestKeras:
    def test_holds_neither_optimizer_nor_our_classes(
        self, small: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        export(small, "keras", tmp_path / "stock.keras", *digits)
        with zipfile.ZipFile(tmp_path / "stock.keras") as archive:
            config = archive.read("config.json").decode()
        assert json.loads(config)["compile_config"] == {}
        assert "search." not in config
        assert small.optimizer is not None


class TestRefusals:
    @pytest.mark.parametrize("fmt", FILES)
    def test_a_loss_above_the_tolerance_leaves_no_file(
        self,
        fmt: str,
        small: keras.Sequential,
        digits: tuple[SearchData, HeldOut],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A file that labels everything 0 is refused, and what stood under its name stays."""
        wrong = FORMATS[fmt]._replace(run=lambda path, x: np.zeros(len(x), np.intp))
        monkeypatch.setitem(FORMATS, fmt, wrong)
        path = tmp_path / FILES[fmt]
        path.write_text("older")
        message = refusal(ExportError, small, fmt, path, *digits, tolerance=0.01)
        assert message.startswith(f"An exported file must not lose more than 0.01 test accuracy; as {fmt} it fell")
        assert [file.name for file in tmp_path.iterdir()] == [path.name]
        assert path.read_text() == "older"

    def test_tolerance_counts_real_quantisation_loss(self, digits: tuple[SearchData, HeldOut], tmp_path: Path) -> None:
        """One kernel value far above the others leaves INT8 no steps for them."""
        network = trained((), digits[0], "relu")
        kernel, bias = network.get_weights()
        kernel[0, 0] = 1e4  # a pixel that is always dark
        network.set_weights([kernel, bias])
        assert export(network, "tflite", tmp_path / "f.tflite", *digits).labels_changed == 0
        refusal(ExportError, network, "tflite-int8", tmp_path / "q.tflite", *digits)
        report = export(network, "tflite-int8", tmp_path / "q.tflite", *digits, tolerance=1.0)
        assert report.accuracy_after < report.accuracy_before - 0.005

    @pytest.mark.parametrize("tolerance", [-0.1, 1.1, float("nan")])
    def test_tolerance_out_of_range(
        self, tolerance: float, small: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        message = refusal(MisuseError, small, "onnx", tmp_path / "a.onnx", *digits, tolerance=tolerance)
        assert message == f"`tolerance` must be from 0 to 1, got {tolerance}."

    @pytest.mark.parametrize("fmt", FILES)
    @pytest.mark.parametrize("obstacle", ["no folder", "folder is a file", "is a folder"])
    def test_unwritable_path(
        self,
        fmt: str,
        obstacle: str,
        small: keras.Sequential,
        digits: tuple[SearchData, HeldOut],
        tmp_path: Path,
    ) -> None:
        path = tmp_path / "there" / FILES[fmt]
        if obstacle == "folder is a file":
            path.parent.write_text("")
        if obstacle == "is a folder":
            path.mkdir(parents=True)
        before = sorted(tmp_path.rglob("*"))
        message = refusal(MisuseError, small, fmt, path, *digits)
        assert message.startswith(f"'{path}' must be a file that can be written, got: ")
        assert sorted(tmp_path.rglob("*")) == before

    def test_unknown_format(self, small: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path) -> None:
        message = refusal(MisuseError, small, "h5", tmp_path / "a.h5", *digits)
        assert message == "`format` must be one of keras, tflite, tflite-int8, onnx, got 'h5'."

    def test_unknown_suffix(self) -> None:
        with pytest.raises(MisuseError, match=r"must end in one of \.keras, \.tflite, .* got 'a\.h5'\.$"):
            format_of("a.h5")

    def test_suffix_of_another_format(
        self, small: keras.Sequential, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        message = refusal(MisuseError, small, "onnx", tmp_path / "a.tflite", *digits)
        assert message == f"A file in format onnx must end in .onnx, got '{tmp_path / 'a.tflite'}'."

    @pytest.mark.parametrize(("fmt", "package"), [(fmt, p) for fmt in FORMATS for p in FORMATS[fmt].packages])
    def test_missing_package(
        self,
        fmt: str,
        package: str,
        small: keras.Sequential,
        digits: tuple[SearchData, HeldOut],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        message = refusal(ExportError, small, fmt, tmp_path / FILES[fmt], *digits)
        assert f"needs '{package}'" in message
        assert "pip install '.[export]'`" in message
        assert list(tmp_path.iterdir()) == []

    def test_keras_needs_no_optional_package(
        self,
        small: keras.Sequential,
        digits: tuple[SearchData, HeldOut],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for form in FORMATS.values():
            for package in form.packages:
                monkeypatch.setitem(sys.modules, package, None)
        assert isinstance(export(small, None, tmp_path / "a.keras", *digits), ExportReport)

    @pytest.mark.parametrize("fmt", FILES)
    def test_diverged_weights(self, fmt: str, digits: tuple[SearchData, HeldOut], tmp_path: Path) -> None:
        network = build(Network((3,), 0), digits[0], "relu")
        network.set_weights([weight * np.nan for weight in network.get_weights()])
        message = refusal(ExportError, network, fmt, tmp_path / FILES[fmt], *digits)
        assert message.startswith("A network must have finite weights")

    @pytest.mark.parametrize(
        ("layer", "got"),
        [
            (keras.layers.Dense(5, activation="gelu"), "gelu, softmax"),
            (keras.layers.LayerNormalization(), "LayerNormalization"),
        ],
        ids=["activation", "layer"],
    )
    def test_foreign_layers(
        self, layer: keras.layers.Layer, got: str, digits: tuple[SearchData, HeldOut], tmp_path: Path
    ) -> None:
        """Other layers go into no graph that is written by hand; `.keras` takes them."""
        network = keras.Sequential([keras.Input((8, 8), dtype="uint8"), keras.layers.Flatten(), layer])
        network.add(keras.layers.Dense(10, activation="softmax"))
        for fmt in ("tflite", "tflite-int8", "onnx"):
            message = refusal(ExportError, network, fmt, tmp_path / FILES[fmt], *digits)
            assert f"got {got}" in message
            assert message.endswith("Export as .keras instead.")
        assert list(tmp_path.iterdir()) == []
        export(network, "keras", tmp_path / "a.keras", *digits)

    def test_a_failed_write_is_one_line(
        self,
        small: keras.Sequential,
        digits: tuple[SearchData, HeldOut],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A disk that fills up half way leaves nothing behind."""

        def fail(path: Path, content: bytes) -> None:
            path.touch()
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", fail)
        message = refusal(MisuseError, small, "onnx", tmp_path / "a.onnx", *digits)
        assert message.endswith("got: No space left on device.")
        assert list(tmp_path.iterdir()) == []
