"""`fewest run` on a file of the user's: answered, resumed and reported, or refused with nothing written."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import command, trials_of

from fewest.dashboards.found import stored_study
from fewest.search.settings.stored import our_study

SHORT = ("--trials", "6", "--quiet", "--set", "budget.verification_seeds=2", "--set", "training.epochs=3")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two classes that a number and a colour tell apart, beside a column that numbers the rows."""
    rng = np.random.default_rng(0)
    lines = ["id,size,colour,kind"]
    for row in range(80):
        kind = row % 2
        lines.append(f"{row},{rng.normal(3 * kind):.3f},{('red', 'blue')[kind]},{('small', 'large')[kind]}")
    path = tmp_path / "my table.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.slow
def test_a_table_is_answered_resumed_and_reported(table: Path, tmp_path: Path, url: str, capsys: Any) -> None:
    asked = ("--label", "kind", "--ignore", "id", "--target", "0.75", "--target", "0.9")
    assert command("run", table, *asked, *SHORT, "--storage", url) == 0
    said = capsys.readouterr()
    assert "Label: kind. 2 classes; the largest has 50.0% of the rows." in said.err
    assert "Categories, one input a value: colour (2)." in said.err
    ours = our_study(stored_study("my-table", url))
    assert ours.config.budget.targets == (0.75, 0.9)
    assert ours.data.input_shape == [3]
    assert (ours.data.n_training, ours.data.n_validation, ours.data.n_test) == (51, 13, 16)
    before = trials_of(url, "my-table")
    assert command("resume", "my-table", "--trials", "7", "--quiet", "--storage", url) == 0
    assert "Label:" not in capsys.readouterr().err
    assert len(trials_of(url, "my-table")) == len(before) + 1
    assert command("report", "my-table", "--output", tmp_path / "it.html", "--storage", url) == 0
    assert "Categories, one input a value: colour (2)." in (tmp_path / "it.html").read_text("utf-8")


def test_a_study_that_is_submitted_says_what_became_of_columns_once(table: Path, url: str, capsys: Any) -> None:
    asked = ("submit", table, "--label", "kind", "--group", "id", "--storage", url)
    assert command(*asked) == 0
    heard = capsys.readouterr()
    assert "Groups: id, no input; all rows of one train, validate or test. 64 groups" in heard.err
    assert heard.out.startswith("Study 'my-table' has 120 of 120 networks left to train.")
    assert command(*asked) == 0
    assert "Groups:" not in capsys.readouterr().err
    assert our_study(stored_study("my-table", url)).config.data.group == "id"


def test_a_table_that_is_refused_leaves_nothing(table: Path, tmp_path: Path, url: str, capsys: Any) -> None:
    assert command("run", table, *SHORT, "--storage", url) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: Column 'id' of my table.csv cannot be an input: it numbers its rows.")
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.slow
def test_arrays_need_no_study_file(tiny_file: Path, url: str, capsys: Any) -> None:
    assert command("run", tiny_file, *SHORT, "--storage", url) == 0
    ours = our_study(stored_study("tiny", url))
    assert ours.config.training.batch_size == 8
    assert ours.data.columns == []
    capsys.readouterr()
    assert command("predict", "tiny", tiny_file, "--trial", 0, "--storage", url) == 2
    said = "Error: `fewest predict` labels tables, and study 'tiny' is on tiny.npz. Export its network."
    assert capsys.readouterr().err.strip().splitlines()[-1] == said


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A table of two classes that a number and a colour tell apart, and the storage of a study on it."""
    folder = tmp_path_factory.mktemp("answered")
    rng = np.random.default_rng(0)
    lines = ["size,colour,kind"]
    for row in range(80):
        size = "" if row % 9 == 4 else f"{rng.normal(9 * (row % 2)) + 1e9:.3f}"
        lines.append(f"{size},{('red', 'blue')[row % 2]},{('small', 'large')[row % 2]}")
    path, url = folder / "it.csv", f"sqlite:///{folder}/studies.db"
    path.write_text("\n".join(lines))
    run = ("--trials", "4", "--quiet", "--target", "0.8", "--set", "budget.verification_seeds=3")
    assert command("run", path, *run, "--set", "training.epochs=20", "--storage", url) == 0
    return path, url


@pytest.mark.slow
def test_rows_of_another_table_are_labelled(answered: tuple[Path, str], tmp_path: Path, capsys: Any) -> None:
    _, url = answered
    rows, labelled = tmp_path / "new.tsv", tmp_path / "labelled.csv"
    rows.write_text("note\tcolour\tsize\nfirst\tred\t1e9\nsecond\tblue\t1000000009\nthird\tgreen\t\n")
    for more in ((), ("--target", "0.8"), ("--trial", "2")):
        assert command("predict", "it", rows, *more, "--output", labelled, "--storage", url) == 0
        with labelled.open() as file:
            found = list(csv.DictReader(file))
        assert [row["predicted kind"] for row in found][:2] == ["small", "large"]
        assert [row["note"] for row in found] == ["first", "second", "third"]
        assert all(0.5 <= float(row["probability"]) <= 1 for row in found)
    capsys.readouterr()
    assert command("predict", "it", rows, "--storage", url) == 0
    heard = capsys.readouterr()
    assert heard.out.startswith("note,colour,size,predicted kind,probability\nfirst,red,1e9,small,")
    assert heard.err.strip().endswith(": 3 rows labelled.")


@pytest.mark.slow
def test_predictions_are_those_that_the_study_scored(answered: tuple[Path, str], tmp_path: Path) -> None:
    """The labels of the study's own rows agree with the accuracy that it measured on its test rows."""
    path, url = answered
    assert command("predict", "it", path, "--output", tmp_path / "all.csv", "--storage", url) == 0
    with (tmp_path / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert np.mean([row["predicted kind"] == row["kind"] for row in rows]) > 0.9


@pytest.mark.slow
def test_arrays_are_no_rows_to_label(answered: tuple[Path, str], tiny_file: Path, capsys: Any) -> None:
    assert command("predict", "it", tiny_file, "--storage", answered[1]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: The rows to label must be a table (.csv, .tsv, ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("size\n1\n", (), "Error: new.csv must have the columns of the training rows; colour missing."),
        ("size,colour\noops,red\n", (), "Error: Column 'size' of new.csv must hold a number in every row"),
        ("size,colour\n1,red\n", ("--target", "0.8", "--trial", "1"), "Error: Name one network, either with --target"),
        ("size,colour\n1,red\n", ("--target", "0.99999"), "Error: "),
    ],
)
def test_rows_that_cannot_be_labelled_get_one_line(
    content: str, options: Any, said: str, answered: tuple[Path, str], tmp_path: Path, capsys: Any
) -> None:
    _, url = answered
    (tmp_path / "new.csv").write_text(content)
    status = command("predict", "it", tmp_path / "new.csv", *options, "--output", tmp_path / "o.csv", "--storage", url)
    assert status in (1, 2)
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(said)
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.slow
def test_rows_and_outputs_that_are_not_there_are_named(
    answered: tuple[Path, str], tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, url = answered
    monkeypatch.chdir(tmp_path)
    assert command("predict", "it", "no.csv", "--storage", url) == 2
    said = "Error: The rows to label must be a table, and there is no file 'no.csv'."
    assert capsys.readouterr().err.strip().splitlines() == [said]
    assert command("predict", "it", path, "--output", "no/it.csv", "--storage", url) == 2
    said = "Error: `--output` must name a file that can be written, got 'no/it.csv': there is no folder 'no'."
    assert capsys.readouterr().err.strip().splitlines() == [said]
