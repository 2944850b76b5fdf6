"""What a study has found, as one plain object: the shape that `howmany answer --format json` prints.

    {"study": str, "dataset": str, "protocol": {...}, "classes": int,
     "trials": {"complete": int, "pruned": int, "failed": int, "running": int, "waiting": int},
     "networks_trained": int, "epochs_trained": int, "epochs_saved": int, "seconds": float,
     "front": [{"trial": int, "widths": [int], "neurons": int, "parameters": int, "validation_accuracy": float,
                "test_accuracy": {"mean": float, "sd": float, "min": float, "max": float, "seeds": int} | null}],
     "targets": [{"accuracy": float, "possible": ANSWER, "typical": ANSWER, "reliable": ANSWER,
                  "by_depth": {"0": {"possible": ANSWER, ...}, ...}}]}
    ANSWER = null | {"neurons": int, "widths": [int], "interval": [int, int], "test_accuracy": float, "seeds": int}

Pure, and quick to import: it needs neither Optuna nor TensorFlow.
"""

from collections.abc import Sequence
from typing import Any

from search.config import StudyConfig
from search.front import pareto_front, points_of
from storage.records import StudyRecord, TrialRecord

__all__ = ["smallest_on_validation", "summarise"]


def summarise(study: StudyRecord, config: StudyConfig, trials: Sequence[TrialRecord]) -> dict[str, Any]:
    """The object described above; what verification has to fill is null.

    Args:
        study: The study.
        config: Its settings.
        trials: All its trials.
    """
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
        "networks_trained": len(ended),
        "epochs_trained": sum(trial.epochs or 0 for trial in ended),
        "epochs_saved": sum(
            config.training.epochs - (trial.epochs or 0) for trial in ended if trial.state == "pruned"
        ),
        "seconds": round(sum(trial.seconds or 0.0 for trial in ended), 3),
        "front": [_front_member(by_number[point.trial]) for point in front],
        "targets": [
            {"accuracy": target, "possible": None, "typical": None, "reliable": None, "by_depth": {}}
            for target in config.budget.targets
        ],
    }


def smallest_on_validation(summary: dict[str, Any], target: float) -> dict[str, Any] | None:
    """The smallest front member whose validation accuracy reaches a target, as found in one training."""
    reaching = [member for member in summary["front"] if member["validation_accuracy"] >= target]
    return min(reaching, key=lambda member: member["neurons"], default=None)


def _front_member(trial: TrialRecord) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "widths": list(trial.widths or ()),
        "neurons": trial.neurons,
        "parameters": trial.parameters,
        "validation_accuracy": trial.validation_accuracy,
        "test_accuracy": None,
    }
