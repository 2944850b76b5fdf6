"""What a study's trials have come to, read in steps and read at once."""

import random

import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from fewest.search.study import history as history_module
from fewest.search.study.history import History
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import write_curves
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.records import CurvePoint
from fewest.storage.trials.studies import read_trials

WIDTHS = [(), (1,), (2,), (4,), (3, 2), (2,), (8,), (6,), (5, 5), (7,), (1, 1), (9,)]


@pytest.fixture
def storage(url):
    storage = CohortStorage(url)
    yield storage
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture
def study_id(storage):
    return storage.create_new_study([StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE])


def past_of(storage, study_id):
    return History(storage.engine, study_id)


def run(storage, study_id, widths):
    """A running trial."""
    facts = {"widths": list(widths), "neurons": sum(widths), "cohort": 0}
    [trial_id] = storage.create_trials(study_id, [create_trial(state=TrialState.RUNNING, user_attrs=facts)])
    return trial_id


def finish(storage, trial_id, accuracy):
    """Ends a trial: complete with an accuracy, or pruned without."""
    write_curves(storage.engine, {trial_id: [CurvePoint(0, 1.0, 0.5, 1.0, accuracy or 0.1)]})
    state = TrialState.PRUNED if accuracy is None else TrialState.COMPLETE
    storage.finish_trials(
        [FinishedTrial(trial_id, state, None if accuracy is None else [1.0, accuracy], {"seconds": 1})]
    )


def known(history):
    """All that a history knows."""
    facts = (history.n_trials, history.unfinished, history.tried, history.ended, history.counts, history.seconds)
    return (*facts, history.front, history.architectures(), history.finished())


@pytest.mark.parametrize("seed", range(5))
def test_read_in_any_steps_a_past_is_the_same(seed, storage, study_id):
    """What a process knows beyond the storage decides nothing."""
    rng, running, stepwise = random.Random(seed), [], past_of(storage, study_id)
    for widths in WIDTHS:
        running.append(run(storage, study_id, widths))
        while running and rng.random() < 0.5:
            trial_id = running.pop(rng.randrange(len(running)))
            finish(storage, trial_id, rng.choice([None, 0.5, 0.7, 0.9]))
        if rng.random() < 0.5:
            stepwise.refresh()
            stepwise.parted(rng.randrange(3))
    whole = past_of(storage, study_id)
    for history in (stepwise, whole):
        history.refresh()
    assert known(stepwise) == known(whole)
    assert stepwise.parted(6) == whole.parted(6)


def test_the_front_before_a_trial_is_made_of_those_below_it(storage, study_id):
    for widths, accuracy in [((1,), 0.5), ((2,), 0.7), ((1,), 0.6), ((3,), 0.8)]:
        finish(storage, run(storage, study_id, widths), accuracy)
    history = past_of(storage, study_id)
    history.refresh()
    assert [[point.trial for point in history.parted(number)[0]] for number in (0, 1, 2, 3, 4)] == [
        [],
        [0],
        [0, 1],
        [2, 1],
        [2, 1, 3],
    ]


def test_what_has_ended_is_read_once(storage, study_id, monkeypatch):
    history, n_read = past_of(storage, study_id), []

    def counting(*arguments, **named):
        read = read_trials(*arguments, **named)
        n_read.append(len(read))
        return read

    monkeypatch.setattr(history_module, "read_trials", counting)
    for widths in WIDTHS:
        trial_id = run(storage, study_id, widths)
        history.refresh()
        finish(storage, trial_id, 0.5)
    assert n_read == [1, *[2] * (len(WIDTHS) - 1)]


def test_the_first_ended_trial_of_an_architecture_counts(storage, study_id):
    first, pruned, second = (run(storage, study_id, widths) for widths in [(2,), (4,), (2,)])
    past = past_of(storage, study_id)
    finish(storage, second, 0.6)
    finish(storage, pruned, None)
    past.refresh()
    # The only finished curve ends where it begins, so a pruned one is expected to do so, too.
    assert past.accuracies([(2,), (4,), (8,)]) == {(2,): 0.6, (4,): pytest.approx(0.1)}
    finish(storage, first, 0.7)
    past.refresh()
    assert past.accuracies([(2,)]) == {(2,): 0.7}
