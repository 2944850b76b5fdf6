"""Writes a small database as this release makes it, as SQL text beside this file; run it once for each release.

    PYTHONPATH=. python tests/storage/databases/make.py 0.1.0

The databases of earlier releases are never written again: `test_releases.py` opens and resumes every one.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

from optuna.distributions import IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from storage.cohort_storage import CohortStorage, FinishedTrial
from storage.leases import Leases
from storage.processes import Process
from storage.records import CurvePoint, VerifiedNetwork
from storage.results import write_results

__all__ = ["make"]


def template(state: TrialState, width: int) -> FrozenTrial:
    """A trial of one hidden layer."""
    return create_trial(
        state=state,
        params={"depth": 1, "width_1": width},
        distributions={"depth": IntDistribution(0, 3), "width_1": IntDistribution(1, 128, log=True)},
        user_attrs={"widths": [width], "neurons": width, "parameters": 795 * width, "seed": width},
    )


def make(folder: Path) -> str:
    """One study with a trial in each state, curves, a result, and the lease of a worker that is gone."""
    storage = CohortStorage(f"sqlite:///{folder / 'study.db'}")
    study_id = storage.create_new_study([StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE], "mnist")
    storage.set_study_user_attr(study_id, "settings", {"trials": 6})
    gone = Leases(storage.engine, "gone", process=Process("elsewhere", "another kernel's boot", 1, "1"))
    templates = [template(TrialState.RUNNING, width) for width in (1, 2, 4, 8)]
    ids = storage.create_trials(study_id, [*templates, template(TrialState.WAITING, 16)], leases=gone)
    curve = [CurvePoint(epoch, 1.0 / (epoch + 1), 0.5, float("nan"), 0.25) for epoch in range(3)]
    storage.finish_trials(
        [
            FinishedTrial(ids[0], TrialState.COMPLETE, [1, 0.375], {"epochs": 3, "best_epoch": 2}),
            FinishedTrial(ids[1], TrialState.PRUNED, None, {"reason": "dominated"}),
            FinishedTrial(ids[2], TrialState.FAIL, None, {"reason": "its loss is NaN"}),
        ],
        points=dict.fromkeys(ids[:4], tuple(curve)),
        leases=gone,
    )
    write_results(storage.engine, study_id, [VerifiedNetwork((1,), 7, 0.375, 0.4, 3, 1.5)])
    storage.engine.dispose()
    connection = sqlite3.connect(folder / "study.db")
    dump = "\n".join(connection.iterdump())
    connection.close()
    return dump + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        Path(__file__).with_name(f"{sys.argv[1]}.sql").write_text(make(Path(scratch)), "utf-8")
