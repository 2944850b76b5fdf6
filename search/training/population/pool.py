"""The models that cohorts of a study take turns in: tracing one takes a second or two, so they are kept."""

from fewest.search.data.samples import SearchData
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.space import Architecture
from fewest.search.training.population.layout import Shards
from fewest.search.training.population.model import Population
from fewest.search.training.population.program import DeviceData

__all__ = ["POPULATIONS", "Populations"]

MAX_MODELS = 8
"""Models kept for later cohorts; the one that was not asked for longest is forgotten first."""


class Populations:
    """The models built for the data and protocol in use."""

    def __init__(self) -> None:
        self._key: tuple[SearchData, Protocol] | None = None
        self._device: DeviceData | None = None
        self._models: dict[tuple[int, int, tuple[Architecture, ...] | None], Population] = {}

    def get(self, shards: Shards, data: SearchData, protocol: Protocol, *, compiled: bool = False) -> Population:
        """A model that can hold these shards, compiled for their one layout or for any; built if there is none yet.

        Those of other data, or of another protocol, are forgotten.
        """
        if self._device is None or self._key is None or self._key[0] is not data or self._key[1] != protocol:
            self._models.clear()
            self._key, self._device = (data, protocol), DeviceData(data)
        layout = shards.layouts[0]
        key = (layout.n_levels, len(shards.layouts), layout.architectures if compiled else None)
        model = self._models.pop(key, None)
        if model is None:
            if len(self._models) == MAX_MODELS:
                del self._models[next(iter(self._models))]
            model = Population(*key[:2], self._device, protocol, layout if compiled else None)
        self._models[key] = model
        return model


POPULATIONS = Populations()
"""Of this process: TensorFlow traces for one process too."""
