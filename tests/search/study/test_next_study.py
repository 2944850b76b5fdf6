"""Which study a worker takes up, hand-computed."""

from dataclasses import replace

import pytest

from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import finished_mark, overridden
from fewest.search.study.next_study import has_free_trials, next_study
from fewest.storage.trials.records import StudyRecord

DATA = {
    "name": "tiny.npz",
    "n_classes": 3,
    "input_shape": [4, 4],
    "n_training": 180,
    "n_validation": 60,
    "n_test": 60,
    "fingerprint": "f" * 64,
}


@pytest.fixture
def study(tiny_config: StudyConfig):
    """Makes a study of a budget of 8 trials as the storage has it."""

    def make(name: str, *, finished: bool = False, **n_trials: int) -> StudyRecord:
        attributes = {"settings": tiny_config.settings(), "data": DATA}
        if finished:
            attributes["finished"] = finished_mark(tiny_config.budget, n_trials.get("waiting", 0))
        return StudyRecord(1, name, attributes, n_trials)

    return make


def name_of(found: StudyRecord | None) -> str | None:
    return None if found is None else found.name


def test_the_oldest_with_trials_that_nobody_has_comes_first(study):
    studies = [study("busy", running=8), study("waiting", waiting=1, running=7), study("new")]
    assert name_of(next_study(studies)) == "waiting"
    assert name_of(next_study(studies, passed_over={"waiting"})) == "new"
    assert name_of(next_study(studies, names=["new", "busy"])) == "new"


def test_one_that_others_have_the_rest_of_is_better_than_none(study):
    studies = [study("training", running=1, complete=7), study("to-verify", complete=8)]
    assert name_of(next_study(studies)) == "training"
    assert name_of(next_study(studies, last="training")) == "to-verify"
    assert name_of(next_study(studies[:1], last="training")) == "training"


def test_one_with_budget_that_it_does_not_give_out_holds_nobody_from_the_next(study):
    """A study whose goal is the answer has trials left while another worker verifies that answer."""
    studies = [study("verifying", complete=4), study("new", waiting=4)]
    assert name_of(next_study(studies)) == "verifying"
    assert name_of(next_study(studies, last="verifying")) == "new"
    assert name_of(next_study(studies[:1], last="verifying")) == "verifying"


def test_a_goal_of_the_answer_gives_out_no_trials_while_it_verifies(study, tiny_config):
    goal = {"settings": overridden(tiny_config, ["budget.goal=answer"]).settings(), "data": DATA}
    verifying = StudyRecord(1, "verifying", goal, {"complete": 4}, n_verified=12)
    assert not has_free_trials(verifying)
    assert has_free_trials(replace(verifying, n_verified=0))
    assert has_free_trials(replace(verifying, attributes=study("front").attributes))
    assert name_of(next_study([verifying, study("new", waiting=4)])) == "new"
    assert name_of(next_study([verifying])) == "verifying"


def test_a_finished_study_is_left_alone_until_its_budget_grows(study, tiny_config):
    ended = study("ended", finished=True, complete=8)
    assert next_study([ended]) is None
    more = overridden(tiny_config, ["budget.trials=9"]).settings()
    grown = StudyRecord(1, "ended", {**ended.attributes, "settings": more}, ended.n_trials)
    assert name_of(next_study([grown])) == "ended"


def test_trials_that_waited_when_the_timeout_was_spent_do_not_count_and_later_ones_do(study):
    assert next_study([study("timed-out", finished=True, complete=5, waiting=3)]) is None
    later = study("timed-out", finished=True, complete=5)
    assert name_of(next_study([StudyRecord(1, later.name, later.attributes, {"waiting": 1})])) == "timed-out"


def test_a_study_of_another_program_is_for_whoever_takes_it_up_to_complain_of():
    foreign = StudyRecord(1, "foreign", {}, {"complete": 3})
    assert next_study([foreign]) is foreign
    assert not has_free_trials(foreign)
