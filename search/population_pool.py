"""The models that cohorts of a study take turns in: tracing one takes a second or two, so they are kept."""

from search.data import SearchData
from search.population_layout import Layout
from search.population_model import DeviceData, Population
from search.protocol import Protocol
from search.space import Architecture

__all__ = ["POPULATIONS", "Populations"]

MAX_MODELS = 8
"""Models kept for later cohorts; the oldest is forgotten first."""


class Populations:
    """The models built for the data and protocol in use."""

    def __init__(self) -> None:
        self._key: tuple[SearchData, Protocol] | None = None
        self._device: DeviceData | None = None
        self._models: dict[tuple[int, tuple[Architecture, ...] | None], Population] = {}

    def get(self, layout: Layout, data: SearchData, protocol: Protocol, *, compiled: bool = False) -> Population:
        """A model that can hold a layout, compiled for it or for any of as many levels; built if there is none yet.

        Those of other data, or of another protocol, are forgotten.
        """
        if self._device is None or self._key is None or self._key[0] is not data or self._key[1] != protocol:
            self._models.clear()
            self._key, self._device = (data, protocol), DeviceData(data)
        key = (layout.n_levels, layout.architectures if compiled else None)
        if key not in self._models:
            if len(self._models) == MAX_MODELS:
                del self._models[next(iter(self._models))]
            self._models[key] = Population(layout.n_levels, self._device, protocol, layout if compiled else None)
        return self._models[key]


POPULATIONS = Populations()
"""Of this process: TensorFlow traces for one process too."""
