"""A study's answer as one typed object; its `to_json` is what `fewest answer --format json` prints.

    {"study": str, "dataset": str, "protocol": {...}, "classes": int, "metric": str,
     "shares_split": bool,
     "best": {"accuracy": float, "widths": [int], "seeds": int} | null,
     "trials": {"complete": int, "pruned": int, "failed": int, "running": int, "waiting": int},
     "networks_trained": int, "epochs_trained": int, "epochs_saved": int, "seconds": float,
     "front": [{"trial": int, "widths": [int], "neurons": int, "parameters": int, "validation_accuracy": float,
                "test_accuracy": {"mean": float, "sd": float, "min": float, "max": float, "seeds": int} | null}],
     "targets": [{"accuracy": float, "asked": str, "guessing": float | null, "largest_class_share": float | null,
                  "possible": ANSWER, "typical": ANSWER, "reliable": ANSWER,
                  "could_beat": [int], "by_depth": {"0": {"possible": ANSWER, ...}, ...},
                  "unanswered": {"reliable": str, ...}, "at_least": {"reliable": int, ...}}]}
    ANSWER = null | {"neurons": int, "widths": [int], "interval": [int, int],
                     "new_samples": [int, int | null] | null, "test_accuracy": float, "seeds": int}

`unanswered` stands only where an ANSWER is null, and says why. `at_least` stands only where a deeper depth has no
ANSWER of its own, but is shown to need at least as many neurons as the answer over all depths. `could_beat` lists the
numbers of hidden layers with which fewer neurons than `typical` could still be enough. `asked` stands only where a
target is relative to the best. Such a target has the accuracy null, and no answers, until the search has ended.
`guessing` is what guessing one class reaches by the study's metric, and `largest_class_share` its share of the test
set; both are null in old studies. `interval` holds for this test set; where `shares_split` is true, for the study's
split of training and validation samples alone. `new_samples` also covers samples that nobody has seen; its upper end
is null where none is known, and it is null in studies of older versions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean, stdev
from typing import Any

from fewest.search.answers.answer import TargetAnswer
from fewest.search.answers.evidence import SHARES, Sampling
from fewest.search.answers.front import pareto_front, points_of
from fewest.search.answers.intervals import answer_targets
from fewest.search.answers.results import Results, collect, trained
from fewest.search.answers.sampling import sampling_of
from fewest.search.settings.config import Metric, StudyConfig
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.space import Architecture
from fewest.search.settings.stored import Best, stored_best
from fewest.search.settings.targets import unvalued, valued
from fewest.storage.trials.records import StudyRecord, TrialRecord, TrialState, VerifiedNetwork

__all__ = ["NO_VALUE_YET", "FrontMember", "Summary", "TestAccuracy", "TrialCounts", "summarise"]


NO_VALUE_YET = "no value before the search has ended and its best network is verified"
"""Why a target relative to the best has no answer."""


@dataclass(frozen=True, slots=True)
class TrialCounts:
    """Numbers of trials by state. Every trial is in exactly one state."""

    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int

    @classmethod
    def of(cls, n_trials: Mapping[TrialState, int]) -> "TrialCounts":
        """Convert the counts of a `StudyRecord`."""
        states: tuple[TrialState, ...] = ("complete", "pruned", "fail", "running", "waiting")
        return cls(*(n_trials.get(state, 0) for state in states))


@dataclass(frozen=True, slots=True)
class TestAccuracy:
    """Test accuracies of one architecture over its seeds, without those that failed to train.

    Attributes:
        mean: Mean test accuracy, in 0..1.
        sd: Sample standard deviation; 0 for a single seed.
        min: Lowest test accuracy, in 0..1.
        max: Highest test accuracy, in 0..1.
        seeds: Number of seeds.
    """

    mean: float
    sd: float
    min: float
    max: float
    seeds: int

    @classmethod
    def over(cls, accuracies: Sequence[float]) -> "TestAccuracy | None":
        """Summarise accuracies, without NaN; None if there are none."""
        if not (accuracies := trained(accuracies)):
            return None
        sd = stdev(accuracies) if len(accuracies) > 1 else 0.0
        return cls(fmean(accuracies), sd, min(accuracies), max(accuracies), len(accuracies))


@dataclass(frozen=True, slots=True)
class FrontMember:
    """One network on the front.

    Attributes:
        trial: Number of the trial that trained the network.
        widths: Hidden widths of its architecture.
        neurons: Number of hidden neurons.
        parameters: Number of trainable weights and biases.
        validation_accuracy: Validation accuracy in that trial, in 0..1.
        test_accuracy: Test accuracies of the architecture's verified networks; None before verification.
    """

    trial: int
    widths: Architecture
    neurons: int
    parameters: int
    validation_accuracy: float
    test_accuracy: TestAccuracy | None

    def to_json(self) -> dict[str, Any]:
        """Return one member of `front`."""
        return {**asdict(self), "widths": list(self.widths)}


@dataclass(frozen=True, slots=True)
class Summary:
    """The results of a study so far.

    Attributes:
        study: The study's name.
        dataset: The data set's name.
        protocol: Training protocol of its networks.
        classes: Number of classes.
        trials: Numbers of trials by state.
        networks_trained: Trials that trained at least one epoch, and networks that verification trained.
        epochs_trained: Epochs of all those networks.
        epochs_saved: Epochs that pruned trials did not train.
        seconds: Seconds of training, summed over networks; to the millisecond.
        front: The Pareto front by validation accuracy, from small to large.
        targets: The answers to every target accuracy that has a value, lowest first.
        unvalued: Targets relative to a best that is not known yet.
        best: What relative targets are relative to; None where it is not known.
        metric: What an accuracy of the study is.
        guessing: What each metric gives to guessing on the test set; empty in a study of an older version.
        shares_split: Whether all verified networks trained on one split, so that intervals hold for it alone.
    """

    study: str
    dataset: str
    protocol: Protocol
    classes: int
    trials: TrialCounts
    networks_trained: int
    epochs_trained: int
    epochs_saved: int
    seconds: float
    front: tuple[FrontMember, ...]
    targets: tuple[TargetAnswer, ...]
    unvalued: tuple[str, ...] = ()
    best: Best | None = None
    metric: Metric = "accuracy"
    guessing: Mapping[Metric, float] = field(default_factory=dict)
    shares_split: bool = False

    @property
    def guess(self) -> float | None:
        """What guessing one class reaches, in 0..1; None if unknown."""
        return self.guessing.get(self.metric)

    def smallest_on_validation(self, accuracy: float) -> FrontMember | None:
        """Find the smallest front member that reaches a validation accuracy in its one training.

        Args:
            accuracy: Validation accuracy to reach, in 0..1.
        """
        return next((member for member in self.front if member.validation_accuracy >= accuracy), None)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `fewest answer --format json` prints."""
        return {
            "study": self.study,
            "dataset": self.dataset,
            "protocol": self.protocol.model_dump(mode="json"),
            "classes": self.classes,
            "metric": self.metric,
            "shares_split": self.shares_split,
            "best": None if self.best is None else self.best.model_dump(),
            "trials": asdict(self.trials),
            "networks_trained": self.networks_trained,
            "epochs_trained": self.epochs_trained,
            "epochs_saved": self.epochs_saved,
            "seconds": self.seconds,
            "front": [member.to_json() for member in self.front],
            "targets": list(self._targets_json()),
        }

    def _targets_json(self) -> Iterator[dict[str, Any]]:
        guessed = {"guessing": self.guess, "largest_class_share": self.guessing.get("accuracy")}
        for target in self.targets:
            yield {"accuracy": target.accuracy, **guessed, **target.to_json()}
        for asked in self.unvalued:
            none: dict[str, Any] = {
                **dict.fromkeys(SHARES),
                "could_beat": [],
                "by_depth": {},
                "unanswered": dict.fromkeys(SHARES, NO_VALUE_YET),
            }
            yield {"accuracy": None, **guessed, "asked": asked, **none}


def summarise(
    study: StudyRecord,
    config: StudyConfig,
    trials: Sequence[TrialRecord],
    verified: Sequence[VerifiedNetwork] = (),
) -> Summary:
    """Summarise the results of a study; before verification, its targets have no answers.

    Args:
        study: Record of the study.
        config: Settings of the study.
        trials: All trials of the study.
        verified: Networks scored on the test set.
    """
    results, data = collect(verified), study.attributes["data"]
    ended = [trial for trial in trials if trial.epochs]
    best = stored_best(study)
    seconds = sum(trial.seconds or 0.0 for trial in ended) + sum(network.seconds for network in verified)
    return Summary(
        study=study.name,
        dataset=data["name"],
        protocol=config.training,
        classes=data["n_classes"],
        trials=TrialCounts.of(study.n_trials),
        networks_trained=len(ended) + len(verified),
        epochs_trained=sum(trial.epochs or 0 for trial in ended) + sum(network.epochs for network in verified),
        epochs_saved=sum(config.training.epochs - (trial.epochs or 0) for trial in ended if trial.state == "pruned"),
        seconds=round(seconds, 3),
        front=tuple(_front(trials, results)),
        targets=tuple(_targets(config, results, sampling_of(data, verified), best)),
        unvalued=unvalued(config.budget.targets, best.accuracy if best else None),
        best=best,
        metric=config.data.metric,
        guessing=data.get("guessing", {}),
        shares_split=not data.get("verifies_on_whole", False),
    )


def _targets(config: StudyConfig, results: Results, sampling: Sampling | None, best: Best | None) -> list[TargetAnswer]:
    """Answer every target of a study that has a value, lowest first."""
    # Where the settings list the architectures, nothing else is asked about.
    space = config.space.search_space() if config.space.architectures is None else None
    targets = valued(config.budget.targets, best.accuracy if best else None)
    answers = answer_targets(results, (target.accuracy for target in targets), space, sampling=sampling)
    return [replace(answer, asked=target.asked) for answer, target in zip(answers, targets, strict=True)]


def _front(trials: Sequence[TrialRecord], results: Results) -> Iterator[FrontMember]:
    """Yield the networks on the front, without trials that lack a size because another program made them."""
    by_number = {trial.number: trial for trial in trials}
    for point in pareto_front(points_of(trials)):
        trial = by_number[point.trial]
        widths = trial.widths or ()
        if trial.neurons is not None and trial.parameters is not None:
            spread = TestAccuracy.over(results.get(widths, ()))
            yield FrontMember(trial.number, widths, trial.neurons, trial.parameters, point.accuracy, spread)
