"""`fewest compare`: studies of one storage or several, as a table, JSON or a page, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from helpers import command, sqlite_url

from fewest.search.settings.files import load
from fewest.storage.trials.cohort_storage import CohortStorage, optuna_storage
from fewest.storage.trials.records import VerifiedNetwork
from fewest.storage.trials.results import write_results


def make(storage: CohortStorage, name: str, answer: int, *overrides: str) -> None:
    """A verified study whose answer to 0.9 is `answer` neurons, which was never trained."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=storage, study_name=name, directions=["minimize", "maximize"])
    sizes = {"n_classes": 10, "n_training": 1000, "n_validation": 300, "n_test": 300}
    settings = load("digits", ["budget.targets=[0.9]", *overrides]).settings()
    study.set_user_attr("settings", settings)
    study.set_user_attr("data", {"name": "digits", "input_shape": [8, 8], "fingerprint": "f" * 64, **sizes})
    study.set_user_attr("environment", {"fewest": "0.2"})
    facts = {"widths": [4], "neurons": 4, "parameters": 310, "seed": 0, "epochs": 30, "seconds": 1.0}
    study.add_trial(optuna.trial.create_trial(values=[4.0, 0.9], user_attrs=facts))
    networks = [
        VerifiedNetwork((width,), seed, 0.905 + 0.01 * (width - answer) + seed / 1e4, 0.9, 30, 1.0)
        for width in range(1, 10)
        for seed in range(-10, 10)
    ]
    write_results(storage.engine, study._study_id, networks)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two storages: s.db with 'relu' and 'tanh', other.db with 'relu'."""
    made = tmp_path_factory.mktemp("compared")
    storage = optuna_storage(sqlite_url(made / "s.db"))
    make(storage, "relu", 6)
    make(storage, "tanh", 4, "training.activation=tanh")
    make(optuna_storage(sqlite_url(made / "other.db")), "relu", 6, "seed=9")
    return made


@pytest.fixture
def url(folder: Path) -> str:
    return sqlite_url(folder / "s.db")


def test_a_table_says_what_differs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("compare", "relu", "tanh", "--storage", url) == 0
    out = capsys.readouterr().out
    assert "│ activation │ relu │ tanh │" in out
    assert "4 (4-4), 2 fewer" in out
    assert "typically 'tanh' needs 2 neurons fewer than 'relu' (4 against 6; 99 % sure)" in out


def test_json_is_for_programs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("compare", "tanh", "relu", "--format", "json", "--storage", url) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["studies"] == ["tanh", "relu"]
    assert found["targets"][0]["answers"][1]["against_first"]["typical"] == {
        "outcome": "more",
        "at_least": 2,
        "at_most": 2,
        "sure": 0.99,
    }
    assert found["fronts"] == [[{"trial": 0, "neurons": 4, "validation_accuracy": 0.9}]] * 2


def test_a_page_is_written_whole(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "c.html"
    assert command("compare", "relu", "tanh", "--output", page, "--storage", url) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text("utf-8").rstrip().endswith("</html>")


def test_a_study_of_another_storage_is_named_with_it(
    url: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = sqlite_url(folder / "other.db")
    assert command("compare", "relu", f"relu@{other}", "--format", "json", "--storage", url) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["studies"] == [f"relu in {folder / 's.db'}", f"relu in {folder / 'other.db'}"]
    assert any("split training and validation samples differently" in remark for remark in found["remarks"])


def test_a_remark_can_be_typed_as_it_is(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    storage = optuna_storage(url)
    make(storage, "further", 6, "budget.targets=[0.8]")
    assert command("compare", "relu", "further", "--storage", url) == 0
    storage.delete_study(storage.get_study_id_from_name("further"))
    out = " ".join(capsys.readouterr().out.split())
    assert f"`fewest verify further --target 0.9 --storage {url}` does it." in out


REFUSED = {
    "none": ((), "`NAME` must be given for at least two studies, got 0."),
    "one": (("relu",), "`NAME` must be given for at least two studies, got 1."),
    "twice": (("relu", "tanh", "relu"), "`NAME` must be different studies, got 'relu' twice."),
    "unknown": (("relu", "tnah"), "There is no study 'tnah'"),
    "no storage": (("relu", "tanh@sqlite:////nowhere/x.db"), "folder /nowhere must exist"),
    "password": (("relu", "a@postgresql://me:pw@x@h/d"), "must be percent-encoded"),
}


@pytest.mark.parametrize(("names", "said"), REFUSED.values(), ids=REFUSED)
def test_misuse_is_one_line(names: tuple[str, ...], said: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("compare", *names, "--storage", url) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert "pw" not in line


def test_a_table_loads_no_heavy_library(url: str) -> None:
    program = (
        "import sys; from fewest.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as e: assert not e.code\n"
        "print(sorted({'tensorflow', 'keras', 'optuna', 'scipy', 'plotly'} & set(sys.modules)))"
    )
    words = ("compare", "relu", "tanh", "--storage", url)
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
