"""Bulk operations: what plain Optuna would have made of it, in one transaction, and never twice."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from forked import start
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Connection, event

from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.records import CurvePoint
from fewest.storage.trials.studies import read_trials

NewStudy = Callable[..., int]

DEPTH = IntDistribution(0, 3)


def templates(n: int, state: TrialState = TrialState.RUNNING) -> list[FrozenTrial]:
    return [
        create_trial(
            state=state,
            params={"depth": i % 4, "rate": 0.5, "kind": "b"},
            distributions={
                "depth": DEPTH,
                "rate": FloatDistribution(0, 1),
                "kind": CategoricalDistribution(("a", "b")),
            },
            user_attrs={"widths": [i]},
            system_attrs={"origin": "test"},
        )
        for i in range(n)
    ]


def commits_of(storage: CohortStorage) -> list[object]:
    commits: list[object] = []
    event.listen(storage.engine, "commit", commits.append)
    return commits


def test_trials_made_in_bulk_are_those_that_optuna_makes_one_by_one(
    storage: CohortStorage, new_study: NewStudy
) -> None:
    study_id = new_study()
    plain = optuna.storages.InMemoryStorage()
    plain_id = plain.create_new_study([StudyDirection.MINIMIZE] * 2)
    wanted = [*templates(5), create_trial(state=TrialState.COMPLETE, values=[1.0, float("inf")])]
    for template in wanted:
        plain.create_new_trial(plain_id, template)
    commits = commits_of(storage)
    ids = storage.create_trials(study_id, wanted)
    assert len(commits) == 1
    made = storage.get_all_trials(study_id)
    assert [trial._trial_id for trial in made] == ids
    for bulk, single in zip(made, plain.get_all_trials(plain_id), strict=True):
        single._trial_id = bulk._trial_id
        assert bulk == single


def test_numbers_go_on_from_what_is_there(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    new_study("other", 3)
    storage.create_new_trial(study_id)
    storage.create_trials(study_id, [None, None])
    storage.create_new_trial(study_id)
    assert [trial.number for trial in storage.get_all_trials(study_id)] == [0, 1, 2, 3]


def test_trials_of_a_missing_study_are_refused(storage: CohortStorage) -> None:
    with pytest.raises(KeyError):
        storage.create_trials(4321, [None])


def test_a_parameter_keeps_its_kind(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    storage.create_trials(study_id, templates(1))
    other = create_trial(
        state=TrialState.RUNNING, params={"depth": 0.5}, distributions={"depth": FloatDistribution(0, 1)}
    )
    with pytest.raises(ValueError, match="distribution"):
        storage.create_trials(study_id, [other])
    assert len(storage.get_all_trials(study_id)) == 1


def test_attributes_are_set_in_bulk(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None] * 3)
    commits = commits_of(storage)
    storage.set_attributes({trial_id: {"seed": i, "kept": 1} for i, trial_id in enumerate(ids)})
    storage.set_attributes({ids[0]: {"seed": 7}})
    assert len(commits) == 2
    trials = storage.get_all_trials(study_id)
    assert [trial.user_attrs for trial in trials] == [{"seed": i, "kept": 1} for i in (7, 1, 2)]


def test_finished_and_missing_trials_are_not_changed(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    running, ended = storage.create_trials(study_id, [None, create_trial(state=TrialState.FAIL)])
    for error, ids in ((UpdateFinishedTrialError, [running, ended]), (KeyError, [running, 98_765])):
        with pytest.raises(error):
            storage.set_attributes({trial_id: {"seed": 1} for trial_id in ids})
    assert not storage.get_trial(running).user_attrs


def test_a_cohort_ends_in_one_transaction_with_its_curves(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None] * 4)
    point = CurvePoint(0, 1.0, 0.5, 1.0, 0.5)
    commits = commits_of(storage)
    refused = storage.finish_trials(
        [
            FinishedTrial(ids[0], TrialState.COMPLETE, [4, 0.9], {"epochs": 15}),
            FinishedTrial(ids[1], TrialState.PRUNED, None, {"reason": "dominated"}),
            FinishedTrial(ids[2], TrialState.FAIL),
        ],
        points={trial_id: [point] for trial_id in ids},
    )
    assert (refused, len(commits)) == (frozenset(), 1)
    trials = storage.get_all_trials(study_id)
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    assert [trial.values for trial in trials] == [[4.0, 0.9], None, None, None]
    assert [trial.datetime_complete is None for trial in trials] == [False, False, False, True]
    assert trials[1].user_attrs == {"reason": "dominated"}
    assert read_curves(storage.engine, study_id) == {key: [point] for key in ids}


def test_what_has_ended_or_gone_is_reported_and_the_rest_ends(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    ended, running = storage.create_trials(study_id, [create_trial(state=TrialState.FAIL), None])
    finished = [FinishedTrial(trial_id, TrialState.PRUNED) for trial_id in (ended, running, 98_765)]
    assert storage.finish_trials(finished) == {ended, 98_765}
    assert [trial.state.name for trial in storage.get_all_trials(study_id)] == ["FAIL", "PRUNED"]


@pytest.mark.parametrize(
    "wrong",
    [
        FinishedTrial(1, TrialState.RUNNING),
        FinishedTrial(1, TrialState.COMPLETE),
        FinishedTrial(1, TrialState.PRUNED, [1.0, 0.5]),
        FinishedTrial(1, TrialState.COMPLETE, [1.0, float("nan")]),
    ],
)
def test_an_end_that_optuna_does_not_know_is_a_value_error(storage: CohortStorage, wrong: FinishedTrial) -> None:
    with pytest.raises(ValueError, match="trial"):
        storage.finish_trials([wrong])


def test_a_study_of_optunas_sees_what_happened_in_bulk(storage: CohortStorage) -> None:
    """Past Optuna's cache, which must notice."""
    study = optuna.create_study(storage=storage, directions=["minimize", "maximize"])
    study.optimize(lambda trial: (trial.suggest_int("depth", 0, 3), 0.5), n_trials=2)
    ids = storage.create_trials(study._study_id, templates(2))
    assert len(study.get_trials()) == 4
    asked = study.ask()
    storage.finish_trials([FinishedTrial(trial_id, TrialState.COMPLETE, [1, 0.5]) for trial_id in ids])
    study.tell(asked, (2.0, 0.75))
    assert [trial.number for trial in study.get_trials(states=[TrialState.COMPLETE])] == [0, 1, 2, 3, 4]


def test_waiting_trials_are_claimed_oldest_first(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, templates(3, TrialState.WAITING))
    assert storage.claim_waiting(study_id, 2) == ids[:2]
    assert storage.claim_waiting(study_id, 2) == ids[2:]
    assert storage.claim_waiting(study_id, 2) == []
    assert all(trial.datetime_start is not None for trial in storage.get_all_trials(study_id))


def test_returned_trials_wait_again_under_their_numbers(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    ids = storage.create_trials(study_id, [None, None, create_trial(state=TrialState.FAIL)])
    assert storage.return_trials(ids) == {ids[2]}
    assert [trial.state.name for trial in storage.get_all_trials(study_id)] == ["WAITING", "WAITING", "FAIL"]
    assert storage.claim_waiting(study_id, 5) == ids[:2]


def test_a_waiting_trial_starts_once_through_optuna_too(storage: CohortStorage, new_study: NewStudy) -> None:
    """With plain SQLite under Optuna several callers win (optuna #4002)."""
    study_id = new_study()
    ids = storage.create_trials(study_id, templates(10, TrialState.WAITING))

    def start(trial_id: int) -> bool:
        try:
            return storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        finally:
            storage.remove_session()

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(start, [trial_id for trial_id in ids for _ in range(4)]))
    assert sum(won) == len(ids)


def share(url: str, study_id: int, go: Path, said: Path) -> None:
    """Takes what waits, then creates trials until there are forty; writes down which, once told to begin."""
    storage = CohortStorage(url)
    said.touch()
    while not go.exists():
        time.sleep(0.001)
    claimed: list[int] = []
    while got := storage.claim_waiting(study_id, 2):
        claimed += got
    created: list[int] = []
    while got := storage.create_trials(study_id, lambda _, n: [None] * min(3, 40 - n)):
        created += got
    said.write_text(json.dumps([claimed, created]), "ascii")


@pytest.mark.slow
@pytest.mark.usefixtures("none_left")
def test_processes_share_waiting_trials_and_the_budget_exactly(
    url: str, storage: CohortStorage, new_study: NewStudy, tmp_path: Path
) -> None:
    study_id = new_study()
    waiting = storage.create_trials(study_id, templates(15, TrialState.WAITING))
    files = [tmp_path / f"{number}.json" for number in range(3)]
    processes = [start(share, url, study_id, tmp_path / "go", file) for file in files]
    while not all(file.exists() for file in files):
        assert all(process.is_alive() for process in processes)
        time.sleep(0.001)
    (tmp_path / "go").touch()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    said = [json.loads(file.read_text("ascii")) for file in files]
    assert sorted(trial_id for claimed, _ in said for trial_id in claimed) == waiting
    created = sorted(trial_id for _, created in said for trial_id in created)
    assert len(created) == len(set(created)) == 25
    assert sorted(trial.number for trial in storage.get_all_trials(study_id)) == list(range(40))


def make_whole(storage: CohortStorage) -> int:
    return storage.create_whole_study(
        "whole",
        [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE],
        templates(2, TrialState.WAITING),
        attributes={"settings": {"seed": 7}},
        metric_names=["neurons", "accuracy"],
    )


def test_a_whole_study_is_made_in_one_transaction(storage: CohortStorage) -> None:
    commits = commits_of(storage)
    make_whole(storage)
    assert len(commits) == 1
    study = optuna.load_study(storage=storage, study_name="whole")
    assert study.directions == [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
    assert study.metric_names == ["neurons", "accuracy"]
    assert study.user_attrs == {"settings": {"seed": 7}}
    assert [(trial.number, trial.params["depth"]) for trial in study.get_trials()] == [(0, 0), (1, 1)]


def test_of_many_who_make_the_same_study_one_does(storage: CohortStorage, url: str) -> None:
    def attempt(_: int) -> bool:
        own = CohortStorage(url)
        try:
            make_whole(own)
        except optuna.exceptions.DuplicatedStudyError:
            return False
        finally:
            own.engine.dispose()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]
    assert len(storage.get_all_trials(storage.get_study_id_from_name("whole"))) == 2


def test_trials_may_be_made_up_while_nobody_else_can_create_any(storage: CohortStorage, new_study: NewStudy) -> None:
    """Four at once each see all that the others have created."""
    study_id = new_study(n_trials=2)

    def made_up(connection: Connection, n_trials: int) -> list[FrozenTrial]:
        numbers = [trial.number for trial in read_trials(connection, study_id)]
        assert numbers == list(range(n_trials))
        return [create_trial(state=TrialState.RUNNING, user_attrs={"reason": str(n_trials)})] * 2

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: storage.create_trials(study_id, made_up), range(4)))
    said = [trial.reason for trial in read_trials(storage.engine, study_id)[2:]]
    assert said == ["2", "2", "4", "4", "6", "6", "8", "8"]
