"""Optuna's own pruning callback, unmodified, in a study with two objectives."""

import optuna
import pytest
from optuna_integration import KerasPruningCallback

from fewest.search.training.trial import FrontTrial


def running_trial(judge) -> FrontTrial:
    study = optuna.create_study(directions=["minimize", "maximize"])
    return FrontTrial(study, study.ask()._trial_id, judge)


def test_a_plain_trial_refuses_to_prune():
    study = optuna.create_study(directions=["minimize", "maximize"])
    with pytest.raises(NotImplementedError):
        KerasPruningCallback(study.ask(), "val_accuracy").on_epoch_end(0, {"val_accuracy": 0.5})


def test_the_judge_decides_at_every_epoch():
    trial = running_trial(lambda epoch, accuracy: f"{accuracy} at {epoch}" if epoch == 2 else None)
    callback = KerasPruningCallback(trial, "val_accuracy")
    callback.on_epoch_end(0, {"val_accuracy": 0.5})
    callback.on_epoch_end(1, {"val_accuracy": 0.6})
    with pytest.raises(optuna.TrialPruned):
        callback.on_epoch_end(2, {"val_accuracy": 0.7})
    assert trial.reason == "0.7 at 2"


def test_reports_leave_no_intermediate_values_behind():
    """TPE cannot read them in a study with two objectives."""
    trial = running_trial(lambda epoch, accuracy: None)
    trial.report(0.5, 0)
    assert not trial.should_prune()
    assert trial.study.trials[0].intermediate_values == {}


def test_nothing_is_pruned_before_the_first_report():
    assert not running_trial(lambda epoch, accuracy: "always").should_prune()
