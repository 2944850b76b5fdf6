"""Nothing outside a study's settings changes its networks: no file of Keras's, no variable, no program around us."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewest.cli import main
from fewest.search.data.samples import SearchData
from fewest.search.settings import keras_settings
from fewest.search.settings.keras_settings import keras, settle
from fewest.search.settings.space import Network
from fewest.search.training.network import build, initial_weights
from fewest.search.training.stock import KerasEngine

ROOT = Path(__file__).parents[3]

ODD_FILE = {
    "floatx": "float16",
    "epsilon": 0.25,
    "backend": "torch",
    "image_data_format": "channels_first",
    "nnx_enabled": True,
}

ODD_VARIABLES = {
    "KERAS_BACKEND": "no-such-backend",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERAS_NNX_ENABLED": "true",
    "TF_USE_LEGACY_KERAS": "1",
}

STUDIES = """
import hashlib, json, os, sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
from fewest.cli import main
from fewest.dashboards.found import found

def fewest(*given):
    try:
        main([*given, "--storage", "sqlite:///s.db"])
    except SystemExit as ended:
        assert not ended.code, given

tiny = ["--set", "training.epochs=2", "--set", "space.max_width=4", "--trials", "2", "--quiet"]
tiny += ["--set", "budget.verification_seeds=0"]
for engine in ("population", "keras"):
    fewest("run", "digits", "--name", engine, "--engine", engine, *tiny)
    fewest("export", engine, "--trial", "1", "--output", f"{engine}.onnx")
fewest("export", "keras", "--trial", "1", "--output", "keras.tflite")
fewest("export", "keras", "--trial", "1", "--output", "keras.keras")
studies = {name: found(name, "sqlite:///s.db").trials for name in ("population", "keras")}
seen = {name: [trial.validation_accuracy for trial in trials] for name, trials in studies.items()}
seen["files"] = {
    file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(Path().iterdir())
    if file.suffix in (".onnx", ".tflite")
}
seen["settings read"] = [name for name in opened if name.endswith("keras.json") and os.path.exists(name)]
print(json.dumps(seen), file=sys.stderr)
"""


def started(script: str, folder: Path, home: Path, **variables: str) -> "subprocess.Popen[str]":
    """Starts a script in a process of its own, with that home and no variable of Keras's but the given."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
    environment = {**own, "HOME": str(home), "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-c", script]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_every_setting_of_keras_turned_odd_changes_no_bit(tmp_path: Path) -> None:
    """Both engines train the same networks, and the exported files have the same bytes."""
    processes = {}
    for name, variables in (("plain", {}), ("odd", ODD_VARIABLES)):
        home = tmp_path / name / "home"
        home.mkdir(parents=True)
        if name == "odd":
            (home / ".keras").mkdir()
            (home / ".keras" / "keras.json").write_text(json.dumps(ODD_FILE))
        processes[name] = started(STUDIES, home.parent, home, **variables)
    seen = {}
    for name, process in processes.items():
        _, said = process.communicate(timeout=180)
        assert process.returncode == 0, said
        seen[name] = json.loads(said.strip().splitlines()[-1])
    assert seen["odd"] == seen["plain"]
    assert len(seen["plain"]["files"]) == 3
    assert seen["plain"]["settings read"] == []
    assert list((tmp_path / "plain" / "home").glob(".keras*")) == []
    assert json.loads((tmp_path / "odd" / "home" / ".keras" / "keras.json").read_text()) == ODD_FILE


def test_another_backend_in_a_program_around_us_is_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No other backend is installed here, so Keras only says that it runs on one."""
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(SystemExit) as ended:
        main(["run", "digits", "--quiet", "--storage", url])
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: Keras must run on tensorflow, but this program imported it with the backend 'torch'")
    assert line.endswith("Set KERAS_BACKEND=tensorflow, or use fewest in a process of its own.")


@pytest.fixture
def foreign() -> Iterator[None]:
    """Keras as a program around us may have set it."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_epsilon(0.25)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_max_epochs(1)
    keras.config.set_max_steps_per_epoch(1)
    yield
    settle()


@pytest.mark.usefixtures("foreign")
def test_a_network_says_itself_how_it_computes(tiny_data: SearchData) -> None:
    """Layers that are built under foreign defaults are those that would be built under ours."""
    network = Network((3,), 7)
    built = build(network, tiny_data, "relu")
    weights = initial_weights(network, tiny_data.n_features, tiny_data.n_classes)
    settle()
    expected = build(network, tiny_data, "relu")
    configs = [[{**layer.get_config(), "name": ""} for layer in model.layers] for model in (built, expected)]
    assert json.dumps(configs[0], default=str) == json.dumps(configs[1], default=str)
    for ours, foreign, alone in zip(expected.get_weights(), built.get_weights(), weights, strict=True):
        assert ours.dtype == foreign.dtype == alone.dtype == np.float32
        np.testing.assert_array_equal(ours, foreign)
        np.testing.assert_array_equal(ours, alone)


@pytest.mark.usefixtures("foreign")
def test_an_engine_sets_what_keras_keeps_for_the_process() -> None:
    KerasEngine()
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"
    assert keras.config.epsilon() == 1e-7
    assert keras.config.image_data_format() == "channels_last"
    assert keras.config.max_epochs() is keras.config.max_steps_per_epoch() is None


def test_variables_are_hidden_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ODD_VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    before = dict(os.environ)
    with keras_settings._own_variables():
        names = {name for name in os.environ if name.startswith("KERAS_")}
        assert names == {"KERAS_BACKEND", "KERAS_HOME"}
        assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("variables", "home"),
    [
        ({"KERAS_HOME": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"HOME": "/nowhere"}, "/tmp/.keras"),
        ({"HOME": str(ROOT)}, f"{ROOT}/.keras"),
    ],
    ids=["of Keras", "none that can be written", "usual"],
)
def test_data_sets_of_keras_lie_where_they_always_do(
    variables: dict[str, str], home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.backend import config

    config_: Any = config
    monkeypatch.setattr(config_, "_KERAS_DIR", os.devnull)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    keras_settings._restore_home()
    assert config_.keras_home() == home


ALIKE = """
from fewest.search.settings.keras_settings import tf
row = tf.ones((1, 1, 128))
tf.matmul(tf.ones((1, 4, 1)), row)
tf.matmul(tf.ones((1, 1, 4)), row, transpose_a=True)
"""


def test_onednn_takes_no_matrix_for_another_that_needs_other_memory():
    environment = {**os.environ, "ONEDNN_VERBOSE": "2", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1024"}
    done = subprocess.run([sys.executable, "-c", ALIKE], env=environment, capture_output=True, text=True, check=True)
    created = [line for line in done.stdout.splitlines() if ",create:" in line]
    if not created:
        pytest.skip("TensorFlow does not use oneDNN here")
    assert len(created) == 2
    assert not [line for line in created if "cache_hit" in line]
