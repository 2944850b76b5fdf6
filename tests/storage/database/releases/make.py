"""Writes a small database as this release makes it, as SQL text beside this file; run it once for each release.

    PYTHONPATH=. python tests/storage/database/releases/make.py 0.1.0

The databases of earlier releases are never written again: `test_releases.py` opens and resumes every one.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

from optuna.trial import TrialState

from fewest.search.data.loading import load_for
from fewest.search.settings.files import load
from fewest.search.study.opening import open_study
from fewest.storage.database.optuna_private import id_of
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.processes import Process
from fewest.storage.trials.records import CurvePoint, VerifiedNetwork
from fewest.storage.trials.results import write_results

__all__ = ["make"]

SETTINGS = ("budget.trials=8", "budget.verification_seeds=0", "space.max_width=16", "training.epochs=3")


def make(folder: Path) -> str:
    """A study of digits with a trial in each state, curves, a result, and the lease of a worker that is gone."""
    storage = CohortStorage(f"sqlite:///{folder / 'study.db'}")
    config = load("digits", SETTINGS)
    with open_study(storage, config, load_for(config)[0]) as study:
        study_id = id_of(study.optuna)
    gone = Leases(storage.engine, "gone", process=Process("elsewhere", "another kernel's boot", 1, "1"))
    ids = storage.claim_waiting(study_id, 4, leases=gone)
    curve = [CurvePoint(epoch, 1.0 / (epoch + 1), 0.5, float("nan"), 0.25) for epoch in range(3)]
    storage.finish_trials(
        [
            FinishedTrial(ids[0], TrialState.COMPLETE, [0, 0.375], {"epochs": 3, "best_epoch": 2}),
            FinishedTrial(ids[1], TrialState.PRUNED, None, {"reason": "dominated"}),
            FinishedTrial(ids[2], TrialState.FAIL, None, {"reason": "its loss is NaN"}),
        ],
        points=dict.fromkeys(ids, tuple(curve)),
        leases=gone,
    )
    write_results(storage.engine, study_id, [VerifiedNetwork((), 7, 0.375, 0.4, 3, 1.5)])
    storage.engine.dispose()
    connection = sqlite3.connect(folder / "study.db")
    dump = "\n".join(connection.iterdump())
    connection.close()
    return dump + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        Path(__file__).with_name(f"{sys.argv[1]}.sql").write_text(make(Path(scratch)), "utf-8")
