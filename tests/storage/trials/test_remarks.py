"""Remarks: what optuna-dashboard then shows, what others wrote stays, and only what differs is written."""

from collections.abc import Mapping
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna_dashboard import get_note, save_note

from fewest.storage.database.tables import study_system_attributes
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.remarks import BELOW, write_remarks

KEYS = ("verified_accuracy", "verified_seeds")


@pytest.fixture
def study(storage: CohortStorage) -> optuna.Study:
    """A study of two finished trials, after another study with one."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(storage=storage, study_name="other").add_trial(optuna.trial.create_trial(value=1.0))
    made = optuna.create_study(storage=storage, study_name="mine")
    for value in (1.0, 2.0):
        made.add_trial(optuna.trial.create_trial(value=value, user_attrs={"widths": [4]}))
    return made


def remark(study: optuna.Study, notes: Mapping[int | None, str], attributes: Any = None) -> bool:
    """Write remarks; trials are named by their number."""
    ids: dict[int | None, int | None] = {None: None}
    ids |= {trial.number: trial._trial_id for trial in study.get_trials(deepcopy=False)}
    database = study._storage._backend.engine  # type: ignore[attr-defined]  # Optuna's cache is around it.
    described = {ids[number]: values for number, values in (attributes or {}).items()}
    named = {ids[number]: note for number, note in notes.items()}
    return write_remarks(database, study._study_id, "mine", named, described, keys=KEYS)


def note_of(study: optuna.Study, number: int | None) -> str:
    """A note as optuna-dashboard reads it."""
    if number is None:
        return str(get_note(study))
    return str(get_note(optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)))


def rows(storage: CohortStorage) -> list[Any]:
    """Everything that notes are stored in."""
    with storage.engine.connect() as connection:
        return list(connection.execute(sa.select(study_system_attributes).order_by(sa.text("1"))))


def test_notes_are_those_of_the_dashboard(study: optuna.Study) -> None:
    assert remark(study, {None: "13 neurons", 1: "on the front"})
    assert note_of(study, None) == f"13 neurons{BELOW}"
    assert note_of(study, 1) == f"on the front{BELOW}"
    assert note_of(study, 0) == ""


@pytest.mark.parametrize("length", [2044, 2045, 2046, 9000])
def test_a_long_note_comes_back_whole_and_a_short_one_after_it(study: optuna.Study, length: int) -> None:
    for body in ("13 ä" * (length // 4), "12"):
        remark(study, {None: body})
        assert note_of(study, None) == body + BELOW


def test_what_others_wrote_stays_below(study: optuna.Study) -> None:
    save_note(study, "mine")
    remark(study, {None: "13 neurons"})
    save_note(study, note_of(study, None) + ", too")
    remark(study, {None: "12 neurons"})
    assert note_of(study, None) == f"12 neurons{BELOW}mine, too"


def test_a_trial_that_left_the_front_keeps_what_others_wrote(study: optuna.Study) -> None:
    remark(study, {0: "on the front", 1: "on the front"})
    save_note(optuna.Trial(study, study.get_trials(deepcopy=False)[1]._trial_id), f"on the front{BELOW}mine")
    remark(study, {})
    assert (note_of(study, 0), note_of(study, 1)) == ("", "mine")


def test_the_dashboard_notices_that_a_note_has_changed(study: optuna.Study) -> None:
    versions = []
    for body in ("13", "13", "12"):
        remark(study, {None: body})
        versions.append(study._storage.get_study_system_attrs(study._study_id)["dashboard:note_ver"])
    assert versions == [1, 1, 2]


def test_the_same_again_writes_nothing(study: optuna.Study, storage: CohortStorage) -> None:
    remarks: Any = ({None: "13", 0: "front"}, {0: {"verified_accuracy": 0.9, "verified_seeds": 20}})
    remark(study, *remarks)
    before = rows(storage)
    statements: list[str] = []
    sa.event.listen(storage.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    remark(study, *remarks)
    assert rows(storage) == before
    assert not [text for text in statements if text.startswith(("INSERT", "UPDATE", "DELETE"))]


def test_finished_trials_get_attributes_and_lose_them_again(study: optuna.Study, storage: CohortStorage) -> None:
    def seen() -> list[dict[str, Any]]:
        return [trial.user_attrs for trial in storage.get_all_trials(study._study_id)]

    remark(study, {}, {0: {"verified_accuracy": 0.9, "verified_seeds": 2}})
    assert seen() == [{"widths": [4], "verified_accuracy": 0.9, "verified_seeds": 2}, {"widths": [4]}]
    remark(study, {}, {0: {"verified_accuracy": 0.91, "verified_seeds": 4}, 1: {"verified_seeds": 1}})
    assert seen() == [
        {"widths": [4], "verified_accuracy": 0.91, "verified_seeds": 4},
        {"widths": [4], "verified_seeds": 1},
    ]
    remark(study, {})
    assert seen() == [{"widths": [4]}, {"widths": [4]}]


def test_other_studies_are_left_alone(study: optuna.Study, storage: CohortStorage) -> None:
    other = optuna.load_study(storage=storage, study_name="other")
    save_note(other, f"theirs{BELOW}")
    other_attributes = {"verified_accuracy": 0.5}
    optuna.create_study(storage=storage, study_name="third").add_trial(
        optuna.trial.create_trial(value=1.0, user_attrs=other_attributes)
    )
    remark(study, {None: "13"})
    assert note_of(other, None) == f"theirs{BELOW}"
    assert optuna.load_study(storage=storage, study_name="third").get_trials()[0].user_attrs == other_attributes


def test_a_study_that_was_renamed_gets_none(study: optuna.Study, storage: CohortStorage) -> None:
    database = storage.engine
    assert not write_remarks(database, study._study_id, "former name", {None: "13"}, {}, keys=KEYS)
    assert note_of(study, None) == ""


def test_damaged_notes_are_written_anew(study: optuna.Study, storage: CohortStorage) -> None:
    study._storage.set_study_system_attr(study._study_id, "dashboard:note_ver", "newest")
    study._storage.set_study_system_attr(study._study_id, "dashboard:note_str:0", 3)
    study._storage.set_study_system_attr(study._study_id, "dashboard:note_str:7", None)
    remark(study, {None: "13"})
    assert note_of(study, None) == f"13{BELOW}"
