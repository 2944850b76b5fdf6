"""Studies and trials: read back as they are, and what is ours gone with what it belongs to."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import Engine as Database
from sqlalchemy import event
from storage_helpers import count

from fewest.storage.database.database import open_database
from fewest.storage.errors import NotFoundError
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import read_curves, write_curves
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.records import CurvePoint, VerifiedNetwork
from fewest.storage.trials.results import read_results, write_results
from fewest.storage.trials.studies import read_studies, read_study, read_trials

NewStudy = Callable[..., int]


def test_nothing_is_read_from_a_database_without_our_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    study = optuna.create_study(storage=url, study_name="theirs")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    database = open_database(url, create=False)
    record = read_study(database, "theirs")
    assert record.n_trials["complete"] == 2
    assert [trial.widths for trial in read_trials(database, record.study_id)] == [None, None]
    assert read_curves(database, record.study_id) == {}
    assert read_results(database, record.study_id) == []
    database.dispose()


@pytest.mark.parametrize("plain", [False, True], ids=["ours", "dashboard"])
def test_deleting_a_study_through_optuna_deletes_what_is_ours(url: str, plain: bool, new_study: NewStudy) -> None:
    """Also by Optuna's own storage, as the dashboard opens it, without foreign keys on SQLite."""
    database = open_database(url, create=True)
    storage = CohortStorage(url)
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "doomed")
    [trial_id] = storage.create_trials(study_id, [None])
    write_curves(database, {trial_id: [CurvePoint(0, 1, 0, 1, 0)]})
    write_results(database, study_id, [VerifiedNetwork((4,), 1, 0.5, 0.5, 3, 1.0)])
    deleting = optuna.storages.RDBStorage(url.replace("postgresql://", "postgresql+psycopg://")) if plain else storage
    deleting.delete_study(study_id)
    assert (count(database, "fewest_curves"), count(database, "fewest_results")) == (0, 0)
    for opened in (database, deleting.engine, storage.engine):
        opened.dispose()


def test_a_trial_record_holds_what_the_trial_has(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    before = datetime.now(UTC) - timedelta(seconds=1)
    facts = {"widths": [12, 8], "neurons": 20, "parameters": 9_614, "seed": 7}
    [trial_id] = storage.create_trials(study_id, [None])
    storage.set_attributes({trial_id: facts})
    ending = {"epochs": 15, "best_epoch": 14, "seconds": 2, "reason": "converged", "worker": "host-1-a"}
    storage.finish_trials([FinishedTrial(trial_id, TrialState.COMPLETE, [20, 0.9625], ending)])
    [record] = read_trials(storage.engine, study_id)
    assert (record.trial_id, record.number, record.state) == (trial_id, 0, "complete")
    assert (record.widths, record.neurons, record.parameters, record.seed) == ((12, 8), 20, 9_614, 7)
    assert (record.epochs, record.best_epoch, record.seconds, record.reason) == (15, 14, 2.0, "converged")
    assert record.worker == "host-1-a"
    assert record.validation_accuracy == 0.9625
    assert record.started is not None
    assert record.completed is not None
    assert before < record.started <= record.completed < datetime.now(UTC) + timedelta(seconds=1)


def test_what_a_trial_lacks_or_holds_in_another_form_is_none(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    strange = {
        "widths": "12-8",
        "neurons": "many",
        "epochs": True,
        "seconds": None,
        "reason": 3,
        "seed": 0.5,
        "worker": 4,
    }
    storage.create_trials(study_id, [create_trial(state=TrialState.WAITING, user_attrs=strange)])
    [record] = read_trials(storage.engine, study_id)
    assert record.state == "waiting"
    lacking = (
        record.widths, record.neurons, record.parameters, record.seed, record.epochs, record.best_epoch,
        record.seconds, record.validation_accuracy, record.reason, record.started, record.completed,
        record.worker,
    )  # fmt: skip
    assert set(lacking) == {None}


def test_no_widths_are_softmax_alone(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    storage.create_trials(study_id, [create_trial(state=TrialState.RUNNING, user_attrs={"widths": []})])
    assert read_trials(storage.engine, study_id)[0].widths == ()


def test_reading_trials_takes_as_many_queries_for_many_as_for_one(database: Database, new_study: NewStudy) -> None:
    statements: list[object] = []
    event.listen(database, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    n_statements = []
    for name, n_trials in (("one", 1), ("many", 50)):
        study_id = new_study(name, n_trials)
        statements.clear()
        assert [trial.number for trial in read_trials(database, study_id)] == list(range(n_trials))
        n_statements.append(len(statements))
    assert n_statements[0] == n_statements[1] <= 4


def test_a_study_record_counts_trials_by_state_and_carries_attributes(
    storage: CohortStorage, new_study: NewStudy
) -> None:
    study_id = new_study("mine", 2)
    new_study("other", 5)
    storage.create_trials(study_id, [create_trial(state=TrialState.WAITING)] * 3)
    storage.set_study_user_attr(study_id, "settings", {"trials": 5})
    record = read_study(storage.engine, "mine")
    assert (record.study_id, record.name) == (study_id, "mine")
    assert record.attributes == {"settings": {"trials": 5}}
    assert record.n_trials == {"running": 2, "complete": 0, "pruned": 0, "fail": 0, "waiting": 3}
    assert [study.name for study in read_studies(storage.engine)] == ["mine", "other"]


def test_an_unknown_study_names_the_nearest_and_what_there_is(database: Database, new_study: NewStudy) -> None:
    with pytest.raises(NotFoundError, match=r"^There are no studies in .* yet\."):
        read_study(database, "mnits")
    new_study("mnist")
    new_study("digits")
    with pytest.raises(NotFoundError, match=r"Did you mean 'mnist'\? It has 'mnist', 'digits'\."):
        read_study(database, "mnits")


def test_reading_never_writes(storage: CohortStorage, new_study: NewStudy, tmp_path: Path) -> None:
    if storage.engine.dialect.name != "sqlite":
        pytest.skip("A server's files cannot be compared.")
    study_id = new_study(n_trials=3)
    storage.engine.dispose()
    file = tmp_path / "study.db"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    database = open_database(f"sqlite:///{file}", create=False)
    read_studies(database)
    read_trials(database, study_id)
    read_curves(database, study_id)
    read_results(database, study_id)
    database.dispose()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.db"]


def test_trials_are_read_from_an_id_on_and_some_older_ones_as_well(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study(n_trials=4)
    complete = create_trial(state=TrialState.COMPLETE, values=[4.0, 0.5], user_attrs={"neurons": 4})
    storage.create_trials(study_id, [complete])
    ids = [trial.trial_id for trial in read_trials(storage.engine, study_id)]
    assert [trial.number for trial in read_trials(storage.engine, study_id, since=ids[3], also=[ids[1]])] == [1, 3, 4]
    [old, _] = read_trials(storage.engine, study_id, since=ids[4], also=[ids[0]])
    assert (old.number, old.widths) == (0, (4,))
    [last] = read_trials(storage.engine, study_id, since=ids[4] + 1, also=[ids[4]])
    assert (last.neurons, last.validation_accuracy) == (4, 0.5)
