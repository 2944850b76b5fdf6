"""The figures that a running study stores with its trials, for optuna-dashboard to show."""

import time

from fewest.dashboards.curves import plot_curves
from fewest.dashboards.front import plot_front
from fewest.dashboards.saved import save_curves_figure, save_front_figure
from fewest.dashboards.style import in_metric
from fewest.search.study.study import OpenStudy

__all__ = ["Figures"]

SECONDS_BETWEEN = 30.0
"""Least seconds between two drawings while a study runs: drawing takes half a second."""


class Figures:
    """A study's front and learning curves, drawn and stored with the study."""

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
        drawn_from = (*study.trials_and_curves(), study.targets(), config.space.size)
        save_front_figure(study.optuna, in_metric(plot_front(*drawn_from), config.data.metric))
        save_curves_figure(study.optuna, in_metric(plot_curves(*drawn_from), config.data.metric))
        self._drawn_at = time.monotonic()
