"""Curves, results, studies and trials: written, read back, and gone with what they belong to."""

import hashlib
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial
from sqlalchemy import Engine as Database
from sqlalchemy import event

from fewest.storage.database.database import open_database
from fewest.storage.errors import NotFoundError, StorageError
from fewest.storage.trials.cohort_storage import CohortStorage, FinishedTrial
from fewest.storage.trials.curves import read_curves, write_curves
from fewest.storage.trials.records import CurvePoint, VerifiedNetwork
from fewest.storage.trials.results import read_results, write_results
from fewest.storage.trials.studies import read_studies, read_study, read_trials

NewStudy = Callable[..., int]

metrics = st.floats(width=64).map(lambda number: number + 0.0)  # SQLite keeps no minus zero.
points = st.builds(CurvePoint, st.integers(0, 10_000), metrics, metrics, metrics, metrics)


def trial_ids(database: Database, study_id: int) -> list[int]:
    return [trial.trial_id for trial in read_trials(database, study_id)]


def count(database: Database, table: str) -> int:
    with database.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def same(left: object, right: object) -> bool:
    return repr(left) == repr(right)  # NaN is not equal to itself, but written alike.


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(curve=st.lists(points, unique_by=lambda point: point.epoch, max_size=5))
def test_a_curve_comes_back_bit_by_bit_in_epoch_order(storage: CohortStorage, curve: list[CurvePoint]) -> None:
    studies = {study.study_name: study._study_id for study in storage.get_all_studies()}
    study_id = studies.get("curves") or storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "curves")
    [trial_id] = storage.create_trials(study_id, [None])
    assert write_curves(storage.engine, {trial_id: curve}) == frozenset()
    expected = sorted(curve, key=lambda point: point.epoch)
    assert same(read_curves(storage.engine, study_id).get(trial_id, []), expected)


def test_an_epoch_written_again_replaces_the_first(database: Database, new_study: NewStudy) -> None:
    study_id = new_study(n_trials=1)
    [trial_id] = trial_ids(database, study_id)
    write_curves(database, {trial_id: [CurvePoint(0, 1, 0.1, 1, 0.1), CurvePoint(1, 1, 0.2, 1, 0.2)]})
    write_curves(database, {trial_id: [CurvePoint(1, math.nan, 0.3, 1, 0.3)]})
    curve = read_curves(database, study_id)[trial_id]
    assert [point.accuracy for point in curve] == [0.1, 0.3]
    assert math.isnan(curve[1].loss)


def test_a_cohorts_curves_are_one_transaction(database: Database, new_study: NewStudy) -> None:
    study_id = new_study(n_trials=20)
    commits: list[object] = []
    event.listen(database, "commit", commits.append)
    write_curves(database, {i: [CurvePoint(0, 1, 0, 1, 0)] for i in trial_ids(database, study_id)})
    assert len(commits) == 1
    assert len(read_curves(database, study_id)) == 20


def test_curves_of_a_trial_deleted_meanwhile_are_reported_and_the_others_kept(
    database: Database, new_study: NewStudy
) -> None:
    study_id = new_study(n_trials=1)
    [trial_id] = trial_ids(database, study_id)
    point = CurvePoint(0, 1, 0, 1, 0)
    assert write_curves(database, {trial_id: [point], 987_654: [point]}) == {987_654}
    assert read_curves(database, study_id) == {trial_id: [point]}


def test_curves_of_other_studies_are_not_read(database: Database, new_study: NewStudy) -> None:
    first, second = new_study("first", 1), new_study("second", 1)
    for study_id in (first, second):
        write_curves(database, {i: [CurvePoint(0, study_id, 0, 1, 0)] for i in trial_ids(database, study_id)})
    assert [curve[0].loss for curve in read_curves(database, second).values()] == [second]


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


networks = st.builds(
    VerifiedNetwork,
    st.lists(st.integers(1, 4096), max_size=4).map(tuple),
    st.integers(-(2**63), 2**63 - 1),
    metrics,
    metrics,
    st.integers(0, 10_000),
    metrics,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(networks, unique_by=lambda network: network[:2], max_size=4))
def test_results_come_back_bit_by_bit(storage: CohortStorage, found: list[VerifiedNetwork]) -> None:
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE])
    write_results(storage.engine, study_id, found)
    expected = sorted(found, key=lambda network: (len(network.widths), network.widths, network.seed))
    assert same(read_results(storage.engine, study_id), expected)


def test_a_result_of_the_same_widths_and_seed_replaces_the_first(database: Database, new_study: NewStudy) -> None:
    study_id = new_study()
    write_results(database, study_id, [VerifiedNetwork((4,), 1, 0.5, 0.5, 3, 1.0)])
    write_results(database, study_id, [VerifiedNetwork((4,), 1, 0.7, 0.6, 3, 2.0)])
    assert read_results(database, study_id) == [VerifiedNetwork((4,), 1, 0.7, 0.6, 3, 2.0)]


def test_results_of_a_missing_study_are_an_error(database: Database) -> None:
    with pytest.raises(StorageError):
        write_results(database, 12345, [VerifiedNetwork((4,), 1, 0.5, 0.5, 3, 1.0)])


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
    ending = {"epochs": 15, "best_epoch": 14, "seconds": 2, "reason": "converged"}
    storage.finish_trials([FinishedTrial(trial_id, TrialState.COMPLETE, [20, 0.9625], ending)])
    [record] = read_trials(storage.engine, study_id)
    assert (record.trial_id, record.number, record.state) == (trial_id, 0, "complete")
    assert (record.widths, record.neurons, record.parameters, record.seed) == ((12, 8), 20, 9_614, 7)
    assert (record.epochs, record.best_epoch, record.seconds, record.reason) == (15, 14, 2.0, "converged")
    assert record.validation_accuracy == 0.9625
    assert record.started is not None
    assert record.completed is not None
    assert before < record.started <= record.completed < datetime.now(UTC) + timedelta(seconds=1)


def test_what_a_trial_lacks_or_holds_in_another_form_is_none(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    strange = {"widths": "12-8", "neurons": "many", "epochs": True, "seconds": None, "reason": 3, "seed": 0.5}
    storage.create_trials(study_id, [create_trial(state=TrialState.WAITING, user_attrs=strange)])
    [record] = read_trials(storage.engine, study_id)
    assert record.state == "waiting"
    lacking = (
        record.widths, record.neurons, record.parameters, record.seed, record.epochs, record.best_epoch,
        record.seconds, record.validation_accuracy, record.reason, record.started, record.completed,
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
    with pytest.raises(NotFoundError, match="has none yet"):
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


def test_ids_given_out_again_after_a_deletion_bring_no_old_curve_back(tmp_path: Path) -> None:
    """SQLite reuses the ids of deleted rows, and Optuna's own tools delete without foreign keys."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    storage = CohortStorage(url)
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "old")
    [old] = storage.create_trials(study_id, [None])
    write_curves(storage.engine, {old: [CurvePoint(0, 1, 0, 1, 0)]})
    plain = optuna.storages.RDBStorage(url)
    plain.delete_study(study_id)
    plain.engine.dispose()
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "new")
    assert storage.create_trials(study_id, [None]) == [old]
    assert read_curves(storage.engine, study_id) == {}


def test_a_deleted_trial_row_takes_its_curve_along(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    [trial_id] = storage.create_trials(study_id, [None])
    write_curves(storage.engine, {trial_id: [CurvePoint(0, 1, 0, 1, 0)]})
    with storage.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM trials WHERE trial_id = :id"), {"id": trial_id})
    assert count(storage.engine, "fewest_curves") == 0
