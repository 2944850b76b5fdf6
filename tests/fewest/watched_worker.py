"""A worker that trains nothing: it holds a running trial of a study of ours and sends heartbeats until it is killed.

python watched_worker.py sqlite:///studies.db
"""

import sys
import time

import optuna
from optuna.trial import TrialState, create_trial

from fewest.search.settings.files import load
from fewest.storage.trials.cohort_storage import optuna_storage
from fewest.storage.trials.curves import write_curves
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import CurvePoint


def main(url: str) -> None:
    """Make the study, take a trial, say so on stdout, and live on."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna_storage(url)
    study = optuna.create_study(storage=storage, study_name="digits", directions=["minimize", "maximize"])
    sizes = {"n_classes": 10, "n_training": 1000, "n_validation": 300, "n_test": 300}
    study.set_user_attr("settings", load("digits").settings())
    study.set_user_attr("data", {"name": "digits", "input_shape": [8, 8], "fingerprint": "f" * 64, **sizes})
    study.set_user_attr("environment", {"fewest": "0.2"})
    facts = {"widths": [4], "neurons": 4, "parameters": 310, "seed": 0, "epochs": 30, "seconds": 1.0}
    study.add_trial(create_trial(values=[4.0, 0.9], user_attrs=facts))
    leases = Leases(storage.engine, lease_seconds=2.0)
    template = create_trial(state=TrialState.RUNNING, user_attrs=facts)
    [trial_id] = storage.create_trials(study._study_id, [template], leases=leases)
    write_curves(storage.engine, {trial_id: [CurvePoint(epoch, 1, 0, 1, epoch / 10) for epoch in range(5)]})
    leases.start_heartbeat()
    print("ready", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
