"""The `population` engine: a cohort of networks trained as one Keras model.

Each member becomes the same network as if trained alone.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SearchData
from fewest.search.settings.keras_settings import settle
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.seeds import SampleOrder
from fewest.search.settings.space import Network, SearchSpace
from fewest.search.training.interface import Watcher
from fewest.search.training.outcome import Outcome, Weights
from fewest.search.training.population.cohort import right_of, train_cohort
from fewest.search.training.population.cohort_size import cohort_size
from fewest.search.training.population.model import use_one_thread_per_operation

__all__ = ["PopulationEngine"]


class PopulationEngine:
    """A cohort as one Keras model; see `Engine`."""

    def __init__(self) -> None:
        settle()
        use_one_thread_per_operation()

    def cohort_size(self, data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
        """Return the number of networks that memory and arithmetic favour."""
        return cohort_size(data, protocol, space)

    def train(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        *,
        order: SampleOrder,
        watcher: Watcher,
    ) -> list[Outcome]:
        """See `Engine.train`."""
        return train_cohort(networks, data, protocol, order=order, watcher=watcher)

    def right(
        self,
        networks: Sequence[Network],
        weights: Sequence[Weights],
        x: Images,
        y: NDArray[np.int32],
        data: SearchData,
        protocol: Protocol,
    ) -> NDArray[np.bool_]:
        """See `Engine.right`."""
        return right_of(networks, weights, x, y, data, protocol)
