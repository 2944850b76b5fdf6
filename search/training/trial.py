"""An Optuna trial that can be pruned in a study with two objectives.

Optuna's own `Trial.report` and `Trial.should_prune` refuse to work as soon as a study has more than one
objective (optuna issue #3450). In a study of sizes against accuracies only one of the two is uncertain, so a
report is just the accuracy, and whether to go on is a question to the front. `FrontTrial` answers it, and so
`optuna_integration.KerasPruningCallback` works as it is.
"""

from collections.abc import Callable

import optuna

__all__ = ["FrontTrial", "Judge"]

Judge = Callable[[int, float], str | None]
"""Takes an epoch and the accuracy after it; gives the reason to prune, or None."""


class FrontTrial(optuna.Trial):
    """A running trial whose reports go to a judge instead of Optuna's pruner.

    Nothing is written to Optuna's intermediate values, which its TPE sampler cannot read in a study with two
    objectives.

    Args:
        study: The study, with any number of objectives.
        trial_id: A running trial of it.
        judge: Asked at every `should_prune` about the last report.
    """

    def __init__(self, study: optuna.Study, trial_id: int, judge: Judge) -> None:
        super().__init__(study, trial_id)
        self._judge = judge
        self._last: tuple[int, float] | None = None
        self.reason: str | None = None
        """Why the trial was pruned, once it was."""

    def report(self, value: float, step: int) -> None:
        """Takes note of the accuracy after epoch `step`."""
        self._last = (step, float(value))

    def should_prune(self) -> bool:
        """Whether the last report means that the trial can no longer reach the front; False before any report."""
        if self._last is not None:
            self.reason = self._judge(*self._last)
        return self.reason is not None
