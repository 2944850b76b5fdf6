"""A study's name is the storage's: copied, renamed and oddly named studies are studies of their own."""

import sqlite3
from pathlib import Path

import optuna
import pytest
from helpers import command

from fewest.dashboards.found import all_studies, found
from fewest.search.study.next_study import next_study
from fewest.storage.trials.records import StudyRecord

pytestmark = pytest.mark.slow


def database_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def sql(url: str, statement: str, *values: object) -> None:
    with sqlite3.connect(database_of(url)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(statement, values)
    connection.close()


SMALL = (
    *("--set", "training.epochs=2", "--set", "space.max_depth=1", "--set", "space.max_width=4"),
    *("--set", "budget.verification_seeds=3", "--set", "budget.targets=[0.5]"),
)


def run(url: str, data: Path, *more: object) -> int:
    return command("run", "digits", "--name", "first", "--data", data, *SMALL, "--quiet", "--storage", url, *more)


def copy(url: str, name: str = "second") -> None:
    optuna.copy_study(from_study_name="first", from_storage=url, to_storage=url, to_study_name=name)


def numbers(url: str) -> dict[str, int]:
    return {study.name: sum(study.n_trials.values()) for study in all_studies(url)}


@pytest.fixture
def first(url, tiny_file, capsys) -> str:
    """The URL of a storage with the finished study 'first'."""
    assert run(url, tiny_file, "--trials", 5) == 0
    capsys.readouterr()
    return url


@pytest.mark.parametrize("name", ["second", "a copy, with spaces", "a/b"])
def test_a_copy_is_resumed_under_its_name_and_the_first_is_left_alone(name, first, capsys):
    copy(first, name)
    before = found("first", first)
    assert command("resume", name, "--trials", 7, "--quiet", "--storage", first) == 0
    assert f"Study '{name}'" in capsys.readouterr().out
    assert numbers(first) == {"first": 5, name: 7}
    after = found("first", first)
    assert (after.study, after.trials, after.verified) == (before.study, before.trials, before.verified)
    assert found(name, first).verified


def test_a_copy_is_verified_under_its_name(first, capsys):
    copy(first)
    n_verified = len(found("first", first).verified)
    assert command("verify", "second", "--quiet", "--storage", first) == 0
    assert len(found("second", first).verified) == n_verified
    assert command("verify", "second", "--seeds", 5, "--quiet", "--storage", first) == 0
    assert len(found("first", first).verified) == n_verified < len(found("second", first).verified)


def test_a_finished_copy_without_verified_networks_is_resumed(first):
    copy(first)
    assert command("resume", "second", "--quiet", "--storage", first) == 0
    assert found("second", first).verified
    assert next_study(all_studies(first)) is None


def test_the_copys_files_are_its_own(first):
    folder = Path(f"{database_of(first)}.artifacts")
    kept = {path.name for path in folder.iterdir()}
    copy(first)
    assert command("resume", "second", "--trials", 12, "--quiet", "--storage", first) == 0
    assert kept <= {path.name for path in folder.iterdir()}


def test_a_copy_goes_on_when_the_first_is_deleted(first):
    copy(first)
    optuna.delete_study(study_name="first", storage=first)
    assert command("resume", "second", "--trials", 7, "--quiet", "--storage", first) == 0
    assert numbers(first) == {"second": 7}


def test_a_renamed_study_goes_on_under_its_new_name(first, capsys):
    sql(first, "UPDATE studies SET study_name = 'renamed'")
    assert command("resume", "first", "--quiet", "--storage", first) == 2
    assert "There is no study 'first'" in capsys.readouterr().err
    assert command("resume", "renamed", "--trials", 6, "--quiet", "--storage", first) == 0
    assert numbers(first) == {"renamed": 6}


@pytest.mark.parametrize("name", ["second", "with spaces"])
def test_a_worker_trains_the_copy_it_was_asked_for(name, url, tiny_file, capsys):
    submitted = ("submit", "digits", "--name", "first", "--data", tiny_file, *SMALL, "--trials", 4, "--storage", url)
    assert command(*submitted) == 0
    copy(url, name)
    assert command("worker", name, "--quiet", "--storage", url) == 0
    assert f"Trained 4 networks of {name}." in capsys.readouterr().err
    waiting = {study.name: study.n_trials["waiting"] for study in all_studies(url)}
    assert waiting == {"first": 4, name: 0}


def test_a_worker_passes_over_a_study_in_which_nothing_moves(first, capsys, monkeypatch):
    """Whatever the cause: here the mark that it is finished never gets written."""
    from fewest.search.study.study import OpenStudy

    sql(first, "DELETE FROM study_user_attributes WHERE key = 'finished'")
    monkeypatch.setattr(OpenStudy, "finish", lambda _: None)
    assert command("worker", "--quiet", "--storage", first) == 0
    stuck, last = capsys.readouterr().err.splitlines()
    assert "'first' is passed over: Its work must end or move on, but nothing has changed." in stuck
    assert last == "No study has work left. Trained no network."


def test_a_worker_goes_on_with_a_study_that_somebody_moves(first, monkeypatch):
    """Trials are enqueued as often as the worker ends its pass, three times."""
    from fewest.search.study.study import OpenStudy

    finish, passes = OpenStudy.finish, []

    def then_more(study: OpenStudy) -> None:
        finish(study)
        passes.append(study)
        if len(passes) < 4:
            optuna.load_study(study_name="first", storage=first).enqueue_trial({"depth": 1, "width_1": 3})

    monkeypatch.setattr(OpenStudy, "finish", then_more)
    sql(first, "DELETE FROM study_user_attributes WHERE key = 'finished'")
    assert command("worker", "--quiet", "--storage", first) == 0
    assert len(passes) == 4
    [study] = all_studies(first)
    assert isinstance(study, StudyRecord)
    assert study.n_trials["waiting"] == 0
