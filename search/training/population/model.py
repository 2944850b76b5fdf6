"""A cohort as one `keras.Model`: one call trains every member for an epoch and validates it.

`fit` takes a data set with one element for each epoch: the epoch's batches. `train_step` makes every shard loop over
them, on samples that stay on the device as loaded. Shards train side by side, each operation on one thread. Small
operations gain nothing from more threads, and large ones lose time while their threads wait for each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SearchData, flat
from fewest.search.settings.keras_settings import keras, tf
from fewest.search.settings.protocol import Protocol
from fewest.search.training.outcome import Weights
from fewest.search.training.population.layout import Layout, Shards, pack, unpack
from fewest.search.training.population.program import (
    SCORE_CHUNK,
    DeviceData,
    FusedAdam,
    Program,
    Samples,
    Shard,
    Signature,
    variable,
)

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
        signature: What it takes for granted of the data and the protocol.
        compiled_for: The layout of its only shard, to compile the model for; None for any layouts.

    Attributes:
        shards: The shards that it holds now.
        n_traced: Number of times that TensorFlow has traced its epoch.
    """

    def __init__(
        self,
        n_levels: int,
        n_shards: int,
        signature: Signature,
        compiled_for: Layout | None = None,
    ) -> None:
        super().__init__()
        self.n_traced = 0
        self._variables = [Shard.empty(n_levels) for _ in range(n_shards)]
        self._samples = Samples.empty(signature)
        self._features, self._places = (variable(1, tf.int32) for _ in range(2))
        self.built = True
        optimizer = FusedAdam()
        self._program = Program(n_levels, signature, optimizer, compiled_for)
        self.compile(optimizer=optimizer, jit_compile=False)
        rows = [tf.TensorSpec((None, None), signature.dtype), tf.TensorSpec((None,), tf.int32)]
        self._right = tf.function(self._right_of, input_signature=rows, autograph=False)

    # The model's members.

    def load(
        self,
        device_data: DeviceData,
        shards: Shards,
        weights: Mapping[int, Weights],
        slots: Mapping[int, tuple[Weights, Weights]],
        step: int,
    ) -> None:
        """Place networks in the model; rows of members missing from `weights` stay zero.

        Args:
            device_data: The samples to train on, of the model's signature.
            shards: As many shards, and as many levels, as this model has.
            weights: Stock arrays by member.
            slots: Adam's first and second moments by member, each like `weights`; missing for new members.
            step: Optimizer steps taken so far.
        """
        self.shards = shards
        for held, tensor in zip(*map(tf.nest.flatten, (self._samples, device_data.samples)), strict=True):
            held.assign(tensor)  # It takes the tensor's memory and copies nothing.
        self._features.assign(device_data.order.astype(np.int32))
        first, second = ({member: moments[which] for member, moments in slots.items()} for which in (0, 1))
        live, rest = np.split(device_data.order, [device_data.n_live])
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

    def empty(self) -> None:
        """Give up the memory of members and samples."""
        for held in tf.nest.flatten((self._variables, self._samples, self._features, self._places)):
            held.assign(tf.zeros([0] * held.shape.rank, held.dtype))

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
        order = self._features.numpy()
        for (variables, frozen), here, layout in zip(arrays, self.shards.members, self.shards.layouts, strict=True):
            live, later = (variable.numpy() for variable in variables)
            kernel = np.empty((layout.n_first, layout.n_features), np.float32)
            kernel[:, order] = np.concatenate([live, frozen], 1)
            found |= {m: unpack(layout, [kernel, later], i) for i, m in enumerate(here) if m in members}
        return {member: found[member] for member in members}

    # The model's computations.

    def call(self, inputs: Any) -> Any:
        """Return class probabilities for raw samples: float32 `(samples, members, classes)`."""
        x = tf.gather(tf.reshape(inputs, (-1, tf.size(self._features))), self._features, axis=1)
        samples = self._read()
        scores = tf.concat([self._program.scores(held, samples, x) for held in self._variables], 0)
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
        start, samples = tf.cast(self.optimizer.iterations, tf.int32), self._read()
        logs = [self._program.epoch(held, samples, order, start, validates) for held in self._variables]
        self.optimizer.iterations.assign_add(tf.shape(order)[0])
        return {name: self._by_member([of_shard[name] for of_shard in logs]) for name in METRICS}

    def right(self, x: Images, y: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Say which raw samples every member labels right: bool `(members, samples)`."""
        rows, labels, order = flat(x), np.asarray(y, np.int32), self._features.numpy()
        chunks = [slice(start, start + SCORE_CHUNK) for start in range(0, len(labels), SCORE_CHUNK)]
        parts = [self._right(rows[chunk][:, order], labels[chunk]).numpy() for chunk in chunks]
        return np.concatenate(parts, axis=1)

    def _right_of(self, x: Any, y: Any) -> Any:
        samples = self._read()
        return self._by_member([self._program.right(held, samples, x, y) for held in self._variables])

    def _read(self) -> Samples:
        samples: Samples = tf.nest.map_structure(tf.convert_to_tensor, self._samples)
        return samples

    def _by_member(self, parts: Sequence[Any]) -> Any:
        return tf.gather(tf.concat(parts, 0), self._places)


MAX_MODELS = 8
"""Models kept for later cohorts; the one that was returned first is dropped first."""


class Populations:
    """The models that wait for a cohort, and the data of the last one.

    A model is lent to one cohort at a time, and is empty in between. So it serves one data set after another, and
    searches in several threads share none.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._device: DeviceData | None = None
        self._waiting: dict[tuple[Signature, int, int, tuple[Any, ...] | None], Population] = {}

    @contextmanager
    def lent(
        self, shards: Shards, data: SearchData, protocol: Protocol, *, compiled: bool = False
    ) -> Iterator[tuple[Population, DeviceData]]:
        """Lend a model that can hold these shards, compiled for their one layout or for any; build it if needed.

        Yields:
            The model, still empty, and the data that it shall load.
        """
        device, layout = self._on_device(data, protocol), shards.layouts[0]
        compiled_for = (layout.architectures, layout.n_features, layout.n_classes) if compiled else None
        key = (device.signature, layout.n_levels, len(shards.layouts), compiled_for)
        with self._lock:
            model = self._waiting.pop(key, None)
        if model is None:
            model = Population(layout.n_levels, len(shards.layouts), device.signature, layout if compiled else None)
        try:
            yield model, device
        finally:
            model.empty()
            with self._lock:
                self._waiting[key] = model
                if len(self._waiting) > MAX_MODELS:
                    del self._waiting[next(iter(self._waiting))]

    def _on_device(self, data: SearchData, protocol: Protocol) -> DeviceData:
        """Return the data on the device; those of another data set or protocol are dropped first."""
        with self._lock:
            if self._device is None or self._device.data is not data or self._device.protocol != protocol:
                self._device = None
                self._device = DeviceData(data, protocol)
            return self._device


POPULATIONS = Populations()
"""This process's models; TensorFlow's traces belong to one process, too."""
