"""What a test set leaves open: how much a mean accuracy would vary between test sets of this size.

Every verified network has a bit for each test sample: whether its label is right. A sample has a share: that of an
architecture's seeds that label it right. The mean accuracy of the seeds is the mean of these shares over the test
samples. As many samples drawn anew would give another mean. Its variance is that of the shares divided by the number of
samples, which is what a bootstrap over test samples converges to. A balanced accuracy is the mean of such means over C
classes, so its variance is the sum of theirs, divided by C^2.

A test set without an error would leave nothing open, in a bootstrap as well. So the variance of the shares counts two
samples more that all seeds have right and two that none has (Agresti and Coull 1998).

Python's integers do the counting, 10,000 bits in an operation. So no array library is loaded to read an answer.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from fewest.search.answers.evidence import Sampling
from fewest.search.settings.space import Architecture
from fewest.storage.trials.records import VerifiedNetwork

__all__ = ["MOST_KEPT", "n_kept", "sampling_of", "sampling_variances"]

MOST_KEPT: Final = 65_536
"""Most bits of a network: 8 KiB. The shares of so many samples have nearly the variance of all."""

IMAGINED: Final = 2
"""Samples that are imagined right, and as many wrong."""


def n_kept(n_samples: int) -> int:
    """Count the bits that a network has: one a test sample, evenly spaced in the order of classes beyond `MOST_KEPT`.

    Bit i is of sample i * n_samples // n_kept in that order.
    """
    return min(n_samples, MOST_KEPT)


def sampling_of(data: Mapping[str, Any], verified: Iterable[VerifiedNetwork]) -> Sampling | None:
    """Return what the test set leaves open in a study's results; None where no network has bits.

    Args:
        data: The study's attribute `data`, which counts test samples.
        verified: The study's verified networks.
    """
    return sampling_variances(verified, data.get("n_test", 0), data.get("test_counts", ())) or None


def sampling_variances(
    verified: Iterable[VerifiedNetwork], n_samples: int, class_counts: Sequence[int] = ()
) -> dict[Architecture, float]:
    """Return the variance of each architecture's mean accuracy between test sets.

    Args:
        verified: Verified networks.
        n_samples: Number of test samples; 0 if nobody has counted them.
        class_counts: Samples of each class for a balanced accuracy; empty for an accuracy.

    Returns:
        Every architecture of whose trained networks each has bits; those of older versions have none. 0 where all
        failed: they miss a target on any samples.

    Example:
        >>> right = bytes([0b1100_0000])  # On the first two of four samples.
        >>> networks = [VerifiedNetwork((2,), seed, 0.5, 0.5, 1, 1.0, 0.1, right) for seed in (0, 1)]
        >>> round(sampling_variances(networks, 4)[2,], 4)
        0.0625
    """
    if n_samples == 0:
        return {}
    bits: dict[Architecture, list[int]] = {}
    without = set()
    padding = -n_kept(n_samples) % 8
    for network in verified:
        seeds = bits.setdefault(network.widths, [])
        if network.test_bits is not None:
            seeds.append(int.from_bytes(network.test_bits) >> padding)
        elif not math.isnan(network.test_accuracy):
            without.add(network.widths)
    parts = list(_parts(n_samples, class_counts))
    return {
        widths: _variance(seeds, parts) if seeds else 0.0 for widths, seeds in bits.items() if widths not in without
    }


def _parts(n_samples: int, class_counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of samples and of bits of each class that has samples, or of all samples together."""
    kept, first = n_kept(n_samples), 0
    for count in class_counts or [n_samples]:
        # The bits i for which sample i * n_samples // kept is one of this class.
        start, end = (-(-place * kept // n_samples) for place in (first, first + count))
        if count:
            yield count, end - start
        first += count


def _variance(seeds: Sequence[int], parts: Sequence[tuple[int, int]]) -> float:
    """Return the variance of one architecture's mean accuracy.

    Args:
        seeds: The bits of each seed; the last class has the lowest.
        parts: The classes, as `_parts` yields them.
    """
    planes, total = _counted(seeds), 0.0
    for count, n in reversed(parts):
        within = [plane & ((1 << n) - 1) for plane in planes]
        planes = [plane >> n for plane in planes]
        hits = sum(plane.bit_count() << place for place, plane in enumerate(within))
        squares = sum(
            (one & other).bit_count() << (i + j) for i, one in enumerate(within) for j, other in enumerate(within)
        )
        mean, square = (
            (found / len(seeds) ** power + IMAGINED) / (n + 2 * IMAGINED) for power, found in ((1, hits), (2, squares))
        )
        total += (square - mean**2) / count
    return total / len(parts) ** 2


def _counted(seeds: Sequence[int]) -> list[int]:
    """Count for every sample at once how many seeds have its bit: plane j holds digit j of each count in binary.

    >>> [f"{plane:03b}" for plane in _counted([0b110, 0b100, 0b101])]  # 3, 1 and 1 seeds
    ['111', '100']
    """
    planes: list[int] = []
    for carry in seeds:
        for place, plane in enumerate(planes):
            planes[place], carry = plane ^ carry, plane & carry
        if carry:
            planes.append(carry)
    return planes
