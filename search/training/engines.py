"""The two engines: they train networks and report every epoch; what that means for a study is the watcher's business.

`keras` trains one stock `keras.Sequential` after another, with Keras's own callbacks and Optuna's; it is the
reference, and the way for any model. `population` trains a whole cohort as one Keras model. Given the same
networks, data and batch seed they give the same networks to rounding.
"""

from collections.abc import Callable

from fewest.search.training.interface import Engine
from fewest.search.training.population.engine import PopulationEngine
from fewest.search.training.stock import KerasEngine

__all__ = ["ENGINES"]

ENGINES: dict[str, Callable[[], Engine]] = {"keras": KerasEngine, "population": PopulationEngine}
"""Engines by the name a study file uses."""
