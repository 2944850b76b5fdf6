"""Curves: written, read back, and gone with what they belong to."""

import math
from collections.abc import Callable
from pathlib import Path

import optuna
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine as Database
from sqlalchemy import event
from storage_helpers import count, same

from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import read_curves, read_curves_of, write_curves
from fewest.storage.trials.records import CurvePoint
from fewest.storage.trials.studies import read_trials

NewStudy = Callable[..., int]

metrics = st.floats(width=64).map(lambda number: number + 0.0)  # SQLite keeps no minus zero.
points = st.builds(CurvePoint, st.integers(0, 10_000), metrics, metrics, metrics, metrics)


def trial_ids(database: Database, study_id: int) -> list[int]:
    return [trial.trial_id for trial in read_trials(database, study_id)]


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


def test_curves_of_some_trials_are_read(database: Database, new_study: NewStudy) -> None:
    first, second, third = trial_ids(database, new_study(n_trials=3))
    write_curves(database, {i: [CurvePoint(0, i, 0, 1, 0)] for i in (first, second, third)})
    assert {i: curve[0].loss for i, curve in read_curves_of(database, [first, third]).items()} == {
        first: first,
        third: third,
    }
    assert read_curves_of(database, []) == {}


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
