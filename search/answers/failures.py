"""The case that no network of a study trained: there is no answer, only reasons."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from fewest.search.answers.wording import plural
from fewest.storage.errors import FewestError
from fewest.storage.trials.records import TrialRecord, VerifiedNetwork

__all__ = ["NothingTrainedError", "reasons_of_failure"]

N_REASONS_SHOWN = 3


class NothingTrainedError(FewestError, RuntimeError):
    """Every network of a study failed."""

    def __init__(self, name: str, reasons: Mapping[str, int]) -> None:
        n_networks = sum(reasons.values())
        common = Counter(reasons).most_common(N_REASONS_SHOWN)
        more = f"; and {len(reasons) - len(common)} other reasons" if len(reasons) > len(common) else ""
        said = "; ".join(f"{plural(n, 'network')}: {reason.rstrip('.')}" for reason, n in common)
        networks = "The only network" if n_networks == 1 else f"All {plural(n_networks, 'network')}"
        super().__init__(
            f"{networks} of study '{name}' failed, so it has no answer ({said}{more}). "
            "Change what made them fail, such as `training.learning_rate` or the data, under another name."
        )


def reasons_of_failure(trials: Sequence[TrialRecord], verified: Sequence[VerifiedNetwork]) -> Counter[str]:
    """Count failed trials by reason; empty if any trial ended otherwise or any verified network trained.

    Args:
        trials: All trials of a study.
        verified: Networks that verification trained.
    """
    ended = [trial for trial in trials if trial.state not in ("running", "waiting")]
    if any(trial.state != "fail" for trial in ended) or not all(math.isnan(of.test_accuracy) for of in verified):
        return Counter()
    return Counter(trial.reason or "no reason is known" for trial in ended)
