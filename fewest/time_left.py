"""The time that a run will still take: said before its first network, and with every epoch's progress."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fewest.search.listener import Progress

if TYPE_CHECKING:
    from fewest.progress import Show
    from fewest.search.forecast import Forecast
    from fewest.search.study.study import OpenStudy
    from fewest.search.training.interface import Engine

__all__ = ["forecast_for", "with_time_left"]


def forecast_for(study: "OpenStudy", engine: "Engine", *, searching: bool) -> tuple["Forecast", float]:
    """Return the forecast for a run on an open study, and its first guess in seconds: 0 if nothing is left to do."""
    from fewest.search.forecast import Forecast
    from fewest.search.training.cost import slowdown
    from fewest.search.training.engines import cost_of

    config, data = study.config, study.data
    n_cohort = engine.cohort_size(data, config.training, config.space.search_space())
    study.history.refresh()
    cost = cost_of(config, data).times(slowdown())
    forecast = Forecast(config, cost, n_cohort, study.history.seconds, searching=searching)
    return forecast, forecast.first(len(study.history.ended), len(study.results()))


def with_time_left(show: "Show", forecast: "Forecast", clock: Callable[[], float] = time.monotonic) -> "Show":
    """Return a function that shows progress with the seconds left, counted from now."""
    started = clock()

    def shown(standing: Progress) -> None:
        show(standing._replace(seconds_left=forecast.left(standing, clock() - started)))

    return shown
