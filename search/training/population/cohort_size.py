"""The number of networks that train together, and when compiling them pays."""

import math
from collections.abc import Sequence

import numpy as np

from fewest.search.data.samples import SearchData
from fewest.search.settings.protocol import Protocol, n_batches
from fewest.search.settings.space import Architecture, SearchSpace
from fewest.search.training.cost import Cost
from fewest.search.training.population.layout import Shards, deal
from fewest.search.training.population.program import SCORE_CHUNK

__all__ = ["cohort_size", "cost", "dealt", "n_levels_of", "pays_to_compile"]

STEP_SECONDS = 4e-4
"""Approximate seconds of an optimizer step with the smallest networks (benchmarks/population_speed.py)."""

EXECUTOR_SECONDS = 1.5e-4
"""Approximate seconds by which a step in TensorFlow's executor is slower than a compiled one."""

COMPILE_SECONDS = 2.0
"""Approximate seconds that XLA takes to compile a layout with short steps."""

OVERHEAD_SHARE = 0.1
"""Largest share of a step that `STEP_SECONDS` should take."""

WORK_PER_SECOND = 1e11
"""Approximate multiply-adds that two cores do in a second in large matrix products, see `Layout.work`.

This is a constant, not a measurement of the machine: results must not depend on where a study runs.
"""

USUAL_COST = Cost(start=0.6, cohort=0.5, epoch=3e-3, network_epoch=0.0)
"""Approximate seconds besides those of steps: a cohort's model is built and traced, an epoch's curves are written."""

SMALL_STEP_SECONDS, MEMBER_STEP_SECONDS = 2e-4, 2.5e-6
"""Approximate seconds of a step of a cohort of small networks, and what each network adds besides its arithmetic.

`STEP_SECONDS` was measured on a slower processor. It decides the size of cohorts, so it stays as it is.
"""

EFFICIENCY = 0.6
"""Share of the rate of large products that a cohort of the default space reaches, for a forecast of the time left."""

MEMORY_BYTES = 2e9
"""Bytes that a cohort may take."""


def cohort_size(data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
    """Return the number of networks that should train together.

    It is the smallest number with which a step's fixed cost is a small share (`OVERHEAD_SHARE`), so that the sampler
    learns often. Memory limits it.

    Args:
        data: The data set: size of the first layer and of the batch.
        protocol: The protocol: batch size.
        space: The search space: typical networks have uniform depths and log-uniform widths.

    Returns:
        At least 1.
    """
    batch = min(protocol.batch_size, len(data.y_train))
    architectures = _typical(space)
    (typical,) = dealt(architectures, n_levels_of(architectures), data, 1).layouts
    n_typical = len(architectures)
    step_seconds = _step_seconds(data, protocol, space)
    copies, activations = 8, 4 * max(batch, SCORE_CHUNK) * typical.n_biases  # a bias for each unit and class score
    member_bytes = 4 * (copies * typical.n_weights + activations) / n_typical
    enough = math.ceil(STEP_SECONDS * (1 / OVERHEAD_SHARE - 1) / step_seconds)
    return max(1, min(enough, int(MEMORY_BYTES / member_bytes)))


def cost(data: SearchData, protocol: Protocol, space: SearchSpace) -> Cost:
    """Return what training costs on the machine that this module's figures are of."""
    n_steps = n_batches(len(data.y_train), protocol.batch_size)
    step = _step_seconds(data, protocol, space) + MEMBER_STEP_SECONDS
    small = n_steps * SMALL_STEP_SECONDS
    return USUAL_COST._replace(epoch=USUAL_COST.epoch + small, network_epoch=n_steps * step / EFFICIENCY)


def _step_seconds(data: SearchData, protocol: Protocol, space: SearchSpace) -> float:
    """Return the seconds of arithmetic that a typical network of the space adds to a step."""
    architectures = _typical(space)
    (typical,) = dealt(architectures, n_levels_of(architectures), data, 1).layouts
    return typical.work * min(protocol.batch_size, len(data.y_train)) / WORK_PER_SECOND / len(architectures)


def pays_to_compile(
    shards: Shards, n_train: int, protocol: Protocol, *, epoch: int, compile_seconds: float = COMPILE_SECONDS
) -> bool:
    """Say whether the executor would cost more than compiling, since steps are short and many.

    Args:
        shards: The shards to train.
        n_train: Number of training samples.
        protocol: The protocol: batch size and, from `epoch` on, the number of epochs certain to follow.
        epoch: Epochs trained so far.
        compile_seconds: Seconds that compiling takes.
    """
    epochs = min(protocol.epochs - epoch, protocol.patience or protocol.epochs)
    step_seconds = shards.work * min(protocol.batch_size, n_train) / WORK_PER_SECOND
    n_steps = epochs * n_batches(n_train, protocol.batch_size)
    return step_seconds < STEP_SECONDS and n_steps * EXECUTOR_SECONDS > compile_seconds


def _typical(space: SearchSpace) -> list[tuple[int, ...]]:
    """Return networks at the deciles of the space's widths, equally many of each depth."""
    shares = (np.arange(10) + 0.5) / 10
    widths = np.round(space.min_width * (space.max_width / space.min_width) ** shares).astype(int).tolist()
    shifts = range(space.max_depth)
    return [
        tuple(widths[(index + 3 * shift) % len(widths)] for shift in shifts[:depth])
        for depth in range(space.max_depth + 1)
        for index in range(len(widths))
    ]


def n_levels_of(architectures: Sequence[Architecture]) -> int:
    """Return the levels that a model of these architectures needs: the largest depth, at least 1."""
    return max(map(len, architectures), default=0) or 1


def dealt(architectures: Sequence[Architecture], n_levels: int, data: SearchData, n: int) -> Shards:
    """Deal networks on a data set out to `n` shards; see `layout.deal`."""
    return deal(architectures, data.n_features, data.n_classes, n_levels, n)
