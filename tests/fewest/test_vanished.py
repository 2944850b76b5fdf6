"""A study or a trial that somebody deletes, renames or tells while it is trained: one line, and nothing else lost."""

import sqlite3
from collections.abc import Callable

import optuna
import pytest

from fewest.cli import main
from fewest.dashboards.found import all_studies, found
from fewest.job import Manner
from fewest.search.study.study import OpenStudy
from fewest.search.training.population.engine import PopulationEngine
from fewest.search.watch import StudyWatch

pytestmark = pytest.mark.slow

SMALL = (
    *("--set", "training.epochs=2", "--set", "space.max_depth=1", "--set", "space.max_width=8"),
    *("--set", "budget.targets=[0.5]", "--quiet"),
)


class SmallCohorts(PopulationEngine):
    def cohort_size(self, *_: object) -> int:
        return 4


def fewest(*arguments: object) -> int:
    """Runs a command with cohorts of four networks; gives its exit status."""
    try:
        main([str(argument) for argument in arguments], Manner(make_engine=lambda _: SmallCohorts()))
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def run(url, data, *more: object) -> int:
    command = ("run", "digits", "--data", data, *SMALL, "--trials", 8, "--set", "budget.verification_seeds=3")
    return fewest(*command, "--storage", url, *more)


def sql(url: str, statement: str, *values: object) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute(statement, values)
    connection.close()


def delete(url: str) -> None:
    optuna.delete_study(study_name="digits", storage=url)


def delete_by_sql(url: str) -> None:
    for table in ("study_user_attributes", "study_system_attributes", "study_directions", "trials", "studies"):
        sql(url, f"DELETE FROM {table} WHERE study_id = 1")


def rename(url: str) -> None:
    sql(url, "UPDATE studies SET study_name = 'renamed' WHERE study_id = 1")


def once(monkeypatch, owner: type, method: str, act: Callable[[], None]) -> None:
    """Acts at the first call of a method, before it."""
    original, acted = getattr(owner, method), []

    def acting(*arguments, **named):
        if not acted:
            acted.append(True)
            act()
        return original(*arguments, **named)

    monkeypatch.setattr(owner, method, acting)


MOMENTS = [
    (StudyWatch, "record"),
    (OpenStudy, "tell"),
    (OpenStudy, "ask"),
    (OpenStudy, "may_verify"),
    (OpenStudy, "write_results"),
    (OpenStudy, "finish"),
    (OpenStudy, "keep_file"),
]


@pytest.mark.parametrize(
    ("act", "owner", "method"),
    [
        *((delete, *moment) for moment in MOMENTS),
        *((act, *moment) for act in (delete_by_sql, rename) for moment in (MOMENTS[0], MOMENTS[3])),
    ],
)
def test_a_study_that_is_gone_is_one_line(act, owner, method, url, tiny_file, monkeypatch, capsys):
    once(monkeypatch, owner, method, lambda: act(url))
    assert run(url, tiny_file) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "Error: Study 'digits' must stay in the storage while it runs, but was deleted or renamed." in line


def test_a_worker_passes_over_a_study_that_is_gone_and_ends_the_others(url, tiny_file, monkeypatch, capsys):
    for name in ("digits", "other"):
        submit = ("submit", "digits", "--name", name, "--data", tiny_file, *SMALL[:-1], "--trials", 4)
        assert fewest(*submit, "--set", "budget.verification_seeds=0", "--storage", url) == 0
    capsys.readouterr()
    once(monkeypatch, StudyWatch, "record", lambda: delete(url))
    assert fewest("worker", "--quiet", "--storage", url) == 0
    gone, last = capsys.readouterr().err.splitlines()
    assert "Study 'digits' is passed over" in gone
    assert "4 networks of other" in last
    assert [study.name for study in all_studies(url)] == ["other"]


def test_trials_are_not_written_into_a_study_that_got_the_key(url, tiny_file, monkeypatch, capsys):
    """SQLite gives the key of a deleted study to the next one."""

    def replace() -> None:
        delete(url)
        optuna.create_study(storage=url, study_name="theirs")

    once(monkeypatch, OpenStudy, "tell", replace)
    assert run(url, tiny_file) == 1
    [theirs] = all_studies(url)
    assert (theirs.name, dict(theirs.attributes), sum(theirs.n_trials.values())) == ("theirs", {}, 0)


@pytest.mark.parametrize("engine", ["population", "keras"])
@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("method", ["record", "judge"])
def test_a_trial_deleted_in_training_costs_that_trial_only(engine, number, method, url, tiny_file, monkeypatch):
    act = "DELETE FROM trials WHERE number = ?"
    once(monkeypatch, StudyWatch, method, lambda: sql(url, act, number))
    assert run(url, tiny_file, "--engine", engine, "--set", "budget.verification_seeds=0") == 0
    trials = found("digits", url).trials
    assert {trial.number for trial in trials} >= set(range(8)) - {number}
    assert {trial.state for trial in trials} <= {"complete", "pruned"}


def test_the_first_ended_trial_deleted_before_verification_stops_nothing(url, tiny_file, monkeypatch):
    once(monkeypatch, OpenStudy, "may_verify", lambda: sql(url, "DELETE FROM trials WHERE number = 0"))
    assert run(url, tiny_file) == 0
    assert found("digits", url).verified


@pytest.mark.parametrize("engine", ["population", "keras"])
@pytest.mark.parametrize("values", [[3.0, 0.5], None])
@pytest.mark.parametrize(("owner", "method"), [(StudyWatch, "record"), (OpenStudy, "tell"), (OpenStudy, "_described")])
def test_a_trial_told_by_another_program_stays_as_it_was_told(
    engine, values, owner, method, url, tiny_file, monkeypatch
):
    def tell() -> None:
        study = optuna.load_study(study_name="digits", storage=url)
        state = optuna.trial.TrialState.FAIL if values is None else None
        study.tell(1, values, state=state)

    once(monkeypatch, owner, method, tell)
    assert run(url, tiny_file, "--engine", engine, "--set", "budget.verification_seeds=0") == 0
    trials = found("digits", url).trials
    assert len(trials) == 8
    assert trials[1].state == ("fail" if values is None else "complete")
    assert values is None or trials[1].validation_accuracy == 0.5
    assert all(trial.state in ("complete", "pruned") for trial in trials if trial.number != 1)
