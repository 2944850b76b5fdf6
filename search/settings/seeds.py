"""Every seed and every random order of a study, each a function of the study's seed alone.

Nothing else in the project turns a study's seed into random numbers. So an interrupted study draws what an
uninterrupted one draws, whoever continues it.

Streams are disjoint by construction. Each use has a stream of its own; a stream and a place in it (a trial's number, an
epoch) form the spawn key of a NumPy `SeedSequence` whose entropy is the study's seed, and no two uses share a key. The
seeds of networks are told apart even by value: those of trials are even, those of verification odd.

References:
    NumPy, `SeedSequence`: https://numpy.org/doc/stable/reference/random/parallel.html#seedsequence-spawning
"""

from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from fewest.search.settings.protocol import n_batches

__all__ = [
    "SampleOrder",
    "foreign_seed",
    "layer_seeds",
    "proposal_generator",
    "search_order",
    "split_seed",
    "trial_seed",
    "verification_index",
    "verification_order",
    "verification_seed",
]

_MOST_SEEDS = 10_000
"""Networks of one architecture that a verification may be expected to have trained."""


class _Stream(IntEnum):
    """What is drawn. A number must never be given to another use: studies in storages rely on it."""

    SPLIT = 0
    TRIAL = 1
    PROPOSAL = 2
    SEARCH_ORDER = 3
    VERIFICATION = 4
    VERIFICATION_ORDER = 5
    FOREIGN = 6
    LAYER = 7


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """An order of the training samples for each epoch; networks that train together share it.

    Attributes:
        seed: The study's.
        key: The stream and the place in it.
    """

    seed: int
    key: tuple[int, ...]

    def batches(self, epoch: int, n_samples: int, batch_size: int) -> NDArray[np.int32]:
        """Say which training samples each batch of an epoch holds.

        Args:
            epoch: Counted from 0.
            n_samples: Size of the training set.
            batch_size: Samples in a batch.

        Returns:
            Indices into the training set: int32, `(batches, min(batch_size, n_samples))`.
        """
        rng = np.random.default_rng(_drawn(self.seed, *self.key, epoch))
        order = rng.permutation(n_samples).astype(np.int32)
        batches = n_batches(n_samples, batch_size)
        size = min(batch_size, n_samples)
        return order[: batches * size].reshape(batches, size)


def split_seed(study_seed: int) -> int:
    """Decide which samples validate, where a study draws them at random: 32 bits."""
    return int(_drawn(study_seed, _Stream.SPLIT).generate_state(1)[0])


def trial_seed(study_seed: int, number: int) -> int:
    """Give the seed of the network of trial `number`: even, below 2**53, so that JSON readers keep it whole."""
    return _bits_52(_drawn(study_seed, _Stream.TRIAL, number)) << 1


def proposal_generator(study_seed: int, n_trials: int) -> np.random.Generator:
    """Decide what is proposed to a study that has `n_trials` trials."""
    return np.random.default_rng(_drawn(study_seed, _Stream.PROPOSAL, n_trials))


def foreign_seed(study_seed: int, number: int, name: str) -> int:
    """Decide the parameter `name` of trial `number` that is not of our space: 32 bits."""
    return int(_drawn(study_seed, _Stream.FOREIGN, number, crc32(name.encode())).generate_state(1)[0])


def search_order(study_seed: int) -> SampleOrder:
    """Order the training samples of every cohort of a search."""
    return SampleOrder(study_seed, (_Stream.SEARCH_ORDER,))


def verification_seed(study_seed: int, index: int) -> int:
    """Give the seed of an architecture's network `index` in verification: odd, below 2**53."""
    return _bits_52(_drawn(study_seed, _Stream.VERIFICATION, index)) << 1 | 1


def verification_index(study_seed: int, seed: int) -> int | None:
    """Find the index whose `verification_seed` this is; None if verification draws no such seed."""
    return next((index for index in range(_MOST_SEEDS) if verification_seed(study_seed, index) == seed), None)


def verification_order(study_seed: int, which: int) -> SampleOrder:
    """Order the training samples of a cohort in verification, differently for each `which`."""
    return SampleOrder(study_seed, (_Stream.VERIFICATION_ORDER, which))


def layer_seeds(network_seed: int, n_layers: int) -> list[int]:
    """Give a seed of 31 bits for the initial kernel of each dense layer, the output layer's last."""
    return [int(word) >> 1 for word in _drawn(network_seed, _Stream.LAYER).generate_state(n_layers)]


def _drawn(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=key)


def _bits_52(drawn: np.random.SeedSequence) -> int:
    return int(drawn.generate_state(1, np.uint64)[0]) >> 12
