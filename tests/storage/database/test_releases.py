"""Databases of every release so far: read as they are, and resumed. `releases/make.py` wrote them."""

import math
import sqlite3
from pathlib import Path

import pytest

from fewest.cli import main
from fewest.search.settings.files import stored_config
from fewest.storage.database.database import open_database
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import VerifiedNetwork
from fewest.storage.trials.results import read_results, write_results
from fewest.storage.trials.silence import BEATS_PER_LEASE
from fewest.storage.trials.studies import read_study, read_trials

RELEASES = sorted(Path(__file__).with_name("releases").glob("*.sql"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    connection = sqlite3.connect(tmp_path / "study.db")
    connection.executescript(request.param.read_text("utf-8"))
    connection.close()
    return f"sqlite:///{tmp_path / 'study.db'}"


def test_a_release_is_read_as_it_is(url: str) -> None:
    database = open_database(url, create=False)
    study = read_study(database, "digits")
    trials = read_trials(database, study.study_id)
    curves = read_curves(database, study.study_id)
    assert stored_config("digits", study.attributes).n_trials == 8
    assert [trial.state for trial in trials] == ["complete", "pruned", "fail", "running", "waiting", "waiting"]
    assert [trial.widths for trial in trials] == [(), (1,), (2,), (4,), (8,), (16,)]
    assert trials[0].validation_accuracy == 0.375
    assert [len(curves.get(trial.trial_id, [])) for trial in trials] == [3, 3, 3, 3, 0, 0]
    assert [network[:6] for network in read_results(database, study.study_id)] == [((), 7, 0.375, 0.4, 3, 1.5)]
    database.dispose()


def test_results_of_a_release_without_bits_get_them_beside_the_old_ones(url: str) -> None:
    database = open_database(url, create=True)
    study_id = read_study(database, "digits").study_id
    new = VerifiedNetwork((2,), 9, 0.5, math.nan, 3, 1.5, 0.25, b"\x80")
    write_results(database, study_id, [new])
    old, added = read_results(database, study_id)
    database.dispose()
    assert (old.seed, old.test_bits) == (7, None) and math.isnan(old.training_loss)
    assert repr(added) == repr(new)  # NaN is not equal to itself.


@pytest.mark.slow
def test_a_release_is_resumed(url: str) -> None:
    """The trial of the worker that is gone is adopted; that one, those that waited and new ones are trained."""
    storage = CohortStorage(url)
    study_id = storage.get_study_id_from_name("digits")
    leases = Leases(storage.engine, clock=iter(range(0, 1_000_000, 1000)).__next__)
    leases.orphans(study_id)
    for _ in range(BEATS_PER_LEASE):
        leases.beat()
    assert len(leases.adopt(leases.orphans(study_id))) == 1
    leases.stop()
    storage.engine.dispose()
    main(["resume", "digits", "--storage", url, "--quiet"])
    database = open_database(url, create=False)
    trials = read_trials(database, study_id)
    assert [trial.state for trial in trials[:3]] == ["complete", "pruned", "fail"]
    assert len(trials) == 8 and {trial.state for trial in trials[3:]} <= {"complete", "pruned"}
    assert {len(curve) for curve in read_curves(database, study_id).values()} <= {1, 2, 3}
    database.dispose()
