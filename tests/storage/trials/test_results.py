"""Results of verification: written, read back, and replaced."""

from collections.abc import Callable

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine as Database
from storage_helpers import same

from fewest.storage.errors import StorageError
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.records import VerifiedNetwork
from fewest.storage.trials.results import read_results, write_results

NewStudy = Callable[..., int]

metrics = st.floats(width=64).map(lambda number: number + 0.0)  # SQLite keeps no minus zero.


networks = st.builds(
    VerifiedNetwork,
    st.lists(st.integers(1, 4096), max_size=4).map(tuple),
    st.integers(-(2**63), 2**63 - 1),
    metrics,
    metrics,
    st.integers(0, 10_000),
    metrics,
    metrics,
    st.none() | st.binary(max_size=2_000),
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
    assert same(read_results(database, study_id), [VerifiedNetwork((4,), 1, 0.7, 0.6, 3, 2.0)])


def test_results_of_a_missing_study_are_an_error(database: Database) -> None:
    with pytest.raises(StorageError):
        write_results(database, 12345, [VerifiedNetwork((4,), 1, 0.5, 0.5, 3, 1.0)])
