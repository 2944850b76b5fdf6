"""The models that cohorts of a study take turns in, and which of them a cohort should take.

Compiling costs seconds, padding costs a share of every epoch: `settle` weighs the two. What it decides is a function of
the cohort and of the shapes known before, never of clocks, so a study repeats itself exactly.
"""

from collections.abc import Iterable, Sequence
from functools import reduce

from search.data import SearchData
from search.population_layout import Shape
from search.population_model import DeviceData, Population
from search.protocol import Protocol

__all__ = ["POPULATIONS", "Populations", "settle"]

COMPILE_SECONDS = 1.5
"""About what XLA takes to compile one shape (benchmarks/population_speed.py)."""

RELUCTANCE = 5.0
"""A new shape has to save this many times what it costs: after the next epochs, one smaller still will be wanted."""

WORK_PER_SECOND = 1e11
"""About how many multiply-adds a second two cores do in large matrix products, see `Shape.work`."""


MAX_MODELS = 16
"""Models kept for later cohorts; the oldest is forgotten first."""


def settle(need: Shape, known: Sequence[Shape], n_samples: int) -> Shape:
    """The model a cohort should train in: one compiled already, unless a new one saves much more time than it takes.

    Args:
        need: The tightest shape that holds the cohort.
        known: Shapes compiled already.
        n_samples: Samples each member has yet to be trained on, over all epochs left.

    Returns:
        One of `known`, or a new shape. The new one is as roomy as costs little beside compiling it, so that later
        cohorts fit too: where an epoch is short all the cohorts of a study share one program.
    """

    def seconds(shape: Shape) -> float:
        return shape.work * n_samples / WORK_PER_SECOND

    tight = need.roomier(0.0)
    roomy = [need.roomier(slack) for slack in (2.0, 1.0, 0.5)]
    roomy.insert(0, reduce(Shape.joined, known, roomy[0]))
    new = next((s for s in roomy if seconds(s) - seconds(tight) <= COMPILE_SECONDS / 4), tight)
    fitting = [shape for shape in known if shape.holds(need)]
    best = min(fitting, key=seconds, default=new)
    return best if seconds(best) <= seconds(new) + RELUCTANCE * COMPILE_SECONDS else new


class Populations:
    """The models built for the data and protocol in use: cohorts of one study take turns in them."""

    def __init__(self) -> None:
        self._key: tuple[SearchData, Protocol] | None = None
        self._device: DeviceData | None = None
        self._models: dict[Shape, Population | None] = {}

    def device(self, data: SearchData, protocol: Protocol) -> DeviceData:
        """The data where networks train; forgets all models if it was other data, or another protocol."""
        if self._device is None or self._key is None or self._key[0] is not data or self._key[1] != protocol:
            self._models.clear()
            self._key, self._device = (data, protocol), DeviceData(data)
        return self._device

    def known(self, data: SearchData, protocol: Protocol) -> tuple[Shape, ...]:
        """Shapes seen so far, oldest first."""
        self.device(data, protocol)
        return tuple(self._models)

    def remember(self, shapes: Iterable[Shape], data: SearchData, protocol: Protocol) -> None:
        """Takes shapes as known; their models are built when first needed."""
        self.device(data, protocol)
        for shape in shapes:
            self._models.setdefault(shape, None)
        while len(self._models) > MAX_MODELS:
            del self._models[next(iter(self._models))]

    def get(self, shape: Shape, data: SearchData, protocol: Protocol) -> Population:
        """The model of a shape, built if there is none yet."""
        device = self.device(data, protocol)
        model = self._models.get(shape)
        if model is None:
            model = self._models[shape] = Population(shape, device, protocol)
        return model


POPULATIONS = Populations()
"""Of this process: TensorFlow compiles for one process too."""
