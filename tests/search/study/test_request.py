"""What is asked for through Optuna's own interface: trained as it was asked for, or failed with its reason."""

import math
import sqlite3

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from fewest.search.listener import Listener
from fewest.search.loop import search
from fewest.search.settings.files import overridden
from fewest.search.settings.space import SearchSpace
from fewest.search.study.opening import open_study
from fewest.search.study.request import is_whole, requested_architecture
from fewest.search.training.engines import ENGINES
from fewest.storage.database.database import open_database
from fewest.storage.trials.cohort_storage import optuna_storage
from fewest.storage.trials.records import TrialRecord
from fewest.storage.trials.studies import read_study, read_trials

SPACE = SearchSpace(max_depth=2, min_width=1, max_width=8)

REFUSED = {
    "no unit": ({"depth": 1, "width_1": 0}, "`width_1` must be a whole number in 1..8, got 0."),
    "too wide": ({"depth": 1, "width_1": 9}, "got 9"),
    "a wrong width beyond the depth": ({"depth": 0, "width_1": -1}, "got -1"),
    "too deep": (
        {"depth": 3, "width_1": 1, "width_2": 1, "width_3": 1},
        "`depth` must be a whole number in 0..2, got 3.",
    ),
    "an unknown name": ({"neurons": 5}, "Parameters must be among depth, width_1, width_2, got 'neurons'."),
    "a layer the space has not": ({"depth": 2, "width_1": 1, "width_3": 1}, "got 'width_3'"),
    "text": ({"depth": "1", "width_1": 4}, "got '1'"),
    "a share": ({"depth": 1, "width_1": 4.5}, "got 4.5"),
    "a float": ({"depth": 1.0, "width_1": 4}, "got 1.0"),
    "no number": ({"depth": 1, "width_1": math.nan}, "got nan"),
    "a truth": ({"depth": True, "width_1": 4}, "got True"),
    "a list": ({"depth": 1, "width_1": [4]}, "got [4]"),
    "nothing": ({"depth": None}, "got None"),
}


@pytest.mark.parametrize(("parameters", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_space_does_not_have_is_refused_with_its_reason(parameters, said):
    found = requested_architecture(parameters, SPACE)
    assert isinstance(found, str)
    assert said in found


def test_what_the_space_has_is_taken_as_it_is():
    assert requested_architecture({"depth": 2, "width_1": 8, "width_2": 1}, SPACE) == (8, 1)
    assert requested_architecture({"depth": 1, "width_1": 5, "width_2": 7}, SPACE) == (5,)
    assert requested_architecture({"depth": 0}, SPACE) == ()
    assert not is_whole({"depth": 2, "width_1": 3})
    assert not is_whole({"width_1": 3})


LISTENER = Listener(lambda _: None, lambda: None, lambda _: None, lambda: False)


def run(url, config, data) -> None:
    with open_study(optuna_storage(url), config, data) as study:
        search(study, ENGINES[config.engine](), LISTENER)


def trials_of(url) -> list[TrialRecord]:
    database = open_database(url, create=False)
    found = read_trials(database, read_study(database, "tiny").study_id)
    database.dispose()
    return found


@pytest.fixture
def begun(url, tiny_config, tiny_data) -> optuna.Study:
    """A study whose ladder of five is trained, open in Optuna."""
    run(url, overridden(tiny_config, ["budget.trials=5"]), tiny_data)
    return optuna.load_study(storage=url, study_name="tiny")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["population", "keras"])
def test_wrong_requests_fail_and_the_study_goes_on(engine, url, tiny_config, tiny_data):
    config = overridden(tiny_config, [f"engine={engine}", "budget.trials=5"])
    run(url, config, tiny_data)
    study = optuna.load_study(storage=url, study_name="tiny")
    for parameters, _ in REFUSED.values():
        study.enqueue_trial(parameters)
    study.enqueue_trial({"depth": 1, "width_1": 7})
    run(url, overridden(config, ["budget.trials=24"]), tiny_data)
    *refused, asked = trials_of(url)[5 : 6 + len(REFUSED)]
    for trial, (_, said) in zip(refused, REFUSED.values(), strict=True):
        assert trial.state == "fail"
        assert said in (trial.reason or "")
    assert asked.widths == (7,)
    assert asked.state in ("complete", "pruned")
    assert len(trials_of(url)) == 24
    assert {trial.state for trial in trials_of(url)} <= {"complete", "pruned", "fail"}


def test_a_study_whose_only_waiting_trials_are_wrong_trains_its_budget(begun, url, tiny_config, tiny_data):
    begun.enqueue_trial({"depth": 9})
    run(url, tiny_config, tiny_data)
    states = [trial.state for trial in trials_of(url)]
    assert states[5] == "fail"
    assert len(states) == 8


@pytest.mark.parametrize("fixed", [{}, {"depth": 2}, {"depth": 2, "width_1": 3}, {"width_1": 3}])
def test_optuna_suggests_what_is_not_fixed(fixed, begun, url, tiny_config, tiny_data):
    begun.enqueue_trial(fixed)
    run(url, overridden(tiny_config, ["budget.trials=6"]), tiny_data)
    trial = trials_of(url)[5]
    assert trial.state in ("complete", "pruned")
    assert trial.widths in SPACE
    assert "depth" not in fixed or len(trial.widths) == 2
    assert "width_1" not in fixed or not trial.widths or trial.widths[0] == 3


@pytest.mark.parametrize("widths", [[3], [999], "three", {"a": 1}])
def test_forged_widths_are_what_the_parameters_say(widths, begun, url, tiny_config, tiny_data):
    begun.enqueue_trial({"depth": 1, "width_1": 6}, user_attrs={"widths": widths, "seed": -1, "cohort": "x"})
    run(url, overridden(tiny_config, ["budget.trials=6"]), tiny_data)
    trial = trials_of(url)[5]
    assert trial.widths == (6,)
    assert trial.neurons == 6
    assert trial.seed


@pytest.mark.parametrize(
    ("value", "distribution"),
    [
        ("two", CategoricalDistribution(["one", "two"])),
        (1.5, FloatDistribution(0, 2)),
        (30, IntDistribution(1, 99, log=True)),
    ],
)
def test_parameters_of_an_added_trial_are_checked_too(value, distribution, begun, url, tiny_config, tiny_data):
    added = create_trial(
        state=TrialState.WAITING,
        params={"depth": 2, "width_1": 2, "width_2": value},
        distributions={
            "depth": IntDistribution(0, 2),
            "width_1": IntDistribution(1, 8, log=True),
            "width_2": distribution,
        },
    )
    begun.add_trial(added)
    run(url, overridden(tiny_config, ["budget.trials=24"]), tiny_data)
    trials, trial = trials_of(url), trials_of(url)[5]
    assert trial.state == "fail"
    assert any(len(later.widths) == 2 for later in trials[6:])  # Its distribution binds no other trial.
    assert "`width_2` must be a whole number in 1..8" in trial.reason


@pytest.mark.parametrize("fixed", ["no json", "[1]", '"text"'])
def test_a_request_that_is_no_table_fails(fixed, begun, url, tiny_config, tiny_data):
    begun.enqueue_trial({"depth": 1, "width_1": 2})
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE trial_system_attributes SET value_json = ? WHERE key = 'fixed_params'", [fixed])
    connection.close()
    run(url, overridden(tiny_config, ["budget.trials=6"]), tiny_data)
    trial = trials_of(url)[5]
    assert trial.state == "fail"
    assert "Parameters must be among" in trial.reason


def test_a_complete_trial_that_cannot_be_is_no_part_of_the_front(begun, url, tiny_config, tiny_data):
    forged = {"widths": [1] * 5, "neurons": 0, "parameters": 1, "seed": 1}
    begun.add_trial(create_trial(values=[0.0, 1.0], user_attrs=forged))
    begun.add_trial(create_trial(values=[0.0, 7.0], user_attrs={**forged, "widths": [1]}))
    run(url, overridden(tiny_config, ["budget.trials=10"]), tiny_data)
    trials = trials_of(url)
    assert len(trials) == 10
    assert all(trial.widths in SPACE for trial in trials[7:])


def test_what_fails_within_ask_leaves_no_trial_running(begun, url, tiny_config, tiny_data, monkeypatch):
    begun.enqueue_trial({"depth": 1, "width_1": 2})
    with open_study(optuna_storage(url), overridden(tiny_config, ["budget.trials=6"]), tiny_data) as study:
        monkeypatch.setattr(study._storage, "set_attributes", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            study.ask(4)
        assert trials_of(url)[5].state == "waiting"
