"""`fewest verify`: it adds seeds and targets, goes on after an interruption, and says what it cannot do."""

import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from helpers import Overheard, command, sqlite_url

from fewest.dashboards.found import found
from fewest.job import Manner, engine_for

TINY = (
    *("--set", "training.epochs=3", "--set", "space.max_width=4", "--set", "space.max_depth=1"),
    *("--set", "budget.targets=[0.5]", "--set", "budget.verification_seeds=0", "--trials", 4),
    "--quiet",
)


def verify(*arguments: object, manner: Manner | None = None) -> int:
    return command("verify", "digits", "--quiet", *arguments, manner=manner)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the study 'digits', which is not verified."""
    path = tmp_path_factory.mktemp("original") / "studies.db"
    assert command("run", "digits", *TINY, "--storage", sqlite_url(path)) == 0
    return path


@pytest.fixture
def searched(original: Path, tmp_path: Path, url: str) -> str:
    """The URL of a copy of that database."""
    with closing(sqlite3.connect(original)) as whole:
        whole.execute("VACUUM INTO ?", [str(tmp_path / "studies.db")])
    return url


def scores(url: str) -> Counter[tuple]:
    return Counter((network.widths, network.seed) for network in found("digits", url).verified)


@pytest.mark.slow
def test_seeds_and_targets_are_added_to_what_is_there(searched, capsys):
    assert verify("--seeds", 2, "--storage", searched) == 0
    before = scores(searched)
    assert before and verify("--seeds", 4, "--target", 0.3, "--storage", searched) == 0
    assert before < scores(searched) and set(scores(searched).values()) == {1}
    assert found("digits", searched).config.budget.targets == (0.3, 0.5)
    assert "At least 30 % of digits right: " in capsys.readouterr().out


@pytest.mark.slow
def test_an_interrupted_one_names_the_command_that_goes_on_and_it_does(searched, tmp_path, capsys):
    place, epochs = tmp_path / "elsewhere", []

    def interrupt(epoch: int) -> None:
        epochs.append(epoch)
        if len(epochs) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    manner = Manner(make_engine=lambda config: Overheard(engine_for(config), interrupt))
    options = ("--seeds", 2, "--storage", searched, "--checkpoints", place)
    assert verify(*options, manner=manner) == 130
    line = f"fewest verify digits --storage {searched} --checkpoints {place}"
    assert f"Continue with `{line}`." in capsys.readouterr().err
    assert not scores(searched) and list(place.iterdir())
    assert command(*line.split()[1:], "--quiet", manner=manner) == 0
    assert epochs[:3] == [0, 1, 2] and set(scores(searched).values()) == {1}
    assert not list(place.iterdir())


def test_without_seeds_it_asks_for_some(searched, capsys):
    capsys.readouterr()
    assert verify("--storage", searched) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "study 'digits' has 0. Say how many with `--seeds`." in line


@pytest.mark.parametrize("target", [0, 1, 1.5, "nan"])
def test_a_target_that_is_no_accuracy_is_one_line_and_changes_nothing(target, searched, capsys):
    capsys.readouterr()
    assert verify("--target", target, "--seeds", 2, "--storage", searched) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "`budget.targets` must be " in line
    assert found("digits", searched).config.budget.verification_seeds == 0
