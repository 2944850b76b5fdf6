"""An Optuna trial that can be pruned in a study with two objectives.

Optuna's own `Trial.report` and `Trial.should_prune` refuse studies with more than one objective (optuna issue #3450).
In our studies the size is known beforehand and only the accuracy is uncertain. So a report is just the accuracy, and
the front decides whether to go on. `FrontTrial` asks it; `optuna_integration.KerasPruningCallback` works unchanged.
"""

from collections.abc import Callable

import optuna

__all__ = ["FrontTrial", "Judge"]

Judge = Callable[[int, float], str | None]
"""A function of an epoch and the accuracy after it that returns the reason to prune, or None."""


class FrontTrial(optuna.Trial):
    """A running trial whose reports go to a judge instead of Optuna's pruner.

    Nothing is written to Optuna's intermediate values, which its TPE sampler cannot read in a study with two
    objectives.

    Args:
        study: The study, with any number of objectives.
        trial_id: The key of one of its running trials.
        judge: Judges the last report at every `should_prune`.
    """

    def __init__(self, study: optuna.Study, trial_id: int, judge: Judge) -> None:
        super().__init__(study, trial_id)
        self._judge = judge
        self._last: tuple[int, float] | None = None
        self.reason: str | None = None
        """Why the trial was pruned; None until then."""

    def report(self, value: float, step: int) -> None:
        """Record the accuracy after epoch `step`, counted from 0."""
        self._last = (step, float(value))

    def should_prune(self) -> bool:
        """Say whether the judge prunes the trial after its last report; False before any report."""
        if self._last is not None:
            self.reason = self._judge(*self._last)
        return self.reason is not None
