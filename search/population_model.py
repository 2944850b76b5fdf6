"""A cohort as one `keras.Model`: one call trains every member for an epoch and validates it.

The model knows the number of levels, not architectures: those come in as tables and arrays of any size, so one traced
program trains every cohort of a study, however it shrinks, and nothing is compiled. Where steps are so short and so
many that TensorFlow's executor would take most of the time, a model can be made for one layout and compiled.

`fit` takes a data set of one element an epoch, the epoch's batches; `train_step` loops over them, on pixels that stay
on the device as uint8. Members' losses are summed, so each sees the gradient it would see alone. The gradient is
written out: TensorFlow's own would scatter where this gathers, and reckon with sizes that it cannot know.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from search.data import Images, SearchData
from search.network import ProtocolSchedule
from search.population_layout import HIDDEN_KINDS, OUTPUT_KINDS, Layout, Weights, pack, unpack
from search.protocol import Protocol, n_batches

__all__ = ["DeviceData", "FusedAdam", "Population"]

SCORE_CHUNK = 1024
"""Most samples scored at once: bounds the memory that validation takes."""

Activation = tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]

ACTIVATIONS: dict[str, Activation] = {
    "relu": (tf.nn.relu, lambda upstream, values: tf.raw_ops.ReluGrad(gradients=upstream, features=values)),
    "tanh": (tf.math.tanh, lambda upstream, values: tf.raw_ops.TanhGrad(y=values, dy=upstream)),
    "sigmoid": (tf.math.sigmoid, lambda upstream, values: tf.raw_ops.SigmoidGrad(y=values, dy=upstream)),
}


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
        scaled = tf.cast(x, tf.float32) * self.scale
        return scaled + self.offset if np.any(self.offset) else scaled


def flat(x: Images) -> Images:
    """Samples as rows."""
    return x.reshape(len(x), -1)


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # keras is untyped
    """Keras's Adam, each variable in one pass: the arithmetic of `Adam.update_step` as TensorFlow's own kernel."""

    def move(self, variables: Sequence[Any], gradients: Sequence[Any], slots: Sequence[Any], step: Any) -> None:
        """Takes optimizer step `step`, an int32 scalar counted from 0.

        Args:
            variables: Weights.
            gradients: Of the loss, like `variables`.
            slots: First moments, then second moments, each like `variables`.
            step: Optimizer steps before.
        """
        count, n = tf.cast(step + 1, tf.float32), len(variables)
        powers = {"beta1_power": tf.pow(self.beta_1, count), "beta2_power": tf.pow(self.beta_2, count)}
        constants = {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}
        rate = self._learning_rate(step)
        for variable, gradient, first, second in zip(variables, gradients, slots[:n], slots[n:], strict=True):
            handles = {"var": variable.handle, "m": first.handle, "v": second.handle}
            tf.raw_ops.ResourceApplyAdam(**handles, **powers, **constants, lr=rate, grad=gradient)


class Forward(NamedTuple):
    """What a forward pass leaves for the gradient.

    Attributes:
        scores: Logits, `(classes, members, samples)`.
        hidden: Activations of each level, `(rows, samples)`.
        inputs: For each level, of each kind of blocks that reads it, `(blocks, inputs, samples)`.
        kernels: Like `inputs`, `(blocks, outputs, inputs)`.
        sizes: Like `inputs`, blocks, outputs and inputs.
    """

    scores: Any
    hidden: list[Any]
    inputs: list[list[Any]]
    kernels: list[list[Any]]
    sizes: list[list[tuple[Any, Any, Any]]]


class Population(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Networks trained together.

    Attributes:
        n_levels: Largest depth it can hold.
        layout: What it holds now.
        n_traced: Times its epoch was traced so far.
    """

    def __init__(
        self, n_levels: int, device_data: DeviceData, protocol: Protocol, compiled_for: Layout | None = None
    ) -> None:
        super().__init__()
        data = device_data.data
        self.n_levels = n_levels
        self._compiled_for = compiled_for
        self.layout = Layout((), data.n_features, data.n_classes, n_levels)
        self.n_traced = 0
        self._data = device_data
        self._activate, self._activation_gradient = ACTIVATIONS[protocol.activation]
        self._batches = (n_batches(len(data.y_train), protocol.batch_size), min(protocol.batch_size, len(data.y_train)))
        self._weights = [_variable(array) for array in pack(self.layout, {})]
        self._slots = [_variable(array) for _ in (0, 1) for array in pack(self.layout, {})]
        self._mask = _variable(self.layout.mask())
        self._tables = {name: _variable(table) for name, table in self.layout.tables().items()}
        self.built = True
        self.compile(optimizer=FusedAdam(ProtocolSchedule(protocol, len(data.y_train))), jit_compile=False)

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
            layout: Of this model's levels.
            weights: Stock arrays by member.
            slots: Adam's first and second moments, each like weights; none for members that start.
            step: Optimizer steps taken so far.
        """
        self.layout = layout
        moments = [array for which in (0, 1) for array in pack(layout, {m: s[which] for m, s in slots.items()})]
        for variable, array in zip([*self._weights, *self._slots], pack(layout, weights) + moments, strict=True):
            variable.assign(array)
        self._mask.assign(layout.mask())
        for name, table in layout.tables().items():
            self._tables[name].assign(table)
        self.optimizer.iterations.assign(step)

    def weights_of(self, members: Sequence[int]) -> dict[int, Weights]:
        """Members' stock arrays as they are now."""
        arrays = [variable.numpy() for variable in self._weights]
        return {member: unpack(self.layout, arrays, member) for member in members}

    def slots_of(self, members: Sequence[int]) -> dict[int, tuple[Weights, Weights]]:
        """Members' Adam moments as they are now."""
        arrays = [variable.numpy() for variable in self._slots]
        return {m: (unpack(self.layout, arrays[:2], m), unpack(self.layout, arrays[2:], m)) for m in members}

    # What it computes.

    def call(self, inputs: Any) -> Any:
        """Class probabilities, `(samples, members, classes)`, for raw samples."""
        x = self._data.floats(tf.reshape(inputs, (-1, self.layout.n_features)))
        return tf.nn.softmax(tf.transpose(self._forward(x).scores, (2, 1, 0)))

    def train_step(self, order: Any) -> dict[str, Any]:
        """One epoch of every member, then its validation.

        Args:
            order: int32 `(batches, batch size)`, see `protocol.batch_order`.

        Returns:
            `loss`, `accuracy`, `val_loss`, `val_accuracy`: float32 `(members,)` each.
        """
        self.n_traced += 1
        n_batches, size = self._batches
        train = tf.function(self._train, jit_compile=True, autograph=False) if self._compiled_for else self._train
        losses, hits = train(tf.reshape(order, self._batches))
        self.optimizer.iterations.assign_add(n_batches)
        val_loss, val_accuracy = self.score(self._data.x_validation, self._data.y_validation)
        n = n_batches * size
        return {"loss": losses / n, "accuracy": hits / n, "val_loss": val_loss, "val_accuracy": val_accuracy}

    def _train(self, order: Any) -> tuple[Any, Any]:
        """An epoch: the summed losses and hits of each member."""
        n_batches, size = self._batches
        start = tf.cast(self.optimizer.iterations, tf.int32)

        def step(i: Any, losses: Any, hits: Any) -> tuple[Any, Any, Any]:
            x = self._data.floats(tf.gather(self._data.x_train, order[i]))
            forward = self._forward(x)
            loss, hit, upstream = judged(forward.scores, tf.gather(self._data.y_train, order[i]))
            gradients = self._gradients(forward, upstream / size, x)
            self.optimizer.move(self._weights, gradients, self._slots, start + i)
            return i + 1, losses + tf.reduce_sum(loss, 1), hits + tf.reduce_sum(hit, 1)

        return self._summed(n_batches, step)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]  # tensorflow is untyped
    def score(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Loss and accuracy of every member, float32 `(members,)` each, on raw samples `(samples, features)`."""
        n_samples = tf.shape(y)[0]

        def step(i: Any, losses: Any, hits: Any) -> tuple[Any, Any, Any]:
            chunk = slice(i * SCORE_CHUNK, (i + 1) * SCORE_CHUNK)
            loss, hit, _ = judged(self._forward(self._data.floats(x[chunk])).scores, y[chunk])
            return i + 1, losses + tf.reduce_sum(loss, 1), hits + tf.reduce_sum(hit, 1)

        losses, hits = self._summed(-(-n_samples // SCORE_CHUNK), step)
        n = tf.cast(n_samples, tf.float32)
        return losses / n, hits / n

    def _summed(self, n: Any, step: Callable[[Any, Any, Any], tuple[Any, Any, Any]]) -> tuple[Any, Any]:
        """Losses and hits of each member over `n` steps."""
        _, n_members = self._counts()
        zeros = tf.zeros(n_members)
        some = tf.TensorShape([None])
        _, losses, hits = tf.while_loop(
            lambda i, *_: i < n,
            step,
            (0, zeros, zeros),
            shape_invariants=(tf.TensorShape([]), some, some),
            parallel_iterations=1,
        )
        return losses, hits

    def _forward(self, x: Any) -> Forward:
        """From scaled samples, `(samples, features)`."""
        first, later = self._weights
        n_first, n_members = self._counts()
        n_samples, classes = tf.shape(x)[0], self.layout.n_classes
        sizes = [self._sizes(level) for level in range(self.n_levels)]
        biases, output_bias, kernels = self._split(tf.convert_to_tensor(later), sizes)
        products = tf.matmul(first, x, transpose_b=True)
        top, scores = products[:n_first], []
        hidden, inputs = [], []
        for level, bias in enumerate(biases):
            hidden.append(self._activate(top + bias[:, None]))
            rows = tf.gather(hidden[level], self._tables[f"forward_{level}"])
            parts = tf.split(rows, [n * i for n, _, i in sizes[level]])
            inputs.append(
                [tf.reshape(part, (n, i, n_samples)) for part, (n, _, i) in zip(parts, sizes[level], strict=True)]
            )
            outputs = [
                tf.reshape(tf.matmul(kernel, block), (n * o, n_samples))
                for kernel, block, (n, o, _) in zip(kernels[level], inputs[level], sizes[level], strict=True)
            ]
            scores += outputs[self._n_hidden(level) :]
            if self._n_hidden(level):
                top = tf.concat(outputs[:HIDDEN_KINDS], 0)
        rows = tf.gather(tf.concat([*scores, products[n_first:]], 0), self._tables["forward"])
        logits = tf.reshape(rows, (classes, n_members, n_samples)) + tf.reshape(output_bias, (classes, n_members, 1))
        return Forward(logits, hidden, inputs, kernels, sizes)

    def _gradients(self, forward: Forward, upstream: Any, x: Any) -> list[Any]:
        """Of the first kernel and of the later weights, from that of the scores."""
        *of_scores, of_softmax = self._of_score_rows(forward, upstream)
        of_biases = [tf.reshape(tf.reduce_sum(upstream, 2), (-1,))]
        of_kernels: list[Any] = []
        of_level: Any = None
        for level in reversed(range(self.n_levels)):
            sizes = forward.sizes[level]
            parts = tf.split(of_level, [n * o for n, o, _ in sizes[:HIDDEN_KINDS]]) if self._n_hidden(level) else []
            blocks = [
                tf.reshape(part, (n, o, tf.shape(x)[0]))
                for part, (n, o, _) in zip([*parts, *of_scores[level]], sizes, strict=True)
            ]
            products = [
                tf.matmul(block, read, transpose_b=True)
                for block, read in zip(blocks, forward.inputs[level], strict=True)
            ]
            of_kernels = [*(tf.reshape(product, (-1,)) for product in products), *of_kernels]
            of_inputs = [
                tf.reshape(tf.matmul(kernel, block, transpose_a=True), (n * i, tf.shape(x)[0]))
                for kernel, block, (n, _, i) in zip(forward.kernels[level], blocks, sizes, strict=True)
            ]
            of_values = tf.gather(tf.concat(of_inputs, 0), self._tables[f"backward_{level}"])
            of_level = self._activation_gradient(of_values, forward.hidden[level])
            of_biases.insert(0, tf.reduce_sum(of_level, 1))
        of_first = tf.matmul(tf.concat([of_level, of_softmax], 0), x)
        return [of_first, tf.concat([*of_biases, *of_kernels], 0) * self._mask]

    def _of_score_rows(self, forward: Forward, upstream: Any) -> list[Any]:
        """The gradient of the scores as rows: for each level those of its output kinds, then of softmax alone."""
        n_levels, classes = self.n_levels, self.layout.n_classes
        rows = tf.gather(tf.reshape(upstream, (-1, tf.shape(upstream)[2])), self._tables["backward"])
        kinds = [sizes[self._n_hidden(level) :] for level, sizes in enumerate(forward.sizes)]
        widths = [n * classes for sizes in kinds for n, _, _ in sizes]
        *parts, of_softmax = tf.split(rows, [*widths, tf.shape(rows)[0] - tf.add_n(widths)])
        return [*(parts[OUTPUT_KINDS * level : OUTPUT_KINDS * (level + 1)] for level in range(n_levels)), of_softmax]

    def _split(self, later: Any, sizes: Sequence[Sequence[tuple[Any, Any, Any]]]) -> tuple[list[Any], Any, list[Any]]:
        """The later weights as biases of each level, of the output layers, and kernels of each level's kinds."""
        n_first, n_members = self._counts()
        n_rows = [n_first, *(tf.add_n([n * o for n, o, _ in kinds[:HIDDEN_KINDS]]) for kinds in sizes[:-1])]
        blocks = [size for kinds in sizes for size in kinds]
        parts = tf.split(later, [*n_rows, n_members * self.layout.n_classes, *(n * o * i for n, o, i in blocks)])
        biases, output_bias, kernels = parts[: self.n_levels], parts[self.n_levels], parts[self.n_levels + 1 :]
        shaped = iter(tf.reshape(kernel, size) for kernel, size in zip(kernels, blocks, strict=True))
        return biases, output_bias, [[next(shaped) for _ in kinds] for kinds in sizes]

    def _counts(self) -> tuple[Any, Any]:
        """Rows of the first level, members."""
        if self._compiled_for:
            return self._compiled_for.n_rows[0], len(self._compiled_for.architectures)
        n_first, n_members = tf.unstack(self._tables["counts"], num=2)
        return n_first, n_members

    def _sizes(self, level: int) -> list[tuple[Any, Any, Any]]:
        """Blocks, outputs and inputs of each kind that reads a level."""
        if self._compiled_for:
            return [(len(kind.members), kind.outputs, kind.inputs) for kind in self._compiled_for.kinds[level]]
        rows = tf.unstack(self._tables[f"sizes_{level}"], num=len(self.layout.kinds[level]))
        return [tuple(tf.unstack(row, num=3)) for row in rows]

    def _n_hidden(self, level: int) -> int:
        """Kinds of hidden layers' blocks that read a level."""
        return HIDDEN_KINDS if level + 1 < self.n_levels else 0


def _variable(array: NDArray[Any]) -> Any:
    """A variable that takes arrays of any size."""
    return tf.Variable(array, shape=tf.TensorShape([None] * array.ndim), trainable=False)


def judged(scores: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Cross-entropy, hits, and the gradient of the summed cross-entropy.

    Args:
        scores: Logits, float32 `(classes, members, samples)`.
        labels: int32 `(samples,)`.

    Returns:
        In nats; 1 where the highest score, the first of equals, is the label's, else 0, both `(members, samples)`;
        and like `scores`.
    """
    targets = tf.one_hot(labels, scores.shape[0], axis=0)[:, None]
    top = tf.reduce_max(scores, 0)
    powers = tf.exp(scores - top)
    total = tf.reduce_sum(powers, 0)
    losses = tf.math.log(total) + top - tf.reduce_sum(scores * targets, 0)
    hits = tf.cast(tf.equal(tf.argmax(scores, 0, output_type=tf.int32), labels), tf.float32)
    return losses, hits, powers / total - targets
