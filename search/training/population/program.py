"""The computation of a shard: an epoch of training, and scoring, on one core or on a GPU.

The program depends on the number of levels and on a `Signature` only. Architectures and data come in as tables and
arrays of any size. So one traced program trains every shard of every cohort, however it shrinks, on any data of its
signature, and nothing is compiled. With many short steps TensorFlow's executor would take most of the time. The program
can then be built for one layout and compiled.

Members' losses are summed, so each member has the gradient that it would have alone. The gradient is written out:
TensorFlow's own would scatter where this gathers, and would need sizes that are unknown at tracing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import SearchData, flat
from fewest.search.settings.config import Metric
from fewest.search.settings.keras_settings import keras, tf
from fewest.search.settings.protocol import Activation, Protocol
from fewest.search.training.network import ProtocolSchedule, balanced
from fewest.search.training.population.layout import HIDDEN_KINDS, Layout

__all__ = ["DeviceData", "FusedAdam", "Program", "Samples", "Shard", "Signature", "variable"]

SCORE_CHUNK = 1024
"""Most samples scored at once: bounds the memory of validation."""

ACTIVATIONS: dict[Activation, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    "relu": (tf.nn.relu, lambda upstream, values: tf.raw_ops.ReluGrad(gradients=upstream, features=values)),
    "tanh": (tf.math.tanh, lambda upstream, values: tf.raw_ops.TanhGrad(y=values, dy=upstream)),
    "sigmoid": (tf.math.sigmoid, lambda upstream, values: tf.raw_ops.SigmoidGrad(y=values, dy=upstream)),
}


@dataclass(frozen=True)
class Signature:
    """What a traced program takes for granted of its data and protocol; it reads all else from `Samples`.

    Attributes:
        dtype: NumPy's name for the type of raw samples.
        shifts: Whether scaling adds an offset.
        metric: What an accuracy is.
        activation: Activation of the hidden layers.
    """

    dtype: str
    shifts: bool
    metric: Metric
    activation: Activation


class Scaling(NamedTuple):
    """What some features are multiplied by, and what is then added: float32, `(features,)`, or `(1,)` for all."""

    scale: Any
    offset: Any


class Samples(NamedTuple):
    """What a training reads of its data and its protocol: tensors, or variables that take any size.

    Attributes:
        x_train: Training samples as loaded with live features only, `(samples, n_live)`, see `DeviceData`.
        y_train: Their classes, int32 `(samples,)`.
        x_validation: Validation samples as loaded, `(samples, features)`, live features first.
        y_validation: Their classes, int32 `(samples,)`.
        live: How live features are scaled.
        rest: How the other features are scaled.
        rates: Learning rate of each optimizer step, float32 `(steps,)`.
    """

    x_train: Any
    y_train: Any
    x_validation: Any
    y_validation: Any
    live: Scaling
    rest: Scaling
    rates: Any

    @classmethod
    def empty(cls, signature: Signature) -> "Samples":
        """Create variables that take the samples of any data of a signature."""
        x_train, x_validation = (variable(2, signature.dtype) for _ in range(2))
        y_train, y_validation = (variable(1, tf.int32) for _ in range(2))
        live, rest = (Scaling(variable(1), variable(1)) for _ in range(2))
        return cls(x_train, y_train, x_validation, y_validation, live, rest, variable(1))


class DeviceData:
    """The search's data on the training device: samples as loaded, `(samples, features)`, and int32 labels.

    A feature that is zero in every training sample has no gradient, so its weights never change. Such features, a
    twelfth of MNIST's, come last. Training leaves them out; scoring does not.

    Attributes:
        data: The data.
        protocol: How networks train on them.
        order: The data set's features in the order used here: integer `(features,)`.
        n_live: Number of features that are not zero throughout, which come first; at least 1.
        samples: Tensors with the features in `order`.
        signature: What a program for them takes for granted.
    """

    def __init__(self, data: SearchData, protocol: Protocol) -> None:
        # TensorFloat-32 would keep only 10 bits of every factor on a GPU.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.data, self.protocol = data, protocol
        scale, offset = (np.asarray(value, np.float32).reshape(-1) for value in (data.scale, data.offset))
        shifts = bool(offset.any())
        x = flat(data.x_train)
        live = np.any(x * scale + offset if shifts else x, 0)
        # A stable sort keeps the order of live features, so sums round alike on any machine.
        self.order = np.argsort(~live, kind="stable")
        self.n_live = max(1, int(live.sum()))
        self.signature = Signature(str(data.x_train.dtype), shifts, data.metric, protocol.activation)
        parts = np.split(self.order, [self.n_live])
        live_scaling, rest_scaling = (Scaling(_of(scale, part), _of(offset, part)) for part in parts)
        self.samples = Samples(
            tf.constant(x[:, self.order[: self.n_live]]),
            tf.constant(data.y_train),
            tf.constant(flat(data.x_validation)[:, self.order]),
            tf.constant(data.y_validation),
            live_scaling,
            rest_scaling,
            tf.constant(ProtocolSchedule(protocol, len(data.y_train)).table),
        )


def _of(value: NDArray[np.float32], features: NDArray[np.intp]) -> Any:
    """Return the scale or offset of some features; one number for all stays one."""
    return tf.constant(value[features] if value.size > 1 else value)


class Shard(NamedTuple):
    """The variables of networks that train together on one core.

    Attributes:
        weights: The first kernel's live features, and the later weights, see `layout`.
        frozen: The first kernel's other features.
        first: Adam's first moments, like `weights`.
        second: Adam's second moments, like `weights`.
        mask: `Layout.mask`: 1 where a later weight belongs to a member, 0 where it is padding.
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
        """Create variables that take arrays of any size."""
        tables = {name: variable(table.ndim, tf.int32) for name, table in Layout((), 1, 1, n_levels).tables().items()}
        weights, first, second = ([variable(2), variable(1)] for _ in range(3))
        return cls(weights, variable(2), first, second, variable(1), tables)


def variable(n_axes: int, dtype: Any = tf.float32) -> Any:
    """Create a variable that takes arrays of any size."""
    return tf.Variable(tf.zeros([0] * n_axes, dtype), shape=tf.TensorShape([None] * n_axes), trainable=False)


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # keras is untyped
    """Keras's Adam in one pass over each variable: the arithmetic of `Adam.update_step` in TensorFlow's kernel."""

    def move(self, shard: Shard, gradients: Sequence[Any], step: Any, rate: Any) -> None:
        """Apply one optimizer step to a shard's weights and moments.

        Args:
            shard: The shard to update.
            gradients: Gradients of the loss, like `shard.weights`.
            step: Number of optimizer steps before this one, an int32 scalar.
            rate: The learning rate.
        """
        count = tf.cast(step + 1, tf.float32)
        powers = {"beta1_power": tf.pow(self.beta_1, count), "beta2_power": tf.pow(self.beta_2, count)}
        constants = {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}
        for variable, first, second, gradient in zip(shard.weights, shard.first, shard.second, gradients, strict=True):
            handles = {"var": variable.handle, "m": first.handle, "v": second.handle}
            tf.raw_ops.ResourceApplyAdam(**handles, **powers, **constants, lr=rate, grad=gradient)


class Plan(NamedTuple):
    """A layout's sizes for a step: numbers, or scalars that the program reads from the tables.

    Attributes:
        n_first: Rows of the first level.
        n_members: Number of members.
        n_classes: Classes of the data set.
        sizes: For each level and each kind that reads it: number of blocks, outputs, inputs.
        forward: For each level, int32 row indices that gather the inputs of its blocks.
        backward: For each level, int32 row indices that gather its gradient from its blocks' inputs.
    """

    n_first: Any
    n_members: Any
    n_classes: Any
    sizes: list[list[tuple[Any, Any, Any]]]
    forward: list[Any]
    backward: list[Any]

    def n_hidden(self, level: int) -> int:
        """Return the number of hidden kinds that read a level; output kinds follow them."""
        return HIDDEN_KINDS if level + 1 < len(self.sizes) else 0


class Forward(NamedTuple):
    """A forward pass's values that the gradient needs.

    Attributes:
        scores: Logits, `(members, classes, samples)`, members in the order of `Layout.scored`.
        hidden: Activations of each level, `(rows, samples)`.
        inputs: For each level and each kind that reads it, inputs `(blocks, inputs, samples)`.
        kernels: For each level and each kind that reads it, kernels `(blocks, outputs, inputs)`.
    """

    scores: Any
    hidden: list[Any]
    inputs: list[list[Any]]
    kernels: list[list[Any]]


class Program:
    """An epoch of training, and scoring, for any shard of `n_levels` levels.

    Args:
        n_levels: Largest depth it can train.
        signature: What it takes for granted of data and protocol.
        optimizer: The optimizer, which keeps no state of a shard.
        compiled_for: The one layout to compile training for; None to run in TensorFlow's executor.
    """

    def __init__(
        self,
        n_levels: int,
        signature: Signature,
        optimizer: FusedAdam,
        compiled_for: Layout | None = None,
    ) -> None:
        self._n_levels, self._signature, self._optimizer = n_levels, signature, optimizer
        self._activate, self._activation_gradient = ACTIVATIONS[signature.activation]
        self._compiled_for = compiled_for
        self._train = tf.function(self._steps, jit_compile=True, autograph=False) if compiled_for else self._steps
        # Inlined, they would be optimized again for each shard: 16 shards took 24 s before their first step, now 4.
        called: dict[str, Any] = {"autograph": False, "experimental_attributes": {"_noinline": True}}
        self.epoch = tf.function(self._epoch, **called)
        self.score = tf.function(self._score, reduce_retracing=True, **called)
        self.right = tf.function(self._right, reduce_retracing=True, **called)

    def _epoch(self, shard: Shard, samples: Samples, order: Any, start: Any, validates: Any) -> dict[str, Any]:
        """Train every member for an epoch, then validate it if asked.

        Args:
            shard: The shard to train.
            samples: The samples to train and validate on.
            order: Positions of training samples, int32 `(batches, batch size)`, see `seeds.SampleOrder`.
            start: Optimizer steps taken so far, an int32 scalar.
            validates: Whether to validate, a bool scalar.

        Returns:
            `loss`, `accuracy`, `val_loss`, `val_accuracy`: `(members,)` each, ordered like `Layout.scored`; float32,
            but a balanced accuracy is float64. The last two are NaN without validation.
        """
        plan = self._plan(shard)
        losses, hits = self._train(shard, samples, order, start)
        share = 1 / tf.cast(tf.size(order), tf.float32)
        accuracy = self._accuracy(plan, hits, share, lambda: tf.gather(samples.y_train, tf.reshape(order, (-1,))))
        unknown = tf.fill(tf.shape(losses), np.float32("nan"))
        val_loss, val_accuracy = tf.cond(
            validates,
            lambda: self.score(shard, samples, samples.x_validation, samples.y_validation),
            lambda: (unknown, tf.cast(unknown, accuracy.dtype)),
        )
        return {"loss": losses * share, "accuracy": accuracy, "val_loss": val_loss, "val_accuracy": val_accuracy}

    def _steps(self, shard: Shard, samples: Samples, order: Any, start: Any) -> tuple[Any, Any]:
        """Take an epoch's optimizer steps; return the summed losses of each member, and its hits as `_hits` counts."""
        plan = self._plan(shard)
        # Outside the loop: TensorFlow would work out sizes anew in every step.
        n_batches, size = tf.unstack(tf.shape(order), num=2)
        n, last = tf.cast(size, tf.float32), tf.size(samples.rates) - 1

        def step(i: Any, losses: Any, hits: Any) -> tuple[Any, Any, Any]:
            x = self._floats(tf.gather(samples.x_train, order[i]), samples.live)
            forward = self._forward(shard, plan, tf.matmul(shard.weights[0], x, transpose_b=True), size)
            labels = tf.gather(samples.y_train, order[i])
            loss, hit, upstream = judged(plan.n_classes, forward.scores, labels, n)
            gradients = self._gradients(shard, plan, forward, upstream, x, size)
            rate = tf.gather(samples.rates, tf.minimum(start + i, last))
            self._optimizer.move(shard, gradients, start + i, rate)
            return i + 1, losses + tf.reduce_sum(loss, 1), hits + self._hits(plan, hit, labels)

        return _summed(plan.n_members, n_batches, step, self._n_counts(plan))

    def _score(self, shard: Shard, samples: Samples, x: Any, y: Any) -> tuple[Any, Any]:
        """Return loss and accuracy of every member, `(members,)` as from `epoch`, in the order of `Layout.scored`.

        Args:
            shard: The shard to score.
            samples: The samples that it trains on, which say how `x` is scaled.
            x: Samples as loaded, with the features in `DeviceData.order`.
            y: Their classes, int32 `(samples,)`.
        """
        n_samples = tf.shape(y)[0]
        plan = self._plan(shard)

        def step(i: Any, losses: Any, hits: Any) -> tuple[Any, Any, Any]:
            chunk = slice(i * SCORE_CHUNK, (i + 1) * SCORE_CHUNK)
            loss, hit, _ = judged(plan.n_classes, self._scores(shard, samples, plan, x[chunk]), y[chunk], 1)
            return i + 1, losses + tf.reduce_sum(loss, 1), hits + self._hits(plan, hit, y[chunk])

        losses, hits = _summed(plan.n_members, -(-n_samples // SCORE_CHUNK), step, self._n_counts(plan))
        share = 1 / tf.cast(n_samples, tf.float32)
        return losses * share, self._accuracy(plan, hits, share, lambda: y)

    def _n_counts(self, plan: Plan) -> tuple[Any, ...]:
        """Return the shape of one member's hits: a number, or one for each class, which a balanced accuracy needs."""
        return () if self._signature.metric == "accuracy" else (plan.n_classes,)

    def _hits(self, plan: Plan, hit: Any, labels: Any) -> Any:
        """Count hits, float32 `(members, *_n_counts)`; exact up to 2**24."""
        if not self._n_counts(plan):
            return tf.reduce_sum(hit, 1)
        return tf.matmul(hit, tf.one_hot(labels, plan.n_classes))

    def _accuracy(self, plan: Plan, hits: Any, share: Any, labels: Callable[[], Any]) -> Any:
        """Turn hits into accuracies; `share` is a sample's of all, `labels` gives their classes where these count."""
        if not self._n_counts(plan):
            return hits * share
        return balanced(hits, tf.math.bincount(labels(), minlength=plan.n_classes, maxlength=plan.n_classes))

    def _right(self, shard: Shard, samples: Samples, x: Any, y: Any) -> Any:
        """Say which samples, as for `_score`, each member labels right: bool `(members, samples)`."""
        plan = self._plan(shard)
        return judged(plan.n_classes, self._scores(shard, samples, plan, x), y, 1)[1] > 0

    def scores(self, shard: Shard, samples: Samples, x: Any) -> Any:
        """Return logits, `(members, classes, samples)`, ordered like `Layout.scored`, for samples like `_score`'s."""
        return self._scores(shard, samples, self._plan(shard), x)

    def _scores(self, shard: Shard, samples: Samples, plan: Plan, x: Any) -> Any:
        n_live = tf.shape(shard.weights[0])[1]
        products = tf.matmul(shard.weights[0], self._floats(x[:, :n_live], samples.live), transpose_b=True)
        products += tf.matmul(shard.frozen, self._floats(x[:, n_live:], samples.rest), transpose_b=True)
        return self._forward(shard, plan, products, tf.shape(x)[0]).scores

    def _floats(self, x: Any, scaling: Scaling) -> Any:
        """Scale raw samples, as input for a network's first dense layer."""
        scaled = tf.cast(x, tf.float32) * scaling.scale
        return scaled + scaling.offset if self._signature.shifts else scaled

    def _forward(self, shard: Shard, plan: Plan, products: Any, n_samples: Any) -> Forward:
        """Compute all levels and scores from the first kernel's products, `(rows, n_samples)`."""
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
        return Forward(tf.reshape(rows, (plan.n_members, plan.n_classes, n_samples)), hidden, inputs, kernels)

    def _gradients(
        self, shard: Shard, plan: Plan, forward: Forward, upstream: Any, x: Any, n_samples: Any
    ) -> list[Any]:
        """Return the gradients of the first kernel and the later weights; `upstream` is that of the scores."""
        rows = tf.reshape(upstream, (plan.n_members * plan.n_classes, n_samples))
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
            # Exactly one block reads each row, so a gather replaces the sum over a scatter.
            of_values = tf.gather(tf.concat(of_inputs, 0), plan.backward[level])
            of_level = self._activation_gradient(of_values, forward.hidden[level])
            of_biases.insert(0, tf.reduce_sum(of_level, 1))
        of_first = tf.matmul(tf.concat([of_level, of_softmax], 0), x)
        return [of_first, tf.concat([*of_biases, *of_kernels], 0) * shard.mask]

    def _of_score_rows(self, plan: Plan, rows: Any) -> list[Any]:
        """Split the scores' gradient: for each level by its output kinds, then networks without hidden layers."""
        kinds = [sizes[plan.n_hidden(level) :] for level, sizes in enumerate(plan.sizes)]
        widths = [n * o for sizes in kinds for n, o, _ in sizes]
        *parts, of_softmax = tf.split(rows, [*widths, tf.shape(rows)[0] - tf.add_n(widths)])
        left = iter(parts)
        return [*([next(left) for _ in sizes] for sizes in kinds), of_softmax]

    def _split(self, later: Any, plan: Plan) -> tuple[list[Any], Any, list[list[Any]]]:
        """Split the later weights into biases of each level, of the output layers, and kernels by level and kind."""
        n_rows = [plan.n_first, *(tf.add_n([n * o for n, o, _ in k[:HIDDEN_KINDS]]) for k in plan.sizes[:-1])]
        blocks = [size for kinds in plan.sizes for size in kinds]
        parts = tf.split(later, [*n_rows, plan.n_members * plan.n_classes, *(n * o * i for n, o, i in blocks)])
        biases, output_bias, kernels = parts[: self._n_levels], parts[self._n_levels], parts[self._n_levels + 1 :]
        shaped = iter(tf.reshape(kernel, size) for kernel, size in zip(kernels, blocks, strict=True))
        return biases, output_bias, [[next(shaped) for _ in kinds] for kinds in plan.sizes]

    def _plan(self, shard: Shard) -> Plan:
        tables = {name: tf.convert_to_tensor(table) for name, table in shard.tables.items()}
        gathers = [[tables[f"{way}_{level}"] for level in range(self._n_levels)] for way in ("forward", "backward")]
        if layout := self._compiled_for:
            sizes: Any = [[(len(kind.members), kind.outputs, kind.inputs) for kind in kinds] for kinds in layout.kinds]
            return Plan(layout.n_rows[0], len(layout.architectures), layout.n_classes, sizes, *gathers)
        n_first, n_members, n_classes = tf.unstack(tables["counts"], num=3)
        n_kinds = [len(kinds) for kinds in Layout((), 1, 1, self._n_levels).kinds]
        rows = [tf.unstack(tables[f"sizes_{level}"], num=n) for level, n in enumerate(n_kinds)]
        sizes = [[tuple(tf.unstack(row, num=3)) for row in kinds] for kinds in rows]
        return Plan(n_first, n_members, n_classes, sizes, *gathers)


def _summed(
    n_members: Any, n: Any, step: Callable[[Any, Any, Any], tuple[Any, Any, Any]], n_counts: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Return the losses and hits of each member, float32 `(members,)` and `(members, *n_counts)`, over `n` steps."""
    # One step at a time, since a training step updates the weights that the next one reads.
    _, losses, hits = tf.while_loop(
        lambda i, *_: i < n,
        step,
        (0, tf.zeros(n_members), tf.zeros((n_members, *n_counts))),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([None] * (1 + len(n_counts)))),
        parallel_iterations=1,
    )
    return losses, hits


def judged(n_classes: Any, scores: Any, labels: Any, n: Any) -> tuple[Any, Any, Any]:
    """Return cross-entropy, hits, and the gradient of the cross-entropy.

    Args:
        n_classes: Classes of the data set.
        scores: Logits, float32 `(members, classes, samples)`.
        labels: int32 `(samples,)`.
        n: Divisor of the gradient, such as the batch size.

    Returns:
        Three float32 arrays. Losses in nats, `(members, samples)`. Hits, `(members, samples)`: 1 where the label has
        the highest score, the first of equals, else 0. The gradient, like `scores`.
    """
    targets = tf.one_hot(labels, n_classes, axis=0)
    # Without the highest score subtracted, `exp` would overflow.
    top = tf.reduce_max(scores, 1, keepdims=True)
    powers = tf.exp(scores - top)
    total = tf.reduce_sum(powers, 1, keepdims=True)
    losses = tf.math.log(total[:, 0]) + top[:, 0] - tf.reduce_sum(scores * targets, 1)
    hits = tf.cast(tf.equal(tf.argmax(scores, 1, output_type=tf.int32), labels), tf.float32)
    return losses, hits, powers * (1 / (n * total)) - targets / n
