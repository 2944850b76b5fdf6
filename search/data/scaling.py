"""Features -> float32 that keeps what matters of them, and what a network then scales them by.

A network computes in float32, which has 24 bits: of numbers around 1e8 that differ by 1 nothing is left. Such a feature
is standardised in float64 before it is cast. All others are cast as they are, and the network standardises them.
What happens to a feature, the training file alone decides.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import DataError
from fewest.search.data.samples import Images, SearchData, flat

__all__ = ["Features", "Scaling", "features", "flag_scaling", "joined", "pixels", "standardised"]

LEAST_STEPS: Final = 256
"""float32 numbers within a standard deviation, below which casting a feature loses what matters; a byte has as many."""

NOISE: Final = {2: 1e-6, 4: 1e-6}
"""By a float's bytes: the spread, as a share of the largest value, that is rounding alone; 1e-14 for longer floats."""

_FLOAT32: Final = np.finfo(np.float32)


class Scaling(NamedTuple):
    """What is done to features, see `SearchData`: the loader uses `shift` and `divisor`, a network the others."""

    shift: float | NDArray[np.float64]
    divisor: float | NDArray[np.float64]
    scale: float | NDArray[np.float32]
    offset: float | NDArray[np.float32]


class _Measured(NamedTuple):
    """Of each feature after the cast, `input_shape`: float64 mean and standard deviation, and the largest magnitude."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    largest: NDArray[np.float32]


class Features(NamedTuple):
    """Both parts of a data set, uint8 or float32: `(x - shift) / divisor`, computed in float64 and then cast."""

    x_train: Images
    x_test: Images
    scaling: Scaling


def features(x_train: NDArray[Any], x_test: NDArray[Any], name: str) -> Features:
    """Cast features to float32; standardise those first of which a cast would lose what matters.

    Args:
        x_train: Real numbers, `(samples, *input_shape)`; they alone decide.
        x_test: Like `x_train`.
        name: The data set's name, for errors.

    Raises:
        DataError: Numbers are not finite, or a feature fits float32 in no way.
    """
    _require_finite(x_train, "x_train", name)
    _require_finite(x_test, "x_test", name)
    train, test = _cast(x_train), _cast(x_test)
    measured = _measured(train)
    lost, shift, divisor = _spoilt(x_train, measured)
    for cast, x in ((train, x_train), (test, x_test)):
        with np.errstate(all="ignore"):  # what does not fit is infinite, and refused
            flat(cast)[:, lost] = (_wide(flat(x)[:, lost]) - shift) / divisor
    _require_fit(train, test, x_train, name)
    if not len(lost):
        return Features(train, test, Scaling(0.0, 1.0, *_of_network(measured)))
    done, shifts, divisors = (np.full(x_train.shape[1:], value) for value in (False, 0.0, 1.0))
    done.flat[lost], shifts.flat[lost], divisors.flat[lost] = True, shift, divisor
    return Features(train, test, Scaling(shifts, divisors, *_of_network(measured, done)))


def pixels(x_train: NDArray[Any], x_test: NDArray[Any]) -> Features:
    """Return whole numbers in 0..255 as uint8; a network divides them by the brightest training pixel."""
    x_train, x_test = (np.ascontiguousarray(x, np.uint8) for x in (x_train, x_test))
    return Features(x_train, x_test, Scaling(0.0, 1.0, 1.0 / max(1, int(x_train.max())), 0.0))


def flag_scaling(flags: NDArray[np.bool_]) -> Scaling:
    """Return the scaling of a feature that is 0 or 1, `(samples,)`."""
    return Scaling(0.0, 1.0, *_of_network(_measured(flags.astype(np.float32)[:, None])))


def joined(scalings: Sequence[Scaling]) -> Scaling:
    """Return the scaling of features side by side from that of each."""
    shift, divisor, scale, offset = (
        np.concatenate([np.atleast_1d(part) for part in parts]) for parts in zip(*scalings, strict=True)
    )
    moved = bool((shift != 0).any() or (divisor != 1).any())
    return Scaling(shift if moved else 0.0, divisor if moved else 1.0, scale, offset)


def standardised(x: NDArray[np.float64], data: SearchData, name: str) -> NDArray[np.float32]:
    """Convert other samples of a data set to what its networks take.

    Args:
        x: Samples as the data set's source has them, `(samples, *input_shape)`.
        data: The data set.
        name: The samples' name, for errors.

    Raises:
        DataError: They hold numbers beyond float32.
    """
    with np.errstate(all="ignore"):  # what does not fit is infinite, and refused
        cast = ((x - data.shift) / data.divisor).astype(np.float32)
    n_beyond = int(cast.size - np.isfinite(cast).sum())
    if n_beyond:
        raise DataError(f"{name} must hold numbers that fit float32 like those of the training rows, got {n_beyond:,}.")
    return cast


def _measured(x: NDArray[np.float32]) -> _Measured:
    with np.errstate(all="ignore"):  # what the cast made infinite compares as lost
        mean = x.mean(axis=0, dtype=np.float64, keepdims=True)
        return _Measured(mean[0], x.std(axis=0, dtype=np.float64, mean=mean), np.abs(x).max(axis=0))


def _of_network(
    measured: _Measured, done: bool | NDArray[np.bool_] = False
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a network's scale and offset; 1 and 0 for features that the loader has standardised: `done`."""
    mean, deviation, largest = measured
    # Below this a float32 feature varies by its own rounding alone: dividing by it would magnify noise.
    constant = deviation <= NOISE[4] * largest
    with np.errstate(all="ignore"):  # what is done may be infinite here
        scale = 1.0 / np.where(constant, 1.0, deviation)
        offset = np.where(done, 0.0, -mean * scale)
    return np.where(done, 1.0, scale).astype(np.float32), offset.astype(np.float32)


def _require_finite(x: NDArray[Any], which: str, name: str) -> None:
    bad = int(x.size - np.isfinite(x).sum())
    if bad:
        raise DataError(
            f"`{which}` of {name} must hold finite numbers, got {bad:,} NaN or infinite "
            f"value{'s' * (bad > 1)}; remove or fill them first."
        )


def _cast(x: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore"):
        # A copy, so that standardised features can be written into it.
        return np.array(x, dtype=np.float32, order="C")


def _spoilt(x: NDArray[Any], measured: _Measured) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Features that a cast alone would spoil, and what to take away from each, and to divide it by."""
    suspects = np.flatnonzero(_loses(measured, exact=x.dtype.kind == "f" and x.dtype.itemsize <= 4))
    shift, divisor = _centre_and_spread(flat(x)[:, suspects])
    moved = (shift != 0) | (divisor != 1)
    return suspects[moved], shift[moved], divisor[moved]


def _loses(measured: _Measured, *, exact: bool) -> NDArray[np.bool_]:
    """For each feature: whether the cast, if not exact, keeps too little, or its scale would be no ordinary float32."""
    _, deviation, largest = measured
    with np.errstate(all="ignore"):
        step = np.zeros(1) if exact else np.spacing(largest)
        enough = deviation >= LEAST_STEPS * np.maximum(step, _FLOAT32.tiny)
        lost: NDArray[np.bool_] = ~(enough & (deviation <= 1 / _FLOAT32.tiny))
    return lost


def _centre_and_spread(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each feature; 0 and 1 for a constant one that float32 holds as it is."""
    noise = NOISE.get(x.dtype.itemsize, 1e-14) if x.dtype.kind == "f" else 0.0
    wide = _wide(x)
    largest = np.abs(wide).max(axis=0, initial=0)
    # Powers of two keep squares within range, and the first sample keeps the sums small: both are exact.
    exponent = np.frexp(largest)[1]
    small = np.ldexp(wide, -exponent)
    first = small[:1]
    apart = small - first
    deviation = apart.std(axis=0)
    constant = deviation <= noise * np.ldexp(largest, -exponent)
    with np.errstate(over="ignore", under="ignore"):
        mean = np.ldexp(first[0] + apart.mean(axis=0), exponent).astype(np.float64)
        spread = np.ldexp(deviation, exponent).astype(np.float64)
    fits = constant & (largest <= _FLOAT32.max)
    return np.where(fits, 0.0, mean), np.where(constant, 1.0, spread)


def _wide(x: NDArray[Any]) -> NDArray[Any]:
    """Numbers in float64, or where they may have more bits than that, in the longest float there is."""
    long = x.dtype.itemsize > 8 or (x.dtype.kind in "iu" and x.dtype.itemsize == 8)
    return x.astype(np.longdouble if long else np.float64)


def _require_fit(train: NDArray[np.float32], test: NDArray[np.float32], x_train: NDArray[Any], name: str) -> None:
    bad = np.flatnonzero(~np.isfinite(flat(train)).all(axis=0))
    if len(bad):
        values = flat(x_train)[:, bad[0]]
        raise DataError(
            f"Every feature of {name} must have a finite mean and spread, but feature {bad[0]} of `x_train` has not: "
            f"it goes from {values.min():.3g} to {values.max():.3g}. Divide it by a power of ten, or leave it out."
        )
    n_beyond = int(test.size - np.isfinite(test).sum())
    if n_beyond:
        raise DataError(
            f"`x_test` of {name} must hold numbers that fit float32 beside those of `x_train`, got {n_beyond:,} "
            "beyond it; look for another unit in `x_test`, or for wrong values."
        )
