"""The figures and answers that a running study stores with its trials, for optuna-dashboard to show."""

import time

from fewest.dashboards.curves import plot_curves
from fewest.dashboards.front import plot_front
from fewest.dashboards.saved import save_answers, save_curves_figure, save_front_figure
from fewest.search.answers.sentences import statements_of
from fewest.search.answers.summary import targets_of
from fewest.search.study.study import OpenStudy

__all__ = ["Figures"]

SECONDS_BETWEEN = 30.0
"""Least seconds between two drawings while a study runs: drawing takes half a second."""


class Figures:
    """A study's front, learning curves and answers, stored with the study."""

    def __init__(self, study: OpenStudy) -> None:
        self._study = study
        self._drawn_at = time.monotonic()

    def refresh_if_old(self) -> None:
        """Draw the figures again if the last drawing is older than `SECONDS_BETWEEN`."""
        if time.monotonic() - self._drawn_at >= SECONDS_BETWEEN:
            self.refresh()

    def refresh(self) -> None:
        """Draw the figures again."""
        study, config = self._study, self._study.config
        drawn_from = (*study.trials_and_curves(), config.budget.targets, config.space.size)
        save_front_figure(study.optuna, plot_front(*drawn_from))
        save_curves_figure(study.optuna, plot_curves(*drawn_from))
        results = study.results()
        save_answers(study.optuna, statements_of(targets_of(config, results), study.data.name, results))
        self._drawn_at = time.monotonic()
