"""Every seed and every random order of a study, each a function of the study's seed alone.

No other module turns a study's seed into random numbers. So an interrupted study draws the same numbers as an
uninterrupted one, whichever worker continues it.

Streams are disjoint by construction: each use has a stream of its own. The stream and a place in it (a trial's number,
an epoch) form the spawn key of a NumPy `SeedSequence`, and the study's seed is its entropy. No two uses share a key.
The seeds of networks differ even by value: those of trials are even, those of verification odd.

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
"""Most networks of one architecture that a verification is expected to train."""


class _Stream(IntEnum):
    """The use of a stream. A number must never get another use: stored studies rely on it."""

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
        seed: Seed of the study.
        key: Number of the stream, and the place in it.
    """

    seed: int
    key: tuple[int, ...]

    def batches(self, epoch: int, n_samples: int, batch_size: int) -> NDArray[np.int32]:
        """Return the training samples of each batch of an epoch.

        Args:
            epoch: Counted from 0.
            n_samples: Number of samples in the training set.
            batch_size: Number of samples in a batch.

        Returns:
            Indices into the training set: int32, `(batches, min(batch_size, n_samples))`.
        """
        rng = np.random.default_rng(_drawn(self.seed, *self.key, epoch))
        order = rng.permutation(n_samples).astype(np.int32)
        batches = n_batches(n_samples, batch_size)
        size = min(batch_size, n_samples)
        return order[: batches * size].reshape(batches, size)


def split_seed(study_seed: int) -> int:
    """Return the seed, 32 bits, of a random split into training and validation samples."""
    return int(_drawn(study_seed, _Stream.SPLIT).generate_state(1)[0])


def trial_seed(study_seed: int, number: int) -> int:
    """Return the seed of the network of trial `number`: even, below 2**53, so that JSON readers keep it exact."""
    return _bits_52(_drawn(study_seed, _Stream.TRIAL, number)) << 1


def proposal_generator(study_seed: int, n_trials: int) -> np.random.Generator:
    """Return the generator for the proposals to a study that has `n_trials` trials."""
    return np.random.default_rng(_drawn(study_seed, _Stream.PROPOSAL, n_trials))


def foreign_seed(study_seed: int, number: int, name: str) -> int:
    """Return the seed, 32 bits, of a parameter `name` of trial `number` that is outside our space."""
    return int(_drawn(study_seed, _Stream.FOREIGN, number, crc32(name.encode())).generate_state(1)[0])


def search_order(study_seed: int) -> SampleOrder:
    """Return the sample order of every cohort of a search."""
    return SampleOrder(study_seed, (_Stream.SEARCH_ORDER,))


def verification_seed(study_seed: int, index: int) -> int:
    """Return the seed of an architecture's network `index` in verification: odd, below 2**53."""
    return _bits_52(_drawn(study_seed, _Stream.VERIFICATION, index)) << 1 | 1


def verification_index(study_seed: int, seed: int) -> int | None:
    """Find the index of a network's seed in verification; None if verification draws no such seed."""
    return next((index for index in range(_MOST_SEEDS) if verification_seed(study_seed, index) == seed), None)


def verification_order(study_seed: int, which: int) -> SampleOrder:
    """Return the sample order of a cohort in verification, a different one for each `which`."""
    return SampleOrder(study_seed, (_Stream.VERIFICATION_ORDER, which))


def layer_seeds(network_seed: int, n_layers: int) -> list[int]:
    """Return a seed, 31 bits, for the initial kernel of each dense layer, the output layer's last."""
    return [int(word) >> 1 for word in _drawn(network_seed, _Stream.LAYER).generate_state(n_layers)]


def _drawn(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=key)


def _bits_52(drawn: np.random.SeedSequence) -> int:
    return int(drawn.generate_state(1, np.uint64)[0]) >> 12
