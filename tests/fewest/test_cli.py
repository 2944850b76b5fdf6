"""The command line: what it prints, what it refuses, and what it leaves untouched."""

import hashlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import get_args

import click
import numpy as np
import optuna
import pytest
from helpers import command, sqlite_url

from fewest.cli import cli
from fewest.search.export.export import FORMATS
from fewest.search.settings.config import StudyConfig

TINY = ("--set", "training.epochs=2", "--set", "space.max_width=4", "--set", "budget.verification_seeds=0", "--quiet")


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command wrote to stderr."""
    [line] = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a storage with the finished study 'digits'."""
    url = sqlite_url(tmp_path_factory.mktemp("finished") / "studies.db")
    assert command("run", "digits", *TINY, "--trials", 4, "--storage", url) == 0
    return url


def choices_of(name: str, option: str) -> set[str]:
    [parameter] = [parameter for parameter in cli.commands[name].params if option in parameter.opts]
    assert isinstance(parameter.type, click.Choice)
    return set(parameter.type.choices)


def test_choices_that_the_command_line_repeats_to_start_quickly_are_those_there_are() -> None:
    assert choices_of("export", "--format") == set(FORMATS)
    assert choices_of("run", "--engine") == set(get_args(StudyConfig.model_fields["engine"].annotation))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_npz(path: Path, arrays: dict[str, np.ndarray], **changes: np.ndarray) -> Path:
    np.savez(path, **{**arrays, **changes})
    return path


BAD_DATA = {
    "images and labels of different lengths": lambda a: {"y_train": a["y_train"][:-1]},
    "one class only": lambda a: {"y_train": np.zeros_like(a["y_train"])},
    "NaN pixels": lambda a: {"x_train": np.full(a["x_train"].shape, np.nan, np.float32)},
}


@pytest.mark.parametrize("change", BAD_DATA.values(), ids=BAD_DATA.keys())
def test_bad_arrays_are_one_line_and_make_no_database(change, tiny_arrays, tmp_path, url, capsys):
    path = write_npz(tmp_path / "bad.npz", tiny_arrays, **change(tiny_arrays))
    assert command("run", "digits", "--data", path, "--storage", url) in (1, 2)
    assert "bad.npz" in error_line(capsys)
    assert not (tmp_path / "studies.db").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"nonsense"], ids=["empty", "truncated", "no zip"])
def test_an_unreadable_file_is_one_line_and_makes_no_database(content, tmp_path, url, capsys):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    assert command("run", "digits", "--data", path, "--storage", url) in (1, 2)
    assert "bad.npz" in error_line(capsys)
    assert not (tmp_path / "studies.db").exists()


BAD_REQUESTS = {
    "unknown study": (("run", "mnits"), "Unknown study 'mnits'; did you mean 'mnist'?"),
    "unknown data set": (("run", "digits", "--data", "digit"), "'digit'"),
    "target outside (0, 1)": (
        ("run", "digits", "--set", "budget.targets=[1.2]"),
        "`budget.targets` must be less than 1",
    ),
    "target that is no accuracy": (
        ("run", "digits", "--target", "worst"),
        "`budget.targets` must be an accuracy such as 0.95, or relative such as 'best - 0.01', got 'worst'.",
    ),
    "unknown metric": (("run", "digits", "--set", "data.metric=f1"), "`data.metric` must be one of 'accuracy' or"),
    "zero epochs": (
        ("run", "digits", "--set", "training.epochs=0"),
        "`training.epochs` must be at least 1, got 0.",
    ),
    "width range upside down": (
        ("run", "digits", "--set", "space.min_width=99"),
        "`space.min_width` must be at most",
    ),
    "no trials": (("run", "digits", "--trials", "0"), "`budget.trials` must be at least 1, got 0."),
    "unknown setting": (("run", "digits", "--set", "training.epoch=1"), "did you mean 'training.epochs'?"),
}


@pytest.mark.parametrize(("arguments", "line"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_bad_request_is_misuse_in_one_line_and_makes_no_database(arguments, line, tmp_path, url, capsys):
    assert command(*arguments, "--storage", url) == 2
    assert line in error_line(capsys)
    assert not (tmp_path / "studies.db").exists()


def test_an_unknown_storage_scheme_is_misuse(capsys):
    assert command("answer", "digits", "--storage", "mongodb://here/there") == 2
    assert "mongodb" in error_line(capsys)


def test_a_storage_that_is_a_folder_is_refused(tmp_path, capsys):
    assert command("run", "digits", "--storage", f"sqlite:///{tmp_path}") in (1, 2)
    assert str(tmp_path) in error_line(capsys)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path, capsys):
    path = tmp_path / "notes.db"
    path.write_text("not a database, but long enough to look at " * 100, "utf-8")
    before = digest(path)
    assert command("run", "digits", "--storage", sqlite_url(path)) == 1
    assert "notes.db" in error_line(capsys)
    assert digest(path) == before


def test_a_database_of_a_newer_version_is_left_as_it_is(finished, tmp_path, capsys):
    path = tmp_path / "newer.db"
    path.write_bytes(Path(finished.removeprefix("sqlite:///")).read_bytes())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE fewest_alembic_version SET version_num = '9999'")
    connection.close()
    before = digest(path)
    assert command("resume", "digits", "--storage", sqlite_url(path)) == 1
    assert "newer" in error_line(capsys)
    assert digest(path) == before


@pytest.mark.parametrize("name", ["answer", "resume", "report", "worker"])
def test_a_study_that_does_not_exist_is_misuse(name, finished, capsys):
    assert command(name, "digit", "--storage", finished) == 2
    assert "There is no study 'digit'" in (line := error_line(capsys))
    assert "Did you mean 'digits'?" in line


@pytest.mark.parametrize("words", [("answer", "digits"), ("studies",)])
def test_reading_makes_no_database(words, tmp_path, url, capsys):
    assert command(*words, "--storage", url) == 2
    assert "There are no studies in" in error_line(capsys)
    assert not (tmp_path / "studies.db").exists()


def test_other_settings_are_refused_with_the_differences(finished, capsys):
    assert command("run", "digits", "--storage", finished, *TINY, "--set", "space.max_depth=1") == 2
    assert "space.max_depth is 2, not 1" in error_line(capsys)


def test_a_finished_study_prints_its_answer_again(finished, capsys):
    before = digest(Path(finished.removeprefix("sqlite:///")))
    assert command("run", "digits", *TINY, "--trials", 4, "--storage", finished) == 0
    assert "4 networks trained" in capsys.readouterr().out
    assert digest(Path(finished.removeprefix("sqlite:///"))) == before


def test_the_answer_as_json_has_the_designed_shape(finished, capsys):
    assert command("answer", "digits", "--format", "json", "--storage", finished) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == [
        *(
            "study",
            "dataset",
            "protocol",
            "classes",
            "metric",
            "shares_split",
            "best",
            "trials",
            "networks_trained",
            "epochs_trained",
            "epochs_saved",
        ),
        *("seconds", "front", "targets"),
    ]
    assert answer["trials"] == {"complete": 4, "pruned": 0, "failed": 0, "running": 0, "waiting": 0}
    assert answer["classes"] == 10
    assert [target["accuracy"] for target in answer["targets"]] == [0.8, 0.9, 0.95]
    assert {"trial", "widths", "neurons", "parameters", "validation_accuracy"} < set(answer["front"][0])


def test_studies_lists_every_study_and_how_far_along_it_is(tmp_path, url, capsys):
    for words in (("run", "digits"), ("submit", "digits", "--name", "later")):
        options = TINY if words[0] == "run" else TINY[:-1]
        assert command(*words, *options, "--trials", 4, "--storage", url) == 0
    optuna.create_study(storage=url, study_name="foreign")
    capsys.readouterr()
    assert command("studies", "--storage", url) == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[-1]) for row in rows if row and row[0]] == [
        ("digits", "finished"),
        ("later", "0 of 4"),
        ("foreign", ""),
    ]


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_commands_help_ends_with_an_example(name, capsys):
    assert command(name, "--help") == 0
    assert f"Example: fewest {name}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("--help",), ("answer", "digits"), ("studies",), ("watch", "digits")])
def test_reading_commands_load_no_heavy_library(arguments, finished):
    """They would take seconds to start: `benchmarks/startup.py` measures what they do take."""
    program = (
        "import sys; from fewest.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as e: assert not e.code\n"
        "print(sorted({'tensorflow', 'keras', 'optuna', 'alembic', 'scipy', 'plotly'} & set(sys.modules)))"
    )
    options = () if arguments == ("--help",) else ("--storage", finished)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, *options], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
