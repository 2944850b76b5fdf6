"""Frozen records of the database's content, as all other packages see it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = ["CurvePoint", "StudyRecord", "TrialRecord", "TrialState", "VerifiedNetwork"]

TrialState: TypeAlias = Literal["running", "complete", "pruned", "fail", "waiting"]
"""Optuna's trial states, in lower case."""


class CurvePoint(NamedTuple):
    """One network after one epoch; losses are mean cross-entropies in nats, accuracies shares in 0..1."""

    epoch: int
    """Counted from 0."""
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial. Values that a trial does not have (yet) are None.

    Attributes:
        trial_id: The database's key.
        number: Counted from 0 within the study.
        state: Optuna's state of the trial.
        widths: Hidden widths from input to output.
        neurons: Sum of `widths`.
        parameters: Trainable weights and biases.
        seed: Seed of its initial weights.
        epochs: Epochs trained.
        best_epoch: Epoch, counted from 0, whose weights were kept.
        seconds: Wall-clock seconds of training; in a cohort, this trial's share.
        validation_accuracy: The second objective's value, 0..1; of complete trials only.
        reason: Why it was pruned or failed, in words.
        started: Time at which it began to run.
        completed: Time at which it ended.
        cohort: Number of the first trial of its cohort.
        worker: Id of the worker that ended it.
    """

    trial_id: int
    number: int
    state: TrialState
    widths: tuple[int, ...] | None
    neurons: int | None
    parameters: int | None
    seed: int | None
    epochs: int | None
    best_epoch: int | None
    seconds: float | None
    validation_accuracy: float | None
    reason: str | None
    started: datetime | None
    completed: datetime | None
    cohort: int | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """One study.

    Attributes:
        study_id: The database's key.
        name: The study's name, unique in the database.
        attributes: The study's user attributes, JSON values by key. Studies of ours hold `settings`.
        n_trials: Number of trials in each state.
        n_verified: Number of networks that verification has scored.
    """

    study_id: int
    name: str
    attributes: Mapping[str, Any]
    n_trials: Mapping[TrialState, int]
    n_verified: int = 0

    @property
    def n_ended(self) -> int:
        """Number of trials that are neither running nor waiting."""
        return sum(count for state, count in self.n_trials.items() if state not in ("running", "waiting"))


class VerifiedNetwork(NamedTuple):
    """One network that verification trained and scored once on the sealed test set.

    Attributes:
        widths: Hidden widths from input to output.
        seed: Seed of its initial weights.
        test_accuracy: Test accuracy in 0..1; NaN if its training failed.
        validation_accuracy: Validation accuracy in 0..1; NaN if no sample validates, or its training failed.
        epochs: Epochs trained.
        seconds: Wall-clock seconds of training; in a cohort, this network's share.
        training_loss: Training loss over the epoch of its weights, in nats; NaN in results of an older version.
        test_bits: A bit for each kept test sample, packed, 1 where its label is right; None if its training failed, and
            in results of an older version. Nothing that searches reads them.
    """

    widths: tuple[int, ...]
    seed: int
    test_accuracy: float
    validation_accuracy: float
    epochs: int
    seconds: float
    training_loss: float = math.nan
    test_bits: bytes | None = None
