"""What a shard of a cohort computes: an epoch of training, and scoring, on one core or on a GPU.

The program knows the number of levels, not architectures: those come in as tables and arrays of any size, so one
traced program trains every shard of every cohort of a study, however it shrinks, and nothing is compiled. Where steps
are so short and so many that TensorFlow's executor would take most of the time, it can be made for one layout and
compiled.

Members' losses are summed, so each sees the gradient it would see alone. The gradient is written out: TensorFlow's
own would scatter where this gathers, and reckon with sizes that it cannot know.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fewest.search.data.samples import Images, SearchData
from fewest.search.settings.keras_settings import keras, tf
from fewest.search.settings.protocol import Protocol, n_batches
from fewest.search.training.population.layout import HIDDEN_KINDS, Layout

__all__ = ["DeviceData", "FusedAdam", "Program", "Shard", "flat"]

SCORE_CHUNK = 1024
"""Most samples scored at once: bounds the memory that validation takes."""

Activation = tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]

ACTIVATIONS: dict[str, Activation] = {
    "relu": (tf.nn.relu, lambda upstream, values: tf.raw_ops.ReluGrad(gradients=upstream, features=values)),
    "tanh": (tf.math.tanh, lambda upstream, values: tf.raw_ops.TanhGrad(y=values, dy=upstream)),
    "sigmoid": (tf.math.sigmoid, lambda upstream, values: tf.raw_ops.SigmoidGrad(y=values, dy=upstream)),
}


class DeviceData:
    """The search's data where the networks train: samples as loaded, `(samples, features)`, and int32 labels.

    A feature that is zero in every training sample has no gradient, so its weights stay as they are. Such features,
    a twelfth of MNIST's, come last, and training leaves them out; scoring does not.

    Attributes:
        order: The features in the order in which they lie here.
        n_live: How many of them, from the first on, are not zero throughout; at least 1.
        x_train: Of these alone, `(samples, n_live)`.
    """

    def __init__(self, data: SearchData) -> None:
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.data = data
        scale, offset = (np.asarray(value, np.float32).reshape(-1) for value in (data.scale, data.offset))
        x = flat(data.x_train)
        live = np.any(x, 0) if not offset.any() else np.any(x * scale + offset, 0)
        self.order = np.argsort(~live, kind="stable")
        self.n_live = max(1, int(live.sum()))
        self._scale, self._offset = (
            np.broadcast_to(value, (data.n_features,))[self.order] if value.size > 1 else value
            for value in (scale, offset)
        )
        self.x_train, self.y_train = tf.constant(self.placed(x)[:, : self.n_live]), tf.constant(data.y_train)
        self.x_validation, self.y_validation = (
            tf.constant(self.placed(flat(data.x_validation))),
            tf.constant(data.y_validation),
        )

    def placed(self, x: Images) -> Images:
        """Raw samples, `(samples, features)`, with the features in their order here."""
        return x[:, self.order]

    def floats(self, x: Any, features: slice) -> Any:
        """Some features of raw samples as a network's first dense layer sees them."""
        scale, offset = (value[features] if value.size > 1 else value for value in (self._scale, self._offset))
        scaled = tf.cast(x, tf.float32) * scale
        return scaled + offset if offset.any() else scaled


def flat(x: Images) -> Images:
    """Samples as rows."""
    return x.reshape(len(x), -1)


class Shard(NamedTuple):
    """The variables of networks that train together on one core.

    Attributes:
        weights: The first kernel, of the live features, and the later weights, see `population_layout`.
        frozen: What the first kernel has for the other features.
        first: Adam's first moments of the weights.
        second: Its second moments.
        mask: 1 where a later weight is a member's, 0 where it is padding.
        tables: `Layout.tables`.
    """

    weights: list[Any]
    frozen: Any
    first: list[Any]
    second: list[Any]
    mask: Any
    tables: dict[str, Any]

    @classmethod
    def empty(cls, n_levels: int) -> "Shard":
        """Variables that take arrays of any size."""
        tables = {name: _variable(table.ndim, tf.int32) for name, table in Layout((), 1, 1, n_levels).tables().items()}
        weights, first, second = ([_variable(2), _variable(1)] for _ in range(3))
        return cls(weights, _variable(2), first, second, _variable(1), tables)


def _variable(n_axes: int, dtype: Any = tf.float32) -> Any:
    return tf.Variable(tf.zeros([0] * n_axes, dtype), shape=tf.TensorShape([None] * n_axes), trainable=False)


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # keras is untyped
    """Keras's Adam, each variable in one pass: the arithmetic of `Adam.update_step` as TensorFlow's own kernel."""

    def move(self, shard: Shard, gradients: Sequence[Any], step: Any) -> None:
        """Takes optimizer step `step`, an int32 scalar counted from 0.

        Args:
            shard: Whose weights and moments.
            gradients: Of the loss, like `shard.weights`.
            step: Optimizer steps before.
        """
        count = tf.cast(step + 1, tf.float32)
        powers = {"beta1_power": tf.pow(self.beta_1, count), "beta2_power": tf.pow(self.beta_2, count)}
        constants = {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}
        rate = self._learning_rate(step)
        for variable, first, second, gradient in zip(shard.weights, shard.first, shard.second, gradients, strict=True):
            handles = {"var": variable.handle, "m": first.handle, "v": second.handle}
            tf.raw_ops.ResourceApplyAdam(**handles, **powers, **constants, lr=rate, grad=gradient)


class Plan(NamedTuple):
    """What a step needs to know of a layout: numbers, or scalars that the program reads from the tables.

    Attributes:
        n_first: Rows of the first level.
        n_members: Members.
        sizes: For each level, of each kind of blocks that reads it: blocks, outputs, inputs.
        forward: For each level, gathers the inputs of its blocks.
        backward: For each level, gathers the gradient of these.
    """

    n_first: Any
    n_members: Any
    sizes: list[list[tuple[Any, Any, Any]]]
    forward: list[Any]
    backward: list[Any]

    def n_hidden(self, level: int) -> int:
        """Kinds of hidden layers' blocks that read a level; those of outputs follow."""
        return HIDDEN_KINDS if level + 1 < len(self.sizes) else 0


class Forward(NamedTuple):
    """What a forward pass leaves for the gradient.

    Attributes:
        scores: Logits, `(members, classes, samples)`, members in the order of `Layout.scored`.
        hidden: Activations of each level, `(rows, samples)`.
        inputs: For each level, of each kind of blocks that reads it, `(blocks, inputs, samples)`.
        kernels: Like `inputs`, `(blocks, outputs, inputs)`.
    """

    scores: Any
    hidden: list[Any]
    inputs: list[list[Any]]
    kernels: list[list[Any]]


class Program:
    """An epoch of training, and scoring, for any shard of as many levels.

    Args:
        n_levels: Largest depth it can train.
        device_data: What to train on.
        protocol: How.
        optimizer: Keeps nothing of a shard.
        compiled_for: The one layout to compile training for; None to run in TensorFlow's executor.
    """

    def __init__(
        self,
        n_levels: int,
        device_data: DeviceData,
        protocol: Protocol,
        optimizer: FusedAdam,
        compiled_for: Layout | None = None,
    ) -> None:
        n_train = len(device_data.data.y_train)
        self.batches = (n_batches(n_train, protocol.batch_size), min(protocol.batch_size, n_train))
        self._n_levels, self._data, self._optimizer = n_levels, device_data, optimizer
        self._n_classes = device_data.data.n_classes
        self._activate, self._activation_gradient = ACTIVATIONS[protocol.activation]
        self._compiled_for = compiled_for
        self._train = tf.function(self._steps, jit_compile=True, autograph=False) if compiled_for else self._steps
        # Inlined, they would be optimized anew for each shard: 16 shards took 24 s before their first step, now 4.
        called: dict[str, Any] = {"autograph": False, "experimental_attributes": {"_noinline": True}}
        self.epoch = tf.function(self._epoch, **called)
        self.score = tf.function(self._score, reduce_retracing=True, **called)

    def _epoch(self, shard: Shard, order: Any, start: Any) -> dict[str, Any]:
        """One epoch of every member, then its validation.

        Args:
            shard: Who trains.
            order: int32 `(batches, batch size)`, see `seeds.SampleOrder`.
            start: Optimizer steps taken so far, an int32 scalar.

        Returns:
            `loss`, `accuracy`, `val_loss`, `val_accuracy`: float32 `(members,)` each, ordered like `Layout.scored`.
        """
        losses, hits = self._train(shard, order, start)
        val_loss, val_accuracy = self.score(shard, self._data.x_validation, self._data.y_validation)
        n = self.batches[0] * self.batches[1]
        return {"loss": losses / n, "accuracy": hits / n, "val_loss": val_loss, "val_accuracy": val_accuracy}

    def _steps(self, shard: Shard, order: Any, start: Any) -> tuple[Any, Any]:
        """The optimizer steps of an epoch: the summed losses and hits of each member."""
        n_batches, size = self.batches
        plan = self._plan(shard)

        def step(i: Any, losses: Any, hits: Any) -> tuple[Any, Any, Any]:
            x = self._data.floats(tf.gather(self._data.x_train, order[i]), slice(self._data.n_live))
            forward = self._forward(shard, plan, tf.matmul(shard.weights[0], x, transpose_b=True))
            loss, hit, upstream = judged(forward.scores, tf.gather(self._data.y_train, order[i]), size)
            gradients = self._gradients(shard, plan, forward, upstream, x)
            self._optimizer.move(shard, gradients, start + i)
            return i + 1, losses + tf.reduce_sum(loss, 1), hits + tf.reduce_sum(hit, 1)

        return _summed(plan.n_members, n_batches, step)

    def _score(self, shard: Shard, x: Any, y: Any) -> tuple[Any, Any]:
        """Loss and accuracy of every member, in the order of `Layout.scored`.

        Args:
            shard: Who is scored.
            x: Samples as `DeviceData.placed` gives them.
            y: Their classes, int32 `(samples,)`.
        """
        n_samples = tf.shape(y)[0]
        plan = self._plan(shard)

        def step(i: Any, losses: Any, hits: Any) -> tuple[Any, Any, Any]:
            chunk = slice(i * SCORE_CHUNK, (i + 1) * SCORE_CHUNK)
            loss, hit, _ = judged(self._scores(shard, plan, x[chunk]), y[chunk], 1)
            return i + 1, losses + tf.reduce_sum(loss, 1), hits + tf.reduce_sum(hit, 1)

        losses, hits = _summed(plan.n_members, -(-n_samples // SCORE_CHUNK), step)
        n = tf.cast(n_samples, tf.float32)
        return losses / n, hits / n

    def scores(self, shard: Shard, x: Any) -> Any:
        """Logits, `(members, classes, samples)`, ordered like `Layout.scored`, on samples like `_score`."""
        return self._scores(shard, self._plan(shard), x)

    def _scores(self, shard: Shard, plan: Plan, x: Any) -> Any:
        n_live, n_features = self._data.n_live, self._data.data.n_features
        live, rest = slice(n_live), slice(n_live, n_features)
        products = tf.matmul(shard.weights[0], self._data.floats(x[:, live], live), transpose_b=True)
        if n_live < n_features:
            products += tf.matmul(shard.frozen, self._data.floats(x[:, rest], rest), transpose_b=True)
        return self._forward(shard, plan, products).scores

    def _forward(self, shard: Shard, plan: Plan, products: Any) -> Forward:
        """From what the first kernel gives for some samples, `(rows, samples)`."""
        n_samples = tf.shape(products)[1]
        biases, output_bias, kernels = self._split(tf.convert_to_tensor(shard.weights[1]), plan)
        top, scores = products[: plan.n_first], []
        hidden, inputs = [], []
        for level, bias in enumerate(biases):
            hidden.append(self._activate(top + bias[:, None]))
            rows = tf.gather(hidden[level], plan.forward[level])
            parts = tf.split(rows, [n * i for n, _, i in plan.sizes[level]])
            inputs.append(
                [tf.reshape(part, (n, i, n_samples)) for part, (n, _, i) in zip(parts, plan.sizes[level], strict=True)]
            )
            outputs = [
                tf.reshape(tf.matmul(kernel, block), (n * o, n_samples))
                for kernel, block, (n, o, _) in zip(kernels[level], inputs[level], plan.sizes[level], strict=True)
            ]
            scores += outputs[plan.n_hidden(level) :]
            if plan.n_hidden(level):
                top = tf.concat(outputs[:HIDDEN_KINDS], 0)
        rows = tf.concat([*scores, products[plan.n_first :]], 0) + output_bias[:, None]
        return Forward(tf.reshape(rows, (plan.n_members, self._n_classes, n_samples)), hidden, inputs, kernels)

    def _gradients(self, shard: Shard, plan: Plan, forward: Forward, upstream: Any, x: Any) -> list[Any]:
        """Of the first kernel and of the later weights, from that of the scores."""
        n_samples = tf.shape(x)[0]
        rows = tf.reshape(upstream, (plan.n_members * self._n_classes, n_samples))
        *of_scores, of_softmax = self._of_score_rows(plan, rows)
        of_biases = [tf.reduce_sum(rows, 1)]
        of_kernels: list[Any] = []
        of_level: Any = None
        for level in reversed(range(self._n_levels)):
            sizes = plan.sizes[level]
            parts = tf.split(of_level, [n * o for n, o, _ in sizes[:HIDDEN_KINDS]]) if plan.n_hidden(level) else []
            blocks = [
                tf.reshape(part, (n, o, n_samples))
                for part, (n, o, _) in zip([*parts, *of_scores[level]], sizes, strict=True)
            ]
            products = [
                tf.matmul(block, read, transpose_b=True)
                for block, read in zip(blocks, forward.inputs[level], strict=True)
            ]
            of_kernels = [*(tf.reshape(product, (-1,)) for product in products), *of_kernels]
            of_inputs = [
                tf.reshape(tf.matmul(kernel, block, transpose_a=True), (n * i, n_samples))
                for kernel, block, (n, _, i) in zip(forward.kernels[level], blocks, sizes, strict=True)
            ]
            of_values = tf.gather(tf.concat(of_inputs, 0), plan.backward[level])
            of_level = self._activation_gradient(of_values, forward.hidden[level])
            of_biases.insert(0, tf.reduce_sum(of_level, 1))
        of_first = tf.matmul(tf.concat([of_level, of_softmax], 0), x)
        return [of_first, tf.concat([*of_biases, *of_kernels], 0) * shard.mask]

    def _of_score_rows(self, plan: Plan, rows: Any) -> list[Any]:
        """The gradient of the scores: for each level of its output kinds, then of networks without hidden layers."""
        kinds = [sizes[plan.n_hidden(level) :] for level, sizes in enumerate(plan.sizes)]
        widths = [n * o for sizes in kinds for n, o, _ in sizes]
        *parts, of_softmax = tf.split(rows, [*widths, tf.shape(rows)[0] - tf.add_n(widths)])
        left = iter(parts)
        return [*([next(left) for _ in sizes] for sizes in kinds), of_softmax]

    def _split(self, later: Any, plan: Plan) -> tuple[list[Any], Any, list[list[Any]]]:
        """The later weights as biases of each level, of the output layers, and kernels of each level's kinds."""
        n_rows = [plan.n_first, *(tf.add_n([n * o for n, o, _ in k[:HIDDEN_KINDS]]) for k in plan.sizes[:-1])]
        blocks = [size for kinds in plan.sizes for size in kinds]
        parts = tf.split(later, [*n_rows, plan.n_members * self._n_classes, *(n * o * i for n, o, i in blocks)])
        biases, output_bias, kernels = parts[: self._n_levels], parts[self._n_levels], parts[self._n_levels + 1 :]
        shaped = iter(tf.reshape(kernel, size) for kernel, size in zip(kernels, blocks, strict=True))
        return biases, output_bias, [[next(shaped) for _ in kinds] for kinds in plan.sizes]

    def _plan(self, shard: Shard) -> Plan:
        tables = {name: tf.convert_to_tensor(table) for name, table in shard.tables.items()}
        gathers = [[tables[f"{way}_{level}"] for level in range(self._n_levels)] for way in ("forward", "backward")]
        if layout := self._compiled_for:
            sizes: Any = [[(len(kind.members), kind.outputs, kind.inputs) for kind in kinds] for kinds in layout.kinds]
            return Plan(layout.n_rows[0], len(layout.architectures), sizes, *gathers)
        n_first, n_members = tf.unstack(tables["counts"], num=2)
        n_kinds = [len(kinds) for kinds in Layout((), 1, 1, self._n_levels).kinds]
        rows = [tf.unstack(tables[f"sizes_{level}"], num=n) for level, n in enumerate(n_kinds)]
        return Plan(n_first, n_members, [[tuple(tf.unstack(row, num=3)) for row in kinds] for kinds in rows], *gathers)


def _summed(n_members: Any, n: Any, step: Callable[[Any, Any, Any], tuple[Any, Any, Any]]) -> tuple[Any, Any]:
    """Losses and hits of each member over `n` steps."""
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


def judged(scores: Any, labels: Any, n: int) -> tuple[Any, Any, Any]:
    """Cross-entropy, hits, and the gradient of the cross-entropy.

    Args:
        scores: Logits, float32 `(members, classes, samples)`.
        labels: int32 `(samples,)`.
        n: What to divide the gradient by.

    Returns:
        In nats; 1 where the highest score, the first of equals, is the label's, else 0, both `(members, samples)`;
        and like `scores`.
    """
    targets = tf.one_hot(labels, scores.shape[1], axis=0)
    top = tf.reduce_max(scores, 1, keepdims=True)
    powers = tf.exp(scores - top)
    total = tf.reduce_sum(powers, 1, keepdims=True)
    losses = tf.math.log(total[:, 0]) + top[:, 0] - tf.reduce_sum(scores * targets, 1)
    hits = tf.cast(tf.equal(tf.argmax(scores, 1, output_type=tf.int32), labels), tf.float32)
    return losses, hits, powers * (1 / (n * total)) - targets / n
