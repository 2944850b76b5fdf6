"""Every seed and every random order of a study, each a function of the study's seed alone.

Nothing else in the project turns a study's seed into random numbers. So an interrupted study draws what an
uninterrupted one draws, whoever continues it.
"""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """An order of the training samples for each epoch; networks that train together share it.

    Attributes:
        seed: Decides it.
    """

    seed: int

    def batches(self, epoch: int, n_samples: int, batch_size: int) -> NDArray[np.int32]:
        """Say which training samples each batch of an epoch holds.

        Args:
            epoch: Counted from 0.
            n_samples: Size of the training set.
            batch_size: Samples in a batch.

        Returns:
            Indices into the training set: int32, `(batches, min(batch_size, n_samples))`.
        """
        order = np.random.default_rng([self.seed, epoch]).permutation(n_samples).astype(np.int32)
        batches = n_batches(n_samples, batch_size)
        size = min(batch_size, n_samples)
        return order[: batches * size].reshape(batches, size)


def split_seed(study_seed: int) -> int:
    """Decide which samples validate, where a study draws them at random."""
    return study_seed


def trial_seed(study_seed: int, number: int) -> int:
    """Give the seed of the network of trial `number`."""
    return int(np.random.SeedSequence([study_seed, number]).generate_state(1)[0]) >> 1


def proposal_generator(study_seed: int, n_trials: int) -> np.random.Generator:
    """Decide what is proposed to a study that has `n_trials` trials."""
    return np.random.default_rng([study_seed, n_trials])


def foreign_seed(study_seed: int, number: int, name: str) -> int:
    """Decide the parameter `name` of trial `number` that is not of our space."""
    return crc32(f"{study_seed} {number} {name}".encode())


def search_order(study_seed: int) -> SampleOrder:
    """Order the training samples of every cohort of a search."""
    return SampleOrder(study_seed)


def verification_seed(study_seed: int, index: int) -> int:
    """Give the seed of an architecture's network `index` in verification; no trial of the study has it."""
    return int(np.random.SeedSequence([study_seed, index, 1]).generate_state(1)[0]) >> 1


def verification_index(study_seed: int, seed: int) -> int | None:
    """Find the index whose `verification_seed` this is; None if verification draws no such seed."""
    return next((index for index in range(_MOST_SEEDS) if verification_seed(study_seed, index) == seed), None)


def verification_order(study_seed: int, which: int) -> SampleOrder:
    """Order the training samples of a cohort in verification, differently for each `which`."""
    return SampleOrder(int(np.random.SeedSequence([study_seed, which, 2]).generate_state(1)[0]))


def layer_seeds(network_seed: int, n_layers: int) -> list[int]:
    """Give a seed for the initial kernel of each dense layer, the output layer's last."""
    return [int(word) >> 1 for word in np.random.SeedSequence(network_seed).generate_state(n_layers)]
