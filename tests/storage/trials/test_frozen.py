"""Trials read by table are those that Optuna reads row by row."""

import math
from collections.abc import Callable

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from fewest.storage.trials import frozen
from fewest.storage.trials.cohort_storage import CohortStorage

PARTS = {
    "params": {"kind": "b", "depth": 2, "rate": 0.5},
    "distributions": {
        "kind": CategoricalDistribution(("a", None, "b")),
        "depth": IntDistribution(0, 3),
        "rate": FloatDistribution(0.1, 1, log=True),
    },
    "user_attrs": {"widths": [4, 2], "reason": "\u00e4", "z": None},
    "system_attrs": {"fixed_params": {"depth": 2}},
    "intermediate_values": {3: math.inf, 0: 0.25, 1: -math.inf},
}
ENDS = {
    "complete": create_trial(state=TrialState.COMPLETE, values=[math.inf, -0.5], **PARTS),
    "bare": create_trial(state=TrialState.COMPLETE, values=[-math.inf, 0.0]),
    "pruned": create_trial(state=TrialState.PRUNED, **PARTS),
    "running": create_trial(state=TrialState.RUNNING, **PARTS),
    "waiting": create_trial(state=TrialState.WAITING),
    "failed": create_trial(state=TrialState.FAIL),
}


@pytest.fixture
def study_id(storage: CohortStorage, new_study: Callable[..., int]) -> int:
    """A study with two trials of each kind, among those of another one."""
    made, other = new_study(), new_study("other", 2)
    for template in [*ENDS.values(), *ENDS.values()]:
        storage.create_new_trial(made, template)
        storage.create_new_trial(other, template)
    return made


@pytest.mark.parametrize("most_listed", [500, 1], ids=["listed", "from the first listed"])
@pytest.mark.parametrize("states", [None, (TrialState.COMPLETE, TrialState.RUNNING), ()])
@pytest.mark.parametrize(("listed", "after"), [((), -1), ((0, 3), 5), ((0, 1, 2), 11), ((), 11), ((4,), 11)])
def test_they_are_those_that_optuna_reads(
    storage: CohortStorage,
    study_id: int,
    states: tuple[TrialState, ...] | None,
    listed: tuple[int, ...],
    after: int,
    most_listed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frozen, "MOST_LISTED", most_listed)
    ids = [trial._trial_id for trial in RDBStorage._get_trials(storage, study_id, None, set(), -1)]
    wanted = (study_id, states, {ids[place] for place in listed}, ids[after] if after >= 0 else -1)
    found, expected = storage._get_trials(*wanted), RDBStorage._get_trials(storage, *wanted)
    assert found == expected
    assert [list(trial.params) for trial in found] == [list(trial.params) for trial in expected]


def test_a_value_that_is_no_number_stays_so(storage: CohortStorage, new_study: Callable[..., int]) -> None:
    study_id = new_study()
    storage.create_new_trial(study_id, create_trial(state=TrialState.RUNNING, intermediate_values={0: math.nan}))
    [trial] = storage.get_all_trials(study_id)
    assert math.isnan(trial.intermediate_values[0])


def test_a_study_that_is_gone_is_a_key_error(storage: CohortStorage) -> None:
    with pytest.raises(KeyError):
        storage.get_all_trials(999)
