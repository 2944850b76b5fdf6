"""How many networks train together, and when compiling them pays."""

import math
from collections.abc import Sequence

import numpy as np

from fewest.search.data.samples import SearchData
from fewest.search.settings.protocol import Protocol, n_batches
from fewest.search.settings.space import Architecture, SearchSpace
from fewest.search.training.population.layout import Shards, deal
from fewest.search.training.population.program import SCORE_CHUNK

__all__ = ["cohort_size", "dealt", "n_levels_of", "pays_to_compile"]

STEP_SECONDS = 4e-4
"""About what an optimizer step takes however small the networks (benchmarks/population_speed.py)."""

EXECUTOR_SECONDS = 1.5e-4
"""About what a step takes longer in TensorFlow's executor than compiled."""

COMPILE_SECONDS = 2.0
"""About what XLA takes to compile a layout of short steps."""

OVERHEAD_SHARE = 0.05
"""Largest share of `STEP_SECONDS` in a step that a cohort should have."""

WORK_PER_SECOND = 1e11
"""About how many multiply-adds a second two cores do in large matrix products, see `Layout.work`.

Of no machine in particular: a cohort's size decides what is trained, which must not depend on where.
"""

MEMORY_BYTES = 2e9
"""What a cohort may take."""


def cohort_size(data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
    """How many networks should train together.

    As few as make the fixed cost of an optimizer step a small share of it (`OVERHEAD_SHARE`), so that the sampler
    learns often; no more than memory allows.

    Args:
        data: Gives the size of the first layer and of the batch.
        protocol: Gives the batch size.
        space: Gives the sizes of a typical network: depths uniform, widths log-uniform.

    Returns:
        At least 1.
    """
    batch = min(protocol.batch_size, len(data.y_train))
    architectures = _typical(space)
    (typical,) = dealt(architectures, n_levels_of(architectures), data, 1).layouts
    n_typical = len(architectures)
    step_seconds = typical.work * batch / WORK_PER_SECOND / n_typical
    copies, activations = 8, 4 * max(batch, SCORE_CHUNK) * typical.n_biases  # one bias a hidden unit and a class score
    member_bytes = 4 * (copies * typical.n_weights + activations) / n_typical
    enough = math.ceil(STEP_SECONDS * (1 / OVERHEAD_SHARE - 1) / step_seconds)
    return max(1, min(enough, int(MEMORY_BYTES / member_bytes)))


def pays_to_compile(
    shards: Shards, n_train: int, protocol: Protocol, *, epoch: int, compile_seconds: float = COMPILE_SECONDS
) -> bool:
    """Whether steps are so short and so many that running them in the executor costs more than compiling them.

    Args:
        shards: What trains.
        n_train: Training samples.
        protocol: Gives the batch size and, from `epoch` on, the epochs that are sure to come.
        epoch: Epochs trained so far.
        compile_seconds: What compiling takes.
    """
    epochs = min(protocol.epochs - epoch, protocol.patience or protocol.epochs)
    step_seconds = shards.work * min(protocol.batch_size, n_train) / WORK_PER_SECOND
    n_steps = epochs * n_batches(n_train, protocol.batch_size)
    return step_seconds < STEP_SECONDS and n_steps * EXECUTOR_SECONDS > compile_seconds


def _typical(space: SearchSpace) -> list[tuple[int, ...]]:
    """Networks at the deciles of the space's widths, as many of each depth."""
    shares = (np.arange(10) + 0.5) / 10
    widths = np.round(space.min_width * (space.max_width / space.min_width) ** shares).astype(int).tolist()
    shifts = range(space.max_depth)
    return [
        tuple(widths[(index + 3 * shift) % len(widths)] for shift in shifts[:depth])
        for depth in range(space.max_depth + 1)
        for index in range(len(widths))
    ]


def n_levels_of(architectures: Sequence[Architecture]) -> int:
    """Levels that a model of these needs: the largest depth, at least 1."""
    return max(map(len, architectures), default=0) or 1


def dealt(architectures: Sequence[Architecture], n_levels: int, data: SearchData, n: int) -> Shards:
    """These networks in `n` shards, for a data set; see `layout.deal`."""
    return deal(architectures, data.n_features, data.n_classes, n_levels, n)
