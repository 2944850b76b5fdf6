"""Trained networks scored once on the test set: their accuracies, and a bit for each test sample.

The bits say what the test set itself leaves open (`answers.sampling`). They are in the order of the samples' classes,
so that numbers of samples by class say which class a bit is of. Of a very large test set evenly spaced bits are kept.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fewest.search.answers.sampling import n_kept
from fewest.search.data.metrics import share_right
from fewest.search.data.samples import SearchData, TestData
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.space import Network
from fewest.search.training.interface import Engine
from fewest.search.training.outcome import Outcome
from fewest.storage.trials.records import VerifiedNetwork

__all__ = ["packed", "scored"]


def scored(
    networks: Sequence[Network],
    outcomes: Sequence[Outcome],
    engine: Engine,
    data: SearchData,
    protocol: Protocol,
    test: TestData,
) -> list[VerifiedNetwork]:
    """Score trained networks; one that failed to train has no accuracy, and reaches no target.

    Args:
        networks: The networks of a cohort.
        outcomes: Outcome of each, in the same order.
        engine: The engine that trained them.
        data: What they trained on.
        protocol: How they were trained.
        test: The test set, out of its seal.
    """
    trained = [at for at, outcome in enumerate(outcomes) if outcome.state == "complete"]
    found = engine.right(
        [networks[at] for at in trained], [outcomes[at].weights for at in trained], *test, data, protocol
    )
    right = dict(zip(trained, found, strict=True))
    return [
        VerifiedNetwork(
            widths=network.architecture,
            seed=network.seed,
            test_accuracy=share_right(data.metric, test.y, right[at]) if at in right else math.nan,
            validation_accuracy=outcome.validation_accuracy if at in right else math.nan,
            epochs=len(outcome.curve),
            seconds=outcome.seconds,
            training_loss=outcome.training_loss,
            test_bits=packed(right[at], test.y) if at in right else None,
        )
        for at, (network, outcome) in enumerate(zip(networks, outcomes, strict=True))
    ]


def packed(right: NDArray[np.bool_], y: NDArray[np.int32]) -> bytes:
    """Pack the kept bits of one network.

    Args:
        right: Whether each test sample is labelled right, bool `(samples,)`.
        y: The samples' classes, int32 `(samples,)`.

    >>> packed(np.array([True, False, True]), np.array([1, 0, 0])).hex()  # in the order of classes: 0, 1, 1
    '60'
    """
    n, kept = len(y), n_kept(len(y))
    by_class = np.argsort(y, kind="stable")[np.arange(kept) * n // kept]
    return np.packbits(right[by_class]).tobytes()
