"""A study read again and again: what changed is seen, what ended is read once, and a study that goes is noticed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers import sqlite_url
from optuna.trial import TrialState, create_trial

from fewest.dashboards import live_state
from fewest.dashboards.live_state import Follower
from fewest.search.settings.files import load
from fewest.storage.database.database import open_database
from fewest.storage.errors import NotFoundError, StudyGoneError
from fewest.storage.trials.cohort_storage import CohortStorage, optuna_storage
from fewest.storage.trials.curves import write_curves
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.processes import Process
from fewest.storage.trials.records import CurvePoint, VerifiedNetwork
from fewest.storage.trials.results import write_results
from fewest.storage.trials.studies import read_trials

ELSEWHERE = Process("elsewhere", "another kernel's boot", 7, "1")


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty storage: a SQLite file, or as a test asks for it a PostgreSQL database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("empty_postgresql"))
    return sqlite_url(tmp_path / "s.db")


@pytest.fixture
def storage(url: str) -> Iterator[CohortStorage]:
    opened = optuna_storage(url)
    yield opened
    opened.remove_session()
    opened.engine.dispose()


@pytest.fixture
def study(storage: CohortStorage) -> optuna.Study:
    """A study of ours, without trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(storage=storage, study_name="digits", directions=["minimize", "maximize"])
    sizes = {"n_classes": 10, "n_training": 1000, "n_validation": 300, "n_test": 300}
    made.set_user_attr("settings", load("digits").settings())
    made.set_user_attr("data", {"name": "digits", "input_shape": [8, 8], "fingerprint": "f" * 64, **sizes})
    made.set_user_attr("environment", {"fewest": "0.2"})
    return made


@pytest.fixture
def follower(url: str, study: optuna.Study) -> Iterator[Follower]:
    database = open_database(url, create=False)
    yield Follower(database, "digits")
    database.dispose()


def ask(storage: CohortStorage, study: optuna.Study, *widths: int, leases: Leases | None = None) -> int:
    """A running trial."""
    facts = {"widths": list(widths), "neurons": sum(widths), "seed": 0}
    template = create_trial(state=TrialState.RUNNING, user_attrs=facts)
    [trial_id] = storage.create_trials(study._study_id, [template], leases=leases)
    return trial_id


def tell(storage: CohortStorage, trial_id: int, accuracy: float | None) -> None:
    """Complete a trial, or prune it."""
    if accuracy is None:
        storage.set_trial_user_attr(trial_id, "reason", "hopeless")
        storage.set_trial_state_values(trial_id, TrialState.PRUNED)
    else:
        storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [4.0, accuracy])


@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_each_read_shows_what_has_changed(storage: CohortStorage, study: optuna.Study, follower: Follower) -> None:
    first, second, third = (ask(storage, study, width) for width in (2, 4, 8))
    assert [trial.number for trial in follower.read(0.0).running] == [2, 1, 0]
    tell(storage, second, 0.9)
    tell(storage, third, None)
    write_curves(storage.engine, {first: [CurvePoint(0, 1, 0, 1, 0.5), CurvePoint(1, 1, 0, 1, 0.6)]})
    state = follower.read(1.0)
    assert [(trial.number, trial.accuracies) for trial in state.running] == [(0, (0.5, 0.6))]
    assert [(point.trial, point.size, point.accuracy) for point in state.front] == [(1, 4, 0.9)]
    assert [(trial.number, trial.reason) for trial in state.pruned] == [(2, "hopeless")]
    tell(storage, first, 0.95)
    assert [(point.trial, point.size) for point in follower.read(2.0).front] == [(0, 2)]


def test_ended_trials_are_read_once_though_an_old_one_still_runs(
    storage: CohortStorage, study: optuna.Study, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ask(storage, study, 1)
    for width in (2, 4, 8):
        tell(storage, ask(storage, study, width), 0.9)
    follower.read(0.0)
    read: list[list[int]] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        found = read_trials(*arguments, **options)
        read.append([trial.trial_id for trial in found])
        return found

    monkeypatch.setattr(live_state, "read_trials", counted)
    follower.read(1.0)
    assert read == [[old]]


def test_answers_are_worked_out_again_only_after_more_verification(
    storage: CohortStorage, study: optuna.Study, follower: Follower
) -> None:
    assert follower.read(0.0).answers == ()
    write_results(storage.engine, study._study_id, [VerifiedNetwork((4,), 0, 0.9, 0.9, 30, 1.0)])
    verified = follower.read(1.0)
    assert [answer.accuracy for answer in verified.answers] == list(load("digits").budget.targets)
    assert follower.read(2.0).answers is verified.answers


def test_a_worker_that_falls_silent_is_seen_to(storage: CohortStorage, study: optuna.Study, follower: Follower) -> None:
    leases = Leases(storage.engine, "there", lease_seconds=30.0, process=ELSEWHERE)
    ask(storage, study, 4, leases=leases)
    [unheard] = follower.read(0.0).workers
    assert (unheard.heard, unheard.is_gone) == (False, False)
    leases.beat()
    [alive] = follower.read(10.0).workers
    assert (alive.heard, alive.silent_seconds, alive.is_gone) == (True, 0.0, False)
    [silent] = follower.read(41.0).workers
    assert (silent.silent_seconds, silent.is_gone) == (31.0, True)


def test_a_silent_worker_without_trials_is_left_out(
    storage: CohortStorage, study: optuna.Study, follower: Follower
) -> None:
    leases = Leases(storage.engine, "there", lease_seconds=30.0, process=ELSEWHERE)
    tell(storage, ask(storage, study, 4, leases=leases), 0.9)
    assert len(follower.read(0.0).workers) == 1
    assert follower.read(31.0).workers == ()


def test_a_study_that_never_was_and_one_that_goes_are_told_apart(
    storage: CohortStorage, study: optuna.Study, follower: Follower
) -> None:
    with pytest.raises(NotFoundError, match="There is no study 'digit'"):
        Follower(storage.engine, "digit").read(0.0)
    follower.read(0.0)
    optuna.delete_study(study_name="digits", storage=storage)
    with pytest.raises(StudyGoneError, match="'digits'"):
        follower.read(1.0)
