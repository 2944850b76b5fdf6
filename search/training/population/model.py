"""A cohort as one `keras.Model`: one call trains every member for an epoch and validates it.

`fit` takes a data set with one element for each epoch: the epoch's batches. `train_step` makes every shard loop over
them, on samples that stay on the device as loaded. Shards train side by side, each operation on one thread. Small
operations gain nothing from more threads, and large ones lose time while their threads wait for each other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SearchData, flat
from fewest.search.settings.keras_settings import keras, tf
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.space import Architecture
from fewest.search.training.network import ProtocolSchedule
from fewest.search.training.outcome import Weights
from fewest.search.training.population.layout import Layout, Shards, pack, unpack
from fewest.search.training.population.program import SCORE_CHUNK, DeviceData, FusedAdam, Program, Shard

__all__ = ["POPULATIONS", "Population", "Populations", "n_shards", "use_one_thread_per_operation"]

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


def n_shards() -> int:
    """Return the number of shards: one for each core that this process or its container may use; one on a GPU."""
    return 1 if tf.config.list_physical_devices("GPU") else int(joblib.cpu_count())


def use_one_thread_per_operation() -> None:
    """Let each TensorFlow operation run on one thread, unless this process has begun to use TensorFlow."""
    if tf.config.list_physical_devices("GPU"):
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(n_shards())
    except RuntimeError:
        return  # It computes the same, more slowly.


class Population(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Networks trained together.

    Args:
        n_levels: Largest depth it can hold.
        n_shards: Number of shards that train side by side.
        device_data: The samples that the networks train on.
        protocol: How the networks are trained.
        compiled_for: The layout of its only shard, to compile the model for; None for any layouts.

    Attributes:
        shards: The shards that it holds now.
        n_traced: Number of times that TensorFlow has traced its epoch.
    """

    def __init__(
        self,
        n_levels: int,
        n_shards: int,
        device_data: DeviceData,
        protocol: Protocol,
        compiled_for: Layout | None = None,
    ) -> None:
        super().__init__()
        data = device_data.data
        empty = Layout((), data.n_features, data.n_classes, n_levels)
        self.shards = Shards(((),) * n_shards, (empty,) * n_shards)
        self.n_traced = 0
        self._data = device_data
        self._variables = [Shard.empty(n_levels) for _ in range(n_shards)]
        self._places = tf.Variable(np.zeros(0, np.int32), shape=[None], trainable=False)
        self.built = True
        optimizer = FusedAdam(ProtocolSchedule(protocol, len(data.y_train)))
        self._program = Program(n_levels, device_data, protocol, optimizer, compiled_for)
        self.compile(optimizer=optimizer, jit_compile=False)
        signature = [tf.TensorSpec((None, data.n_features), data.x_train.dtype), tf.TensorSpec((None,), tf.int32)]
        self._right = tf.function(self._right_of, input_signature=signature, autograph=False)

    # The model's members.

    def load(
        self,
        shards: Shards,
        weights: Mapping[int, Weights],
        slots: Mapping[int, tuple[Weights, Weights]],
        step: int,
    ) -> None:
        """Place networks in the model; rows of members missing from `weights` stay zero.

        Args:
            shards: As many shards, and as many levels, as this model has.
            weights: Stock arrays by member.
            slots: Adam's first and second moments by member, each like `weights`; missing for new members.
            step: Optimizer steps taken so far.
        """
        self.shards = shards
        first, second = ({member: moments[which] for member, moments in slots.items()} for which in (0, 1))
        live, rest = np.split(self._data.order, [self._data.n_live])
        for held, members, layout in zip(self._variables, shards.members, shards.layouts, strict=True):
            for variables, source in ((held.first, first), (held.second, second), (held.weights, weights)):
                here = {place: source[member] for place, member in enumerate(members) if member in source}
                kernel, later = pack(layout, here)
                variables[0].assign(kernel[:, live])
                variables[1].assign(later)
            held.frozen.assign(kernel[:, rest])
            held.mask.assign(layout.mask())
            for name, table in layout.tables().items():
                held.tables[name].assign(table)
        scored = [
            members[i] for members, layout in zip(shards.members, shards.layouts, strict=True) for i in layout.scored
        ]
        self._places.assign(np.argsort(scored).astype(np.int32))
        self.optimizer.iterations.assign(step)

    def weights_of(self, members: Sequence[int]) -> dict[int, Weights]:
        """Return members' present stock arrays."""
        return self._unpacked([(held.weights, held.frozen.numpy()) for held in self._variables], members)

    def slots_of(self, members: Sequence[int]) -> dict[int, tuple[Weights, Weights]]:
        """Return members' present Adam moments, first and second."""
        still = [np.zeros_like(held.frozen.numpy()) for held in self._variables]
        first, second = (
            self._unpacked(list(zip(variables, still, strict=True)), members)
            for variables in zip(*((held.first, held.second) for held in self._variables), strict=True)
        )
        return {member: (first[member], second[member]) for member in members}

    def _unpacked(
        self, arrays: Sequence[tuple[Sequence[Any], NDArray[np.float32]]], members: Sequence[int]
    ) -> dict[int, Weights]:
        """Unpack stock arrays from a pair for each shard: its variables, and its first kernel's frozen features."""
        found: dict[int, Weights] = {}
        for (variables, frozen), here, layout in zip(arrays, self.shards.members, self.shards.layouts, strict=True):
            live, later = (variable.numpy() for variable in variables)
            kernel = np.empty((layout.n_first, layout.n_features), np.float32)
            kernel[:, self._data.order] = np.concatenate([live, frozen], 1)
            found |= {m: unpack(layout, [kernel, later], i) for i, m in enumerate(here) if m in members}
        return {member: found[member] for member in members}

    # The model's computations.

    def call(self, inputs: Any) -> Any:
        """Return class probabilities for raw samples: float32 `(samples, members, classes)`."""
        x = tf.gather(tf.reshape(inputs, (-1, self._data.data.n_features)), self._data.order, axis=1)
        scores = tf.concat([self._program.scores(held, x) for held in self._variables], 0)
        return tf.nn.softmax(tf.transpose(tf.gather(scores, self._places), (2, 0, 1)))

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Train every member for an epoch, then validate it if asked.

        Args:
            data: Positions of the training samples, int32 `(batches, batch size)`, see `seeds.SampleOrder`, and
                whether to validate, a bool scalar.

        Returns:
            `loss`, `accuracy`, `val_loss`, `val_accuracy`: `(members,)` each, as `Program.epoch` returns them.
        """
        self.n_traced += 1
        order, validates = data
        order, start = tf.reshape(order, self._program.batches), tf.cast(self.optimizer.iterations, tf.int32)
        logs = [self._program.epoch(held, order, start, validates) for held in self._variables]
        self.optimizer.iterations.assign_add(self._program.batches[0])
        return {name: self._by_member([of_shard[name] for of_shard in logs]) for name in METRICS}

    def right(self, x: Images, y: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Say which raw samples every member labels right: bool `(members, samples)`."""
        rows, labels = flat(x), np.asarray(y, np.int32)
        chunks = [slice(start, start + SCORE_CHUNK) for start in range(0, len(labels), SCORE_CHUNK)]
        parts = [self._right(self._data.arranged(rows[chunk]), labels[chunk]).numpy() for chunk in chunks]
        return np.concatenate(parts, axis=1)

    def _right_of(self, x: Any, y: Any) -> Any:
        return self._by_member([self._program.right(held, x, y) for held in self._variables])

    def _by_member(self, parts: Sequence[Any]) -> Any:
        return tf.gather(tf.concat(parts, 0), self._places)


MAX_MODELS = 8
"""Models kept for later cohorts; the least recently used one is dropped first."""


class Populations:
    """The models built for the data and protocol in use."""

    def __init__(self) -> None:
        self._key: tuple[SearchData, Protocol] | None = None
        self._device: DeviceData | None = None
        self._models: dict[tuple[int, int, tuple[Architecture, ...] | None], Population] = {}

    def get(self, shards: Shards, data: SearchData, protocol: Protocol, *, compiled: bool = False) -> Population:
        """Return a model that can hold these shards, compiled for their one layout or for any; build it if needed.

        Models of other data, or of another protocol, are dropped.
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
"""This process's models; TensorFlow's traces belong to one process, too."""
