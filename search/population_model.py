"""A cohort as one `keras.Model`: one compiled call trains every member for an epoch and validates it.

The model is built for a `Shape`, not for architectures: those come in as tables, so the same model, and its compiled
program, trains one cohort after another. `fit` takes a data set of one element an epoch, the epoch's batches;
`train_step` loops over them inside XLA, on pixels that stay on the device as uint8. Members' losses are summed, so
each sees the gradient it would see alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from search.data import Images, SearchData
from search.network import ProtocolSchedule
from search.population_layout import Kind, Layout, Shape, Weights, pack, unpack
from search.protocol import Protocol, n_batches

__all__ = ["DeviceData", "FusedAdam", "Population"]

SCORE_CHUNK = 1024
"""Most samples scored at once: bounds the memory that validation takes."""

ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.math.tanh, "sigmoid": tf.math.sigmoid}

Tensors = Any


class DeviceData:
    """The search's data where the networks train: samples as loaded, `(samples, features)`, and int32 labels."""

    def __init__(self, data: SearchData) -> None:
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.data = data
        self.x_train, self.y_train = tf.constant(flat(data.x_train)), tf.constant(data.y_train)
        self.x_validation, self.y_validation = (
            tf.constant(flat(data.x_validation)),
            tf.constant(data.y_validation),
        )
        self.scale, self.offset = (
            value if isinstance(value, float | int) else np.asarray(value, np.float32).reshape(-1)
            for value in (data.scale, data.offset)
        )

    def floats(self, x: Any) -> Any:
        """Raw samples as a network's first dense layer sees them."""
        return tf.cast(x, tf.float32) * self.scale + self.offset


def flat(x: Images) -> Images:
    """Samples as rows."""
    return x.reshape(len(x), -1)


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # keras is untyped
    """Keras's Adam as a pure function of its state, so that XLA fuses a step into one pass over the weights."""

    def moved(self, values: Tensors, gradients: Tensors, slots: Tensors, step: Any) -> tuple[Tensors, Tensors]:
        """Weights and slots after optimizer step `step`, counted from 0: the arithmetic of `Adam.update_step`.

        Args:
            values: Weights.
            gradients: Of the loss, like `values`.
            slots: First moments, then second moments, each like `values`.
            step: int32 scalar.
        """
        count = tf.cast(step + 1, tf.float32)
        correction = tf.sqrt(1.0 - tf.pow(self.beta_2, count)) / (1.0 - tf.pow(self.beta_1, count))
        alpha = self._learning_rate(step) * correction
        n = len(values)
        first = [m + (g - m) * (1 - self.beta_1) for m, g in zip(slots[:n], gradients, strict=True)]
        second = [v + (tf.square(g) - v) * (1 - self.beta_2) for v, g in zip(slots[n:], gradients, strict=True)]
        moved = [w - m * alpha / (tf.sqrt(v) + self.epsilon) for w, m, v in zip(values, first, second, strict=True)]
        return moved, first + second

    @property
    def slots(self) -> list[Any]:
        """The variables behind `moved`'s slots."""
        return [*self._momentums, *self._velocities]


class Population(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Networks of one `Shape`, trained together.

    Attributes:
        shape: What it can hold.
        layout: What it holds now.
        n_compiled: Programs compiled for it so far.
    """

    def __init__(self, shape: Shape, device_data: DeviceData, protocol: Protocol) -> None:
        super().__init__()
        self.shape = shape
        self.layout = Layout((), shape)
        self.n_compiled = 0
        self._data = device_data
        self._activation = ACTIVATIONS[protocol.activation]
        n_train = len(device_data.data.y_train)
        self._batches = (n_batches(n_train, protocol.batch_size), min(protocol.batch_size, n_train))
        for size in shape.sizes:
            self.add_weight(shape=size, initializer="zeros")
        self._tables = {
            name: self.add_weight(
                shape=table.shape, dtype=str(table.dtype), initializer="zeros", trainable=False, name=name
            )
            for name, table in Layout((), shape).tables().items()
        }
        self.built = True
        self.compile(optimizer=FusedAdam(ProtocolSchedule(protocol, n_train)), jit_compile=True)
        self.optimizer.build(self.trainable_variables)

    # What it holds.

    def load(
        self,
        layout: Layout,
        weights: dict[int, Weights],
        slots: dict[int, tuple[Weights, Weights]],
        step: int,
    ) -> None:
        """Puts networks in; rows of members that `weights` leaves out stay zero.

        Args:
            layout: Of this model's shape.
            weights: Stock arrays by member.
            slots: Adam's first and second moments, each like weights; none for members that start.
            step: Optimizer steps taken so far.
        """
        self.layout = layout
        for variable, array in zip(self.trainable_variables, pack(layout, weights), strict=True):
            variable.assign(array)
        moments = [array for which in (0, 1) for array in pack(layout, {m: s[which] for m, s in slots.items()})]
        for variable, array in zip(self.optimizer.slots, moments, strict=True):
            variable.assign(array)
        for name, table in layout.tables().items():
            self._tables[name].assign(table)
        self.optimizer.iterations.assign(step)

    def weights_of(self, members: Sequence[int]) -> dict[int, Weights]:
        """Members' stock arrays as they are now."""
        arrays = [variable.numpy() for variable in self.trainable_variables]
        return {member: unpack(self.layout, arrays, member) for member in members}

    def slots_of(self, members: Sequence[int]) -> dict[int, tuple[Weights, Weights]]:
        """Members' Adam moments as they are now."""
        arrays = [variable.numpy() for variable in self.optimizer.slots]
        n = len(arrays) // 2
        return {m: (unpack(self.layout, arrays[:n], m), unpack(self.layout, arrays[n:], m)) for m in members}

    # What it computes.

    def call(self, inputs: Any) -> Any:
        """Class probabilities, `(samples, members, classes)`, for raw samples."""
        x = self._data.floats(tf.reshape(inputs, (-1, self.shape.n_features)))
        values = [tf.convert_to_tensor(variable) for variable in self.trainable_variables]
        return tf.transpose(tf.nn.softmax(self._logits(values, x), axis=1), (2, 0, 1))

    def train_step(self, order: Any) -> dict[str, Any]:
        """One epoch of every member, then its validation.

        Args:
            order: int32 `(batches, batch size)`, see `protocol.batch_order`.

        Returns:
            `loss`, `accuracy`, `val_loss`, `val_accuracy`: float32 `(members,)` each.
        """
        self.n_compiled += 1
        n_batches, _ = self._batches
        order = tf.reshape(order, self._batches)
        tables = {name: tf.convert_to_tensor(table) for name, table in self._tables.items()}
        start = tf.cast(self.optimizer.iterations, tf.int32)

        def step(i: Any, values: Tensors, slots: Tensors, losses: Any, hits: Any) -> tuple[Any, ...]:
            rows = order[i]
            x = self._data.floats(tf.gather(self._data.x_train, rows))
            y = tf.gather(self._data.y_train, rows)
            with tf.GradientTape() as tape:
                tape.watch(values)
                logits = self._logits(values, x, tables)
                loss = tf.reduce_mean(cross_entropies(logits, y), axis=1)
                total = tf.reduce_sum(tf.where(tables["members"] > 0, loss, 0.0))
            gradients = tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            values, slots = self.optimizer.moved(values, gradients, slots, start + i)
            return i + 1, values, slots, losses + loss, hits + tf.reduce_mean(correct(logits, y), axis=1)

        values = [tf.convert_to_tensor(variable) for variable in self.trainable_variables]
        slots = [tf.convert_to_tensor(variable) for variable in self.optimizer.slots]
        zeros = tf.zeros(self.shape.slots)
        _, values, slots, losses, hits = tf.while_loop(
            lambda i, *_: i < n_batches, step, (0, values, slots, zeros, zeros)
        )
        for variable, value in zip([*self.trainable_variables, *self.optimizer.slots], values + slots, strict=True):
            variable.assign(value)
        self.optimizer.iterations.assign_add(n_batches)
        val_loss, val_accuracy = self._score(values, tables, self._data.x_validation, self._data.y_validation)
        return {
            "loss": losses / n_batches,
            "accuracy": hits / n_batches,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
        }

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]  # tensorflow is untyped
    def score(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Loss and accuracy of every member, float32 `(members,)` each, on raw samples `(samples, features)`."""
        values = [tf.convert_to_tensor(variable) for variable in self.trainable_variables]
        tables = {name: tf.convert_to_tensor(table) for name, table in self._tables.items()}
        return self._score(values, tables, x, y)

    def _score(self, values: Tensors, tables: dict[str, Any], x: Any, y: Any) -> tuple[Any, Any]:
        n_samples = int(x.shape[0])
        n_chunks = -(-n_samples // SCORE_CHUNK)
        chunk = -(-n_samples // n_chunks)

        def step(i: Any, losses: Any, hits: Any) -> tuple[Any, Any, Any]:
            start = tf.minimum(i * chunk, n_samples - chunk)
            fresh = start + tf.range(chunk) >= i * chunk
            samples = self._data.floats(tf.slice(x, (start, 0), (chunk, self.shape.n_features)))
            labels = tf.slice(y, (start,), (chunk,))
            logits = self._logits(values, samples, tables)
            loss = tf.where(fresh, cross_entropies(logits, labels), 0.0)
            hit = tf.where(fresh, correct(logits, labels), 0.0)
            return i + 1, losses + tf.reduce_sum(loss, axis=1), hits + tf.reduce_sum(hit, axis=1)

        zeros = tf.zeros(self.shape.slots)
        _, losses, hits = tf.while_loop(lambda i, *_: i < n_chunks, step, (0, zeros, zeros))
        return losses / n_samples, hits / n_samples

    def _logits(self, values: Tensors, x: Any, tables: dict[str, Any] | None = None) -> Any:
        """Class scores, `(slots, classes, samples)`, for scaled samples `(samples, features)`."""
        tables = tables or {name: tf.convert_to_tensor(table) for name, table in self._tables.items()}
        shape, n_layers = self.shape, len(self.shape.hidden)
        first_kernel, first_bias, output_bias, *later = values
        biases, kernels = later[:n_layers], iter(later[n_layers:])
        products = tf.matmul(first_kernel, x, transpose_b=True)
        hidden = [self._activation(products[: shape.first] + first_bias[:, None])]
        for layer, (kinds, bias) in enumerate(zip(shape.hidden, biases, strict=True), start=1):
            inputs = gathered(hidden[-1], tables[f"forward_{layer}"], tables[f"backward_{layer}"])
            hidden.append(self._activation(multiplied(inputs, kinds, kernels) + bias[:, None]))
        scores = products[shape.first :]
        if shape.outputs:
            inputs = gathered(tf.concat(hidden, 0), tables["forward"], tables["backward"])
            scores = tf.concat([multiplied(inputs, shape.outputs, kernels), scores], 0)
        return tf.reshape(scores, (shape.slots, shape.n_classes, -1)) + output_bias[:, :, None]


def multiplied(inputs: Any, kinds: Sequence[Kind], kernels: Iterator[Any]) -> Any:
    """Each block's output rows, `(rows, samples)`, kind after kind; takes a kernel for each kind."""
    outputs = []
    for rows, kind in zip(tf.split(inputs, [k.inputs * k.blocks for k in kinds]), kinds, strict=True):
        blocks = tf.matmul(next(kernels), tf.reshape(rows, (kind.blocks, kind.inputs, -1)))
        outputs.append(tf.reshape(blocks, (kind.blocks * kind.outputs, -1)))
    return tf.concat(outputs, 0)


def gathered(rows: Any, forward: Any, backward: Any) -> Any:
    """The rows of a `Gather`; its gradient gathers too, where TensorFlow's would scatter."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # tensorflow is untyped
    def gather(x: Any) -> tuple[Any, Any]:
        return _take(x, forward), lambda upstream: _take(upstream, backward)

    return gather(rows)


def _take(x: Any, rows: Any) -> Any:
    return tf.where(rows[:, None] >= 0, tf.gather(x, tf.maximum(rows, 0)), 0.0)


def cross_entropies(logits: Any, labels: Any) -> Any:
    """Float32 `(slots, samples)`, in nats, from logits `(slots, classes, samples)` and labels `(samples,)`."""
    targets = tf.one_hot(labels, logits.shape[1], axis=0)

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # tensorflow is untyped
    def losses(logits: Any) -> tuple[Any, Any]:
        top = tf.reduce_max(logits, axis=1, keepdims=True)
        powers = tf.exp(logits - top)
        total = tf.reduce_sum(powers, axis=1, keepdims=True)
        loss = tf.math.log(total) + top - tf.reduce_sum(logits * targets, axis=1, keepdims=True)
        return loss[:, 0], lambda upstream: upstream[:, None] * (powers / total - targets)

    return losses(logits)


def correct(logits: Any, labels: Any) -> Any:
    """Float32 `(slots, samples)`: 1 where the highest score, the first of equals, is the label's."""
    return tf.cast(tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels), tf.float32)
