"""`fewest export` holds what it writes against what the study measured: another network never leaves under its name."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import command

from fewest.search.export.export import FORMATS
from fewest.search.export.record import Measured, Record, RecordError, may_differ
from fewest.search.export.selection import Recorded
from fewest.search.training.network import save

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_arrays: dict[str, np.ndarray]) -> Path:
    """A folder with data, a verified study of them, and its kept networks."""
    folder = tmp_path_factory.mktemp("made")
    np.savez(folder / "tiny.npz", **tiny_arrays)
    sets = ["training.epochs=20", "training.batch_size=32", "space.max_width=4", "space.max_depth=1"]
    sets += ["budget.targets=[0.5]", "budget.verification_seeds=3", "data.validation_share=0.25"]
    options = [part for setting in sets for part in ("--set", setting)]
    options += ["--name", "tiny", "--trials", "4", "--quiet", "--data", "tiny.npz"]
    with pytest.MonkeyPatch.context() as context:
        context.chdir(folder)
        assert command("run", "digits", *options, "--storage", "sqlite:///s.db") == 0
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the current folder, to spoil."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def refusal(capsys: pytest.CaptureFixture[str], *options: object, again: bool = False) -> str:
    """The one line that refuses an export, and leaves no file; before it one says that a network is trained again."""
    capsys.readouterr()
    assert command("export", "tiny", *options, "--output", "a.onnx", "--storage", "sqlite:///s.db") == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 + again, lines
    assert not Path("a.onnx").exists()
    return lines[-1]


def change(statement: str, *values: object) -> None:
    with closing(sqlite3.connect("s.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


ANSWER = ("--target", 0.5)
TRIAL = ("--trial", 0)


def test_an_untouched_study_is_exported(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kept or trained again, the answer's network and a trial's agree with the record."""
    for _ in range(2):
        for options in (ANSWER, TRIAL):
            assert command("export", "tiny", *options, "--output", "a.onnx", "--storage", "sqlite:///s.db") == 0
        shutil.rmtree("s.db.artifacts", ignore_errors=True)
    assert capsys.readouterr().err.count("trained again") == 2


def test_other_test_samples_are_noticed(
    place: Path, tiny_arrays: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    """The fingerprint of a study's data does not tell of its test set: that stays sealed."""
    np.savez("tiny.npz", **{**tiny_arrays, "y_test": (tiny_arrays["y_test"] + 1) % 3})
    line = refusal(capsys, *ANSWER)
    assert re.search(r"recorded a test accuracy of 0\.\d{4}, but as it was kept it has 0\.", line)
    assert line.endswith(
        "Nothing was written. Its data, its kept file or its record has changed: put back the former, or export "
        "another network."
    )


@pytest.mark.parametrize(("options", "samples"), [(ANSWER, "test"), (TRIAL, "validation")], ids=["answer", "trial"])
def test_another_network_under_the_name_of_a_kept_one_is_noticed(
    options: tuple[object, ...], samples: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No sample validates a verified network, so its test accuracy alone tells."""
    for file in Path("s.db.artifacts").iterdir():
        named = file.rename(f"{file}.keras")
        network = keras.models.load_model(named)
        network.set_weights([-weight for weight in network.get_weights()])
        save(network, named)
        named.rename(file)
    assert f"a {samples} accuracy of " in refusal(capsys, *options)


RECORDED = (
    "UPDATE trial_values SET value = value + ? WHERE objective = 1 AND trial_id = "
    "(SELECT trial_id FROM trials WHERE number = 0)"
)


@pytest.mark.parametrize("kept", [True, False])
def test_another_accuracy_on_record_is_noticed(kept: bool, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Versions that have changed are named."""
    change(RECORDED, -0.1)
    change(
        'UPDATE study_user_attributes SET value_json = replace(value_json, ?, \'"optuna": "1.0\') '
        "WHERE key = 'environment'",
        '"optuna": "',
    )
    if not kept:
        shutil.rmtree("s.db.artifacts")
    line = refusal(capsys, *TRIAL, again=not kept)
    assert f"but as it was {'kept' if kept else 'trained again'} it has" in line
    assert "a library has changed (optuna was 1.0" in line


def test_an_accuracy_on_record_that_cannot_be_is_noticed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(RECORDED, 0.5)
    assert command("export", "tiny", *TRIAL, "--output", "a.onnx", "--storage", "sqlite:///s.db") == 2
    assert "Trial 0 of study 'tiny' has no accuracy on record that can be." in capsys.readouterr().err
    assert not Path("a.onnx").exists()


def test_a_file_that_labels_other_validation_samples_is_noticed(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its accuracy on the test set alone would pass; a tolerance that allows for the loss lets it through."""
    run = FORMATS["onnx"].run
    tests = np.load("tiny.npz")["x_test"]
    half = FORMATS["onnx"]._replace(run=lambda path, x: run(path, x) * np.array_equal(x, tests))
    monkeypatch.setitem(FORMATS, "onnx", half)
    assert "but as onnx the file has" in refusal(capsys, *TRIAL)
    options = (*TRIAL, "--tolerance", 1, "--output", "a.onnx", "--storage", "sqlite:///s.db")
    assert command("export", "tiny", *options) == 0


def right(n: int, n_right: int) -> dict[str, Measured]:
    return {"validation": Measured.of("accuracy", np.ones(n, np.int32), np.arange(n) < n_right)}


@pytest.mark.parametrize(("had", "n", "most"), [("kept", 200, 2), ("kept", 20_000, 4), ("trained again", 9_000, 18)])
def test_rounding_alone_is_allowed(had: str, n: int, most: int) -> None:
    record = Record("It", Recorded(0.5), had)
    assert may_differ(n, had) == most
    for sign in (-1, 1):
        record.require_network(right(n, n // 2 + sign * most))
        with pytest.raises(RecordError):
            record.require_network(right(n, n // 2 + sign * (most + 1)))


def test_a_file_may_lose_the_tolerance_beyond_rounding_and_gain_anything() -> None:
    record = Record("It", Recorded(0.5), "kept")
    record.require_file(right(1000, 500 - 100 - 2), "tflite-int8", 0.1)
    record.require_file(right(1000, 1000), "tflite-int8", 0.1)
    with pytest.raises(RecordError, match=r"as tflite-int8 the file has 0\.3970, and may lose 0\.1\."):
        record.require_file(right(1000, 397), "tflite-int8", 0.1)


def test_a_sample_of_the_smallest_class_is_the_most_that_rounding_moves() -> None:
    y = np.repeat([0, 1], [996, 4]).astype(np.int32)
    record = Record("It", Recorded(1.0), "kept", metric="balanced_accuracy")
    for n_wrong in (2, 3):
        now = Measured.of("balanced_accuracy", y, np.where(np.arange(1000) < 1000 - n_wrong, y, 0))
        assert now.accuracy == 1 - n_wrong / 8
        if n_wrong == 2:
            record.require_network({"validation": now})
    with pytest.raises(
        RecordError, match=r"a balanced validation accuracy of 1\.0000, but as it was kept it has 0\.62"
    ):
        record.require_network({"validation": now})


def test_what_was_not_measured_is_not_compared() -> None:
    Record("It", Recorded(), "kept").require_network(right(9, 0))
