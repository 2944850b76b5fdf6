"""The examples run as they stand, in a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # Most commands load TensorFlow, and two of them train a small study.

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def run(folder: Path, *arguments: str | Path) -> str:
    """What a Python command prints in a folder; it imports the packages of this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which `table.py` ran, and what it printed."""
    folder = tmp_path_factory.mktemp("examples")
    return folder, run(folder, EXAMPLES / "table.py")


def test_a_table_is_answered_for(wine: tuple[Path, str]) -> None:
    _, printed = wine
    assert "of the test samples right: typically" in printed
    assert "The first three wines are of the classes 0 0 0" in printed


def test_images_are_answered_for(tmp_path: Path) -> None:
    printed = run(tmp_path, EXAMPLES / "images.py")
    assert "of the test images right." in printed
    assert {"digits.html", "digits.keras"} <= {path.name for path in tmp_path.iterdir()}


def test_a_classifier_finds_its_size(tmp_path: Path) -> None:
    assert "neurons reach 90%" in run(tmp_path, EXAMPLES / "classifier.py")


def test_plain_optuna_reads_the_study(wine: tuple[Path, str]) -> None:
    folder, _ = wine
    printed = run(folder, EXAMPLES / "optuna_tools.py")
    assert printed.startswith("12 trials of 'wine', by neurons and ")
    assert "widths []" in printed, "softmax alone is always on the front"


def test_the_study_file_runs(wine: tuple[Path, str]) -> None:
    folder, _ = wine
    run(folder, "-m", "fewest", "run", EXAMPLES / "study.toml", "--quiet", "--storage", "sqlite:///study.db")
    assert "my-study" in run(folder, "-m", "fewest", "studies", "--storage", "sqlite:///study.db")
