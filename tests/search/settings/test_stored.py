"""The gate from stored attributes to typed records: ours, foreign or damaged; and what a trial may say of itself."""

import math

import pytest

from fewest.search.settings import stored
from fewest.search.settings.config import SettingsError
from fewest.search.settings.files import continued, finished_mark, is_finished, overridden
from fewest.search.settings.space import SearchSpace
from fewest.search.settings.stored import DamagedStudyError, ForeignStudyError, our_study, stored_config, trouble_with
from fewest.storage.trials.records import StudyRecord, TrialRecord

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
def attributes(tiny_config):
    return {"settings": tiny_config.settings(), "data": DATA, "environment": {"fewest": "0.1", "Python": "3.13"}}


FOREIGN = [
    {},
    {"data": "a path"},
    {"settings": "theirs"},
    {"settings": {"lr": 0.1}, "data": {"name": "theirs"}, "environment": {"host": "there"}},
    {"settings": ["budget"], "data": 3, "environment": None},
]


@pytest.mark.parametrize("theirs", FOREIGN)
def test_another_programs_study_is_foreign(theirs):
    assert trouble_with(StudyRecord(1, "theirs", theirs, {})) == "not made by fewest"
    with pytest.raises(ForeignStudyError, match="'theirs' was not made by fewest"):
        our_study(StudyRecord(1, "theirs", theirs, {}))


DAMAGE = [
    ({"settings": []}, "`settings` must be a table of settings, got []."),
    ({"settings": "no json"}, "got 'no json'"),
    ({"settings": {}}, "`data` must be given."),
    ({"settings": None}, "got None"),
    ({"data": {}}, "`data.name` must be there."),
    ({"data": {**DATA, "n_classes": "3"}}, "`data.n_classes` must be a valid integer, got '3'."),
    ({"data": [1]}, "got [1]"),
    ({"data": {**DATA, "fingerprint": 5}}, "`data.fingerprint`"),
    ({"data": {**DATA, "guessing": {"accuracy": 2.0}}}, "`data.guessing.accuracy`"),
    ({"best": 0.96}, "`best` must be a valid dictionary or instance of Best, got 0.96."),
    (
        {"best": {"accuracy": 1.5, "widths": [4], "seeds": 8}},
        "`best.accuracy` must be less than or equal to 1, got 1.5.",
    ),
]


@pytest.mark.parametrize(("overwritten", "said"), DAMAGE)
def test_an_overwritten_attribute_is_damage_and_says_which(overwritten, said, attributes):
    record = StudyRecord(1, "tiny", {**attributes, **overwritten}, {})
    with pytest.raises(DamagedStudyError, match="'tiny' is damaged"):
        our_study(record)
    assert said in trouble_with(record)
    assert trouble_with(record).startswith("damaged: ")


def test_an_older_study_knows_neither_metric_nor_guessing_nor_best(attributes, tiny_config):
    del attributes["settings"]["data"]["metric"]
    older = our_study(StudyRecord(1, "tiny", attributes, {}))
    assert (older.config.data.metric, older.data.guessing, older.best) == ("accuracy", {}, None)
    assert continued(older.config, tiny_config) == tiny_config
    with pytest.raises(SettingsError, match=r"data\.metric is 'accuracy', not 'balanced_accuracy'"):
        continued(older.config, overridden(tiny_config, ["data.metric=balanced_accuracy"]))


def test_an_older_study_says_that_it_counts_neurons(attributes, tiny_config):
    attributes["settings"]["space"]["size"] = "neurons"
    assert stored_config("tiny", attributes) == tiny_config
    attributes["settings"]["space"]["size"] = "parameters"
    with pytest.raises(DamagedStudyError, match=r"Unknown setting `space.size`"):
        stored_config("tiny", attributes)


def test_the_best_is_read(attributes):
    best = {"accuracy": 0.96, "widths": [], "seeds": 8}
    assert our_study(StudyRecord(1, "tiny", {**attributes, "best": best}, {})).best.accuracy == 0.96


@pytest.mark.parametrize("environment", [3, "text", None, [], {"Python": 3}])
def test_what_decides_nothing_does_no_harm(environment, attributes):
    ours = our_study(StudyRecord(1, "tiny", {**attributes, "environment": environment}, {}))
    assert ours.environment == {}


@pytest.mark.parametrize("name", ["second", "with spaces", "a/b", "-x", "", "ü" * 300])
def test_the_storages_name_is_the_name(name, attributes):
    config = stored_config(name, attributes)
    assert config.name == name
    assert overridden(config, ["budget.trials=99"]).name == name
    assert our_study(StudyRecord(1, name, attributes, {})).config.name == name


@pytest.mark.parametrize("mark", ["yes", 3, [], {}, {"verified": "all"}, None])
def test_an_overwritten_mark_says_nothing(mark, attributes, tiny_config):
    assert not is_finished(StudyRecord(1, "tiny", {**attributes, "finished": mark}, {}), tiny_config)


def test_a_copy_without_the_verified_networks_is_not_finished(attributes, tiny_config):
    marked = {**attributes, "finished": finished_mark(tiny_config.budget, 0, n_verified=5)}
    assert is_finished(StudyRecord(1, "tiny", marked, {}, n_verified=5), tiny_config)
    assert is_finished(StudyRecord(1, "tiny", marked, {}, n_verified=9), tiny_config)
    assert not is_finished(StudyRecord(2, "copy", marked, {}, n_verified=0), tiny_config)


def test_the_mark_of_an_older_version_counts(attributes, tiny_config):
    mark = finished_mark(tiny_config.budget, 0)
    del mark["verified"]
    assert is_finished(StudyRecord(1, "tiny", {**attributes, "finished": mark}, {}), tiny_config)


def trial(**changes) -> TrialRecord:
    values = dict.fromkeys(TrialRecord.__dataclass_fields__)
    facts = {"widths": (4, 2), "neurons": 6, "parameters": 84, "validation_accuracy": 0.9, "state": "complete"}
    return TrialRecord(**{**values, "trial_id": 1, "number": 0, **facts, **changes})


SPACE = SearchSpace(2, 1, 8)


def test_a_trial_that_can_be_is_left_alone():
    honest = trial()
    assert stored.plausible(honest, SPACE) is honest


@pytest.mark.parametrize("widths", [(9,), (0,), (1, 1, 1), None])
def test_widths_outside_the_space_are_left_out_with_their_sizes(widths):
    found = stored.plausible(trial(widths=widths), SPACE)
    assert (found.widths, found.neurons, found.parameters) == (None, None, None)


def test_sizes_are_those_of_the_widths():
    found = stored.plausible(trial(neurons=1, parameters=2), SPACE, lambda _: 84)
    assert (found.neurons, found.parameters) == (6, 84)


@pytest.mark.parametrize("accuracy", [-0.1, 1.1, math.inf, math.nan])
def test_an_accuracy_is_a_share(accuracy):
    assert stored.plausible(trial(validation_accuracy=accuracy), SPACE).validation_accuracy is None


def test_a_further_goal_is_not_finished_and_an_older_mark_has_reached_every_one(attributes, tiny_config):
    mark = finished_mark(tiny_config.budget, 0)
    further = overridden(tiny_config, ["budget.goal=depths"])
    assert not is_finished(StudyRecord(1, "tiny", {**attributes, "finished": mark}, {}), further)
    del mark["goal"]
    assert is_finished(StudyRecord(1, "tiny", {**attributes, "finished": mark}, {}), further)
