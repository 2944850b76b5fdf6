"""What a worker writes under a lease that has passed to another is refused, in the transaction that would write it."""

from collections.abc import Callable

from optuna.trial import TrialState, create_trial

from fewest.storage.database.transactions import reading
from fewest.storage.files.artifacts import read_kept
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import VerifiedNetwork
from fewest.storage.trials.results import read_results, write_results
from fewest.storage.trials.studies import read_studies, read_study

NewStudy = Callable[..., int]

NETWORK = VerifiedNetwork((4,), 7, 0.5, 0.6, 3, 1.0, 0.1, b"\x80")


def test_results_are_written_only_under_the_verifiers_lease(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    [ended] = storage.create_trials(study_id, [create_trial(state=TrialState.FAIL)])
    former, owner = Leases(storage.engine), Leases(storage.engine)
    assert former.claim(ended)
    [stale] = former.fences().items()
    assert write_results(storage.engine, study_id, [NETWORK], fence=stale)
    former.release()
    assert owner.claim(ended)
    [held] = owner.fences().items()
    other = NETWORK._replace(seed=8)
    assert not write_results(storage.engine, study_id, [other], fence=stale)
    assert read_results(storage.engine, study_id) == [NETWORK]
    assert write_results(storage.engine, study_id, [other], fence=held)
    assert read_results(storage.engine, study_id) == [NETWORK, other]


def test_attributes_are_set_only_of_trials_still_held(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study()
    former, owner = Leases(storage.engine), Leases(storage.engine)
    kept, taken = storage.create_trials(study_id, [None, None], leases=former)
    fences = former.fences()
    former.release([taken])
    assert owner.adopt([taken]) == {taken}
    former.note(fences)  # As if it had not noticed.
    assert storage.set_attributes({kept: {"seed": 1}, taken: {"seed": 1}}, leases=former) == {taken}
    assert storage.get_trial(kept).user_attrs == {"seed": 1}
    assert storage.get_trial(taken).user_attrs == {}


def test_everything_is_read_in_one_snapshot(storage: CohortStorage, new_study: NewStudy) -> None:
    study_id = new_study("first")
    with reading(storage.engine) as connection:
        assert len(read_studies(connection)) == 1
        new_study("second")
        write_results(storage.engine, study_id, [NETWORK])
        assert read_study(connection, "first").study_id == study_id
        assert len(read_studies(connection)) == 1
        assert read_results(connection, study_id) == []
        assert read_kept(connection, study_id) == []
