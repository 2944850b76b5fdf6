"""Foreign studies and overwritten attributes in the same database: every command answers, or fails in one line."""

import sqlite3

import optuna
import pytest
from helpers import command

pytestmark = pytest.mark.slow

SMALL = (
    *("--set", "training.epochs=2", "--set", "space.max_depth=1", "--set", "space.max_width=4"),
    *("--set", "budget.verification_seeds=0", "--trials", 4),
)


@pytest.fixture
def made(url, tiny_file, capsys) -> optuna.Study:
    """A study with four trials that wait."""
    assert command("submit", "digits", "--data", tiny_file, *SMALL, "--storage", url) == 0
    capsys.readouterr()
    return optuna.load_study(study_name="digits", storage=url)


READERS = [("studies",), ("answer", "digits"), ("answer", "digits", "--format", "json"), ("report", "digits")]


@pytest.mark.parametrize("key", ["data", "settings", "environment", "finished"])
@pytest.mark.parametrize("value", ["theirs", 3, [1], {"name": 5}])
def test_another_programs_study_is_listed_and_passed_over(key, value, url, capsys):
    theirs = optuna.create_study(storage=url, study_name="theirs")
    theirs.set_user_attr(key, value)
    assert command("studies", "--storage", url) == 0
    assert "not made by" in capsys.readouterr().out
    assert command("worker", "--quiet", "--storage", url) == 0
    passed, _ = capsys.readouterr().err.splitlines()
    assert "'theirs' was not made by fewest" in passed
    for words in (("answer", "theirs"), ("resume", "theirs"), ("run", "digits", "--name", "theirs")):
        assert command(*words, "--storage", url) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert "'theirs' was not made by fewest" in line


@pytest.mark.parametrize(
    ("key", "value"), [("settings", []), ("settings", {"budget": 1}), ("data", {}), ("data", "x"), ("data", None)]
)
def test_our_study_with_an_overwritten_attribute_is_damaged(key, value, made, url, capsys):
    made.set_user_attr(key, value)
    assert command("studies", "--storage", url) == 0
    assert "damaged" in capsys.readouterr().out
    for words in (("answer", "digits"), ("resume", "digits"), ("verify", "digits"), ("report", "digits")):
        assert command(*words, "--storage", url) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert "Study 'digits' is damaged: " in line
        assert f"`{key}" in line
    assert command("worker", "--quiet", "--storage", url) == 0
    passed, _ = capsys.readouterr().err.splitlines()
    assert "'digits' is passed over" in passed


@pytest.mark.parametrize(("key", "value"), [("environment", 3), ("finished", "yes"), ("environment", {"Python": None})])
def test_attributes_that_decide_nothing_stop_nothing(key, value, made, url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made.set_user_attr(key, value)
    assert command("resume", "digits", "--quiet", "--storage", url) == 0
    made.set_user_attr(key, value)
    for words in READERS:
        assert command(*words, "--storage", url) == 0


@pytest.mark.parametrize("key", ["settings", "data", "environment", "finished"])
def test_an_attribute_that_is_no_json_is_no_traceback(key, made, url, capsys):
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("INSERT OR IGNORE INTO study_user_attributes (study_id, key) VALUES (1, ?)", [key])
        connection.execute("UPDATE study_user_attributes SET value_json = '{no' WHERE key = ?", [key])
    connection.close()
    assert command("studies", "--storage", url) == 0
    capsys.readouterr()
    damaged = key in ("settings", "data")
    assert command("resume", "digits", "--quiet", "--storage", url) == (2 if damaged else 0)
    assert ("is damaged" in capsys.readouterr().err) == damaged


@pytest.mark.parametrize(
    "overwritten",
    [
        {"widths": "wide", "seed": "one", "cohort": []},
        {"widths": [99, 99, 99], "seed": -5, "cohort": -1},
        {"widths": [0], "seed": 1e300, "cohort": 10**400},
        {"widths": None, "neurons": "many", "parameters": [], "epochs": -1, "seconds": float("nan")},
    ],
)
def test_overwritten_attributes_of_trials_are_written_anew(overwritten, made, url, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for trial in made.get_trials(deepcopy=False):
        for key, value in overwritten.items():
            made._storage.set_trial_user_attr(trial._trial_id, key, value)
    assert command("resume", "digits", "--quiet", "--storage", url) == 0
    capsys.readouterr()
    for words in READERS:
        assert command(*words, "--storage", url) == 0
    trials = optuna.load_study(study_name="digits", storage=url).get_trials()
    assert sorted(trial.user_attrs["widths"] for trial in trials) == [[], [1], [2], [4]]
