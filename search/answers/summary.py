"""What a study has found, as one plain object: the shape that `fewest answer --format json` prints.

    {"study": str, "dataset": str, "protocol": {...}, "classes": int,
     "trials": {"complete": int, "pruned": int, "failed": int, "running": int, "waiting": int},
     "networks_trained": int, "epochs_trained": int, "epochs_saved": int, "seconds": float,
     "front": [{"trial": int, "widths": [int], "neurons": int, "parameters": int, "validation_accuracy": float,
                "test_accuracy": {"mean": float, "sd": float, "min": float, "max": float, "seeds": int} | null}],
     "targets": [{"accuracy": float, "possible": ANSWER, "typical": ANSWER, "reliable": ANSWER,
                  "by_depth": {"0": {"possible": ANSWER, ...}, ...}, "unanswered": {"reliable": str, ...}}]}
    ANSWER = null | {"neurons": int, "widths": [int], "interval": [int, int], "test_accuracy": float, "seeds":
    int}

`unanswered` stands only where an ANSWER is null, and says why. Pure, and quick to import: it needs neither
Optuna nor TensorFlow.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from fewest.search.answers.answer import answer_targets, statement
from fewest.search.answers.front import pareto_front, points_of
from fewest.search.answers.results import Results, collect
from fewest.search.settings.config import StudyConfig
from fewest.storage.trials.records import StudyRecord, TrialRecord, VerifiedNetwork

__all__ = ["smallest_on_validation", "statements", "summarise"]

SAMPLES = {"mnist": "digits", "digits": "digits", "fashion_mnist": "images"}
"""What a data set's samples are called in a sentence."""


def summarise(
    study: StudyRecord,
    config: StudyConfig,
    trials: Sequence[TrialRecord],
    verified: Sequence[VerifiedNetwork] = (),
) -> dict[str, Any]:
    """The object described above; before verification, its answers are null.

    Args:
        study: The study.
        config: Its settings.
        trials: All its trials.
        verified: Networks scored on the test set.
    """
    results = collect(verified)
    ended = [trial for trial in trials if trial.epochs]
    by_number = {trial.number: trial for trial in trials}
    front = pareto_front(points_of(trials, config.space.size))
    return {
        "study": study.name,
        "dataset": study.attributes["data"]["name"],
        "protocol": config.training.model_dump(mode="json"),
        "classes": study.attributes["data"]["n_classes"],
        "trials": {
            "failed" if state == "fail" else state: study.n_trials.get(state, 0)
            for state in ("complete", "pruned", "fail", "running", "waiting")
        },
        "networks_trained": len(ended) + len(verified),
        "epochs_trained": sum(trial.epochs or 0 for trial in ended) + sum(network.epochs for network in verified),
        "epochs_saved": sum(config.training.epochs - (trial.epochs or 0) for trial in ended if trial.state == "pruned"),
        "seconds": round(
            sum(trial.seconds or 0.0 for trial in ended) + sum(network.seconds for network in verified), 3
        ),
        "front": [_front_member(by_number[point.trial], results) for point in front],
        "targets": [answer.to_json() for answer in answer_targets(results, config.budget.targets)],
    }


def statements(config: StudyConfig, verified: Sequence[VerifiedNetwork]) -> list[str]:
    """The verified answers as sentences, one a target; none before verification."""
    results = collect(verified)
    softmax = results.get((), ())
    softmax_accuracy = fmean(softmax) if softmax else None
    samples = SAMPLES.get(config.data.name, "test samples")
    return [
        statement(answer, softmax_accuracy, samples)
        for answer in answer_targets(results, config.budget.targets)
        if results
    ]


def smallest_on_validation(summary: Mapping[str, Any], target: float) -> dict[str, Any] | None:
    """The smallest front member whose validation accuracy reaches a target, as found in one training."""
    reaching = [member for member in summary["front"] if member["validation_accuracy"] >= target]
    return min(reaching, key=lambda member: member["neurons"], default=None)


def _front_member(trial: TrialRecord, results: Results) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "widths": list(trial.widths or ()),
        "neurons": trial.neurons,
        "parameters": trial.parameters,
        "validation_accuracy": trial.validation_accuracy,
        "test_accuracy": _spread(results.get(trial.widths or (), ())),
    }


def _spread(accuracies: Sequence[float]) -> dict[str, Any] | None:
    if not accuracies:
        return None
    return {
        "mean": fmean(accuracies),
        "sd": stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "min": min(accuracies),
        "max": max(accuracies),
        "seeds": len(accuracies),
    }
