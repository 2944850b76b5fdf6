"""The figures that a running study stores with its trials, for optuna-dashboard to show."""

import time
from collections.abc import Callable, Mapping, Sequence

import plotly.graph_objects as go

from fewest.dashboards.curves import plot_curves
from fewest.dashboards.found import Found, read_found
from fewest.dashboards.front import plot_front
from fewest.dashboards.hypervolume import plot_hypervolume
from fewest.dashboards.intervals import plot_intervals
from fewest.dashboards.saved import SavedName, save_figures
from fewest.dashboards.style import in_metric
from fewest.notes import write_notes
from fewest.search.study.study import OpenStudy
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.records import CurvePoint

__all__ = ["Figures", "seconds_between"]

LEAST_SECONDS_BETWEEN = 30.0
MOST_SHARE = 0.02
"""Most of a study's time that drawing may take."""


def seconds_between(drawing_seconds: float) -> float:
    """Return the least seconds from one drawing to the next, by how long the last one took.

    >>> seconds_between(0.25), seconds_between(4.0)
    (30.0, 200.0)
    """
    return max(LEAST_SECONDS_BETWEEN, drawing_seconds / MOST_SHARE)


class Figures:
    """A study's figures, drawn and stored with the study.

    Args:
        study: The study.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, study: OpenStudy, clock: Callable[[], float] = time.monotonic) -> None:
        self._study, self._clock = study, clock
        self._due = clock() + LEAST_SECONDS_BETWEEN

    def refresh_if_old(self) -> None:
        """Draw the figures again, unless that was a short while ago; see `seconds_between`."""
        if self._clock() >= self._due:
            self.refresh()

    def refresh(self) -> None:
        """Draw the figures again, and write the notes that go with them."""
        began = self._clock()
        with self._study.reading() as connection:
            known = read_found(connection, self._study.config.name)
            curves = read_curves(connection, known.study.study_id)
        write_notes(self._study, known)
        save_figures(self._study.optuna, _drawn(known, curves))
        ended = self._clock()
        self._due = ended + seconds_between(ended - began)


def _drawn(known: Found, curves: Mapping[int, Sequence[CurvePoint]]) -> dict[SavedName, go.Figure]:
    targets = known.ours.accuracies
    figures: dict[SavedName, go.Figure] = {
        "front": plot_front(known.trials, curves, targets),
        "curves": plot_curves(known.trials, curves, targets),
        "hypervolume": plot_hypervolume(known.trials),
    }
    if known.verified:
        figures["intervals"] = plot_intervals(known.summary.targets)
    return {name: in_metric(figure, known.config.data.metric) for name, figure in figures.items()}
