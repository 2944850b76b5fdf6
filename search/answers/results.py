"""Verified networks by architecture and by depth, and the network of each architecture that is kept and exported."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from fewest.search.settings.space import Architecture, describe, n_neurons
from fewest.storage.trials.records import VerifiedNetwork

__all__ = ["Results", "best_seeds", "by_depth", "collect", "merit", "trained"]

Results: TypeAlias = Mapping[Architecture, Sequence[float]]
"""Test accuracies in 0..1 of each architecture, one for each seed, in any order; empty before its training.

NaN stands for a seed that failed to train. It reaches no target, and no mean or spread uses it.
"""


def collect(networks: Iterable[VerifiedNetwork]) -> dict[Architecture, list[float]]:
    """Collect verified networks as `Results`; of several with the same architecture and seed, the first counts.

    >>> networks = [VerifiedNetwork((2,), seed, 0.7, 0.7, 15, 1.0) for seed in (0, 1, 1)]
    >>> collect(networks)
    {(2,): [0.7, 0.7]}
    """
    results: dict[Architecture, list[float]] = {}
    seen: set[tuple[Architecture, int]] = set()
    for network in networks:
        key = (network.widths, network.seed)
        if key not in seen:
            seen.add(key)
            results.setdefault(network.widths, []).append(network.test_accuracy)
    return results


def by_depth(results: Results) -> dict[int, dict[Architecture, list[float]]]:
    """Split results by depth, smallest architecture first. Accuracies rise, after the NaN of failed seeds.

    Raises:
        ValueError: An accuracy is outside 0..1.
    """
    families: dict[int, dict[Architecture, list[float]]] = {}
    for architecture in sorted(results, key=_size_order):
        scored = sorted(map(float, results[architecture]), key=_failed_first)
        outside = next((value for value in trained(scored) if not 0.0 <= value <= 1.0), None)
        if outside is not None:
            raise ValueError(f"`test_accuracy` must be in 0..1, got {outside} for {describe(architecture)}.")
        families.setdefault(len(architecture), {})[architecture] = scored
    return dict(sorted(families.items()))


def trained(accuracies: Iterable[float]) -> list[float]:
    """Pick the accuracies of the seeds that trained to their end.

    >>> trained([0.9, math.nan, 0.8])
    [0.9, 0.8]
    """
    return [accuracy for accuracy in accuracies if not math.isnan(accuracy)]


def _failed_first(accuracy: float) -> float:
    return -math.inf if math.isnan(accuracy) else accuracy


def _size_order(architecture: Architecture) -> tuple[int, Architecture]:
    return n_neurons(architecture), architecture


def best_seeds(verified: Iterable[VerifiedNetwork]) -> dict[Architecture, int]:
    """Find the best seed of each architecture without a look at the test: see `merit`; of equals, the lowest seed.

    >>> networks = [VerifiedNetwork((2,), seed, 0.9, 0.7 + seed / 100, 15, 1.0) for seed in (1, 3, 2)]
    >>> best_seeds([*networks, VerifiedNetwork((), 5, 0.0, math.nan, 1, 1.0)])
    {(2,): 3}
    """
    found: dict[Architecture, tuple[float, int]] = {}
    for network in verified:
        worth = merit(network.validation_accuracy, network.training_loss)
        if not math.isnan(network.test_accuracy) and not math.isnan(worth):
            rank = (worth, -network.seed)
            found[network.widths] = max(found.get(network.widths, rank), rank)
    return {architecture: -negative for architecture, (_, negative) in found.items()}


def merit(validation_accuracy: float, training_loss: float) -> float:
    """Return what ranks networks of one architecture, the higher the better: validation accuracy, else training loss.

    Networks that trained on the whole training file have no validation accuracy. All networks of a study are alike.

    >>> merit(0.9, 0.3), merit(math.nan, 0.3)
    (0.9, -0.3)
    """
    return -training_loss if math.isnan(validation_accuracy) else validation_accuracy
