"""`fewest run` on a file of the user's: answered, resumed and reported, or refused with nothing written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import command, trials_of

from fewest.read_commands import stored_study
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
    assert len(trials_of(url, "my-table")) == len(before) + 1
    assert command("report", "my-table", "--output", tmp_path / "it.html", "--storage", url) == 0
    assert "Categories, one input a value: colour (2)." in (tmp_path / "it.html").read_text("utf-8")


def test_a_table_that_is_refused_leaves_nothing(table: Path, tmp_path: Path, url: str, capsys: Any) -> None:
    assert command("run", table, *SHORT, "--storage", url) == 1
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: Column 'id' of my table.csv cannot be an input: it numbers its rows.")
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.slow
def test_arrays_need_no_study_file(tiny_file: Path, url: str) -> None:
    assert command("run", tiny_file, *SHORT, "--storage", url) == 0
    ours = our_study(stored_study("tiny", url))
    assert ours.config.training.batch_size == 8
    assert ours.data.columns == []
