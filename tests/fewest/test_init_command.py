"""`fewest init`: a study file that fits the data and runs as it is, or one line and nothing written."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import command

from fewest.dashboards.found import stored_study
from fewest.search.settings.stored import our_study


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes that two numbers tell apart together, of 20 patients."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 2)).round(3)
    lines = [
        f"p{row % 20},{a},{b},{('same', 'other')[int((a > 0) != (b > 0))]}" for row, (a, b) in enumerate(x.tolist())
    ]
    path = tmp_path / "xor.csv"
    path.write_text("\n".join(["patient,a,b,sign", *lines]))
    return path


@pytest.mark.slow
def test_a_file_is_written_that_runs_as_it_is(table: Path, url: str, capsys: Any) -> None:
    assert command("init", "xor.csv", "--group", "patient") == 0
    heard = capsys.readouterr()
    assert heard.out == "xor.toml\n"
    text = Path("xor.toml").read_text("utf-8")
    assert "# - Groups: patient, no input; all rows of one train, validate or test." in text
    assert "Softmax alone reaches" in text
    assert "# - The answer will take about " in text
    settings = tomllib.loads(text)
    assert settings["data"] | {"name": "xor.csv", "label": "sign", "group": "patient"} == settings["data"]
    assert min(settings["budget"]["targets"]) > 0.5
    short = ("--trials", "4", "--quiet", "--set", "budget.verification_seeds=1", "--set", "training.epochs=2")
    assert command("run", "xor.toml", *short, "--storage", url) == 0
    assert our_study(stored_study("xor", url)).config.data.group == "patient"
    assert command("init", "xor.csv", "--group", "patient", "--target", "0.7", "--force", "--output", "xor.toml") == 0
    assert tomllib.loads(Path("xor.toml").read_text("utf-8"))["budget"]["targets"] == [0.7]


@pytest.mark.slow
def test_a_file_on_stdout_says_how_it_runs_under_its_usual_name(table: Path, capsys: Any) -> None:
    assert command("init", "xor.csv", "--ignore", "patient", "--name", "x", "--output", "-") == 0
    text = capsys.readouterr().out
    assert text.startswith("# A study of 'xor.csv'. Run it with\n#\n#     fewest run x.toml\n")
    assert tomllib.loads(text)["name"] == "x"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("xor.csv",), "Error: 'xor.toml' exists already. Overwrite it with `--force`, or choose another with"),
        (("study.toml",), "Error: `fewest init` takes data, got the study file 'study.toml'; `fewest run` runs it."),
        (
            ("xor.csv", "--output", "no/it.toml"),
            "Error: `--output` must name a file that can be written, got",
        ),
        (("xor.csv", "--output", "o.toml", "--label", "sing"), "Error: `--label` must name a column of xor.csv"),
        (("xor.csv", "--output", "o.toml", "--target", "2"), "Error: `budget.targets` must be less than 1"),
        (("other.csv", "--output", "o.toml"), "Error: There is no file 'other.csv'."),
    ],
)
def test_what_cannot_be_written_or_read_gets_one_line(words: Any, said: str, table: Path, capsys: Any) -> None:
    Path("xor.toml").write_text("mine")
    assert command("init", *words) in (1, 2)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(said)
    assert Path("xor.toml").read_text() == "mine"
    assert sorted(path.name for path in Path().iterdir()) == ["xor.csv", "xor.toml"]
