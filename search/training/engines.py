"""The two engines: they train networks and report every epoch; the watcher decides what that means for a study.

`keras` trains one stock `keras.Sequential` after another, with Keras's own callbacks and Optuna's. It is the
reference, and works for any model. `population` trains a whole cohort as one Keras model. From the same networks,
data and batch seed, both engines train the same networks up to rounding.
"""

from collections.abc import Callable

from fewest.search.data.samples import SearchData
from fewest.search.settings.config import EngineName, StudyConfig
from fewest.search.training.cost import Cost
from fewest.search.training.interface import Engine
from fewest.search.training.population.cohort_size import cost
from fewest.search.training.population.engine import PopulationEngine
from fewest.search.training.stock import KerasEngine, stock_cost

__all__ = ["ENGINES", "cost_of"]

ENGINES: dict[EngineName, Callable[[], Engine]] = {"keras": KerasEngine, "population": PopulationEngine}
"""Engines by their name in a study file."""


def cost_of(config: StudyConfig, data: SearchData) -> Cost:
    """Return what a study's networks cost with its engine, roughly, for a forecast of the time left."""
    if config.engine == "keras":
        return stock_cost(data, config.training)
    return cost(data, config.training, config.space.search_space())
