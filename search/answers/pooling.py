"""What the sizes of one depth say together: the mean accuracy of each size and its standard deviation between seeds.

Neighbouring sizes have much the same accuracies. So a size is estimated from its own seeds and from its neighbours'.

Mean
----
Let x be the logarithm of a size over the size in question, y(x) the mean accuracy and e the size's own share of errors.
A quadratic in x is fitted to the *other* sizes by least squares. Its value at x = 0 predicts the size:

    y(x) = a + b x - e x^2 / 2 + c x^2 / 2 + misfit,    c ~ N(0, (2 e)^2),    misfit ~ N(0, (8 e |x|^3 / 6)^2).

The level a and the slope b are free. Curvature and misfit are what an error that falls with a power of the size, down
to a floor, can have: for n^-p, |y''| = p^2 e and |y'''| = p^3 e, with p from 0 to 2. Each other size weighs
1 / (its own variance + misfit^2), so distant sizes count for nothing; a factor of two is the limit. Where a layer's
share of the neurons differs by a factor of 1 + r, the misfit is larger by r e: another shape is no neighbour.

The own mean and the prediction are averaged by their precisions. If they differ by more than three standard errors,
the form is wrong there, and the own mean stands alone. So it does with fewer than two other sizes. At an end of the
sizes a quadratic says little: its prediction has a large variance, and the own mean decides.

Misfits are taken as independent. What they share is a cubic, and on both sides of a size that cancels.

Standard deviation
------------------
The variance between seeds is moderated as in Smyth (2004): the own one is averaged, by degrees of freedom, with that of
the three sizes on either side. Theirs has at most sixteen degrees. A variance is taken to be in proportion to the share
of errors, as that of a count is, so that theirs is scaled first. Theirs is their mean, not the median: a few dead units
among few seeds are the only sign of a long lower tail, and to overlook it is what makes "at least" wrong.

References:
    G. K. Smyth (2004), Linear models and empirical Bayes methods, section 3: moderated variances.
    G. Wahba (1978), Improper priors, spline smoothing and the problem of guarding against model errors in regression.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, variance
from typing import NamedTuple

from fewest.search.answers.results import Results, trained
from fewest.search.settings.space import Architecture, n_neurons

__all__ = ["FEWEST_SEEDS", "Estimate", "estimates"]

FEWEST_SEEDS = 3
"""Least number of seeds for a verdict or an answer: with fewer the spread is unknown."""

_CURVATURE = 2.0
"""Standard deviation of the curvature around its expected value, in shares of errors a square of log size."""

_THIRD = 8.0
"""Size of the third derivative, in shares of errors a cube of log size."""

_FACTOR = 2
"""Sizes that differ by as much or more are no neighbours: their misfit is four tenths of the errors."""

_DISAGREEMENT = 3.0
"""Standard errors between the own mean and the neighbours' prediction beyond which the prediction is not used."""

_NEIGHBOURS = 3
"""Number of neighbouring sizes on either side that moderate a variance."""

_MOST_DEGREES = 16.0
"""Most degrees of freedom of the neighbours' variance: it is not quite the size's own."""

_LEAST_ERRORS = 1e-3
"""Least share of errors: a size without errors still leaves a doubt about form and spread."""

_LEAST_SD = 1e-4
"""Least standard deviation: seeds that agree exactly still leave a doubt of one sample in ten thousand."""


class Estimate(NamedTuple):
    """A size's distribution of accuracies over seeds.

    Attributes:
        mean: Mean accuracy, in 0..1.
        error: Standard error of the mean.
        sd: Standard deviation between seeds.
        degrees: Degrees of freedom of `sd`.
    """

    mean: float
    error: float
    sd: float
    degrees: float

    def quantile(self, deviate: float) -> tuple[float, float]:
        """Return mean + deviate * sd, and its large-sample standard error."""
        error = math.hypot(self.error, self.sd * deviate / math.sqrt(2.0 * self.degrees))
        return self.mean + deviate * self.sd, error

    def worth(self, deviate: float) -> float:
        """Return the number of seeds that would say as much about this quantile without neighbours.

        >>> Estimate(0.95, 0.001, 0.004, 19.0).worth(0.0)
        16.0
        """
        return (self.sd / self.quantile(deviate)[1]) ** 2 * (1.0 + deviate**2 / 2.0)


class _Size(NamedTuple):
    architecture: Architecture
    neurons: int
    mean: float
    variance: float
    seeds: int

    @property
    def errors(self) -> float:
        return max(1.0 - self.mean, _LEAST_ERRORS)


def estimates(family: Results) -> dict[Architecture, Estimate]:
    """Estimate every architecture of one depth that has at least `FEWEST_SEEDS` trained seeds.

    Args:
        family: Results of one depth, smallest size first. Seeds that failed are left out.

    Example:
        >>> estimates({(3,): [0.90, 0.91, 0.92], (4,): [0.95]})
        {(3,): Estimate(mean=0.91, error=0.00577..., sd=0.01..., degrees=2.0)}
    """
    known = {architecture: trained(accuracies) for architecture, accuracies in family.items()}
    sizes = [
        _Size(architecture, n_neurons(architecture), fmean(seeds), variance(seeds), len(seeds))
        for architecture, seeds in known.items()
        if len(seeds) >= FEWEST_SEEDS
    ]
    spreads = {size.architecture: _spread(place, sizes) for place, size in enumerate(sizes)}
    variances = {size.architecture: spreads[size.architecture][0] ** 2 / size.seeds for size in sizes}
    return {size.architecture: Estimate(*_mean(size, sizes, variances), *spreads[size.architecture]) for size in sizes}


def _spread(place: int, sizes: Sequence[_Size]) -> tuple[float, float]:
    """Return a size's standard deviation between seeds, and its degrees of freedom."""
    mine = sizes[place]
    near = [*sizes[max(0, place - _NEIGHBOURS) : place], *sizes[place + 1 : place + 1 + _NEIGHBOURS]]
    own, pooled, prior = mine.seeds - 1.0, mine.variance, 0.0
    if len(near) >= 2:  # One neighbour alone may be the odd one.
        theirs = sum(size.seeds - 1.0 for size in near)
        scaled = sum((size.seeds - 1.0) * size.variance * mine.errors / size.errors for size in near) / theirs
        prior = min(theirs, _MOST_DEGREES)
        pooled = (own * mine.variance + prior * scaled) / (own + prior)
    return max(math.sqrt(pooled), _LEAST_SD), own + prior


def _mean(mine: _Size, sizes: Sequence[_Size], variances: Mapping[Architecture, float]) -> tuple[float, float]:
    """Return a size's mean accuracy and its standard error.

    Args:
        mine: The size.
        sizes: All sizes of the depth.
        variances: Variance of each size's own mean.
    """
    own = variances[mine.architecture]
    rises, precisions, distances = [], [], []
    for other in sizes:
        if other is mine or not mine.neurons < _FACTOR * other.neurons < _FACTOR**2 * mine.neurons:
            continue
        x, apart = _distance(mine.architecture, other.architecture)
        misfit = mine.errors * (_THIRD / 6.0 * abs(x) ** 3 + apart)
        distances.append(x)
        rises.append(other.mean - mine.mean + mine.errors * x**2 / 2.0)
        precisions.append(1.0 / (variances[other.architecture] + misfit**2))
    found = _at_zero(distances, rises, precisions, 1.0 / (_CURVATURE * mine.errors / 2.0) ** 2)
    if found is None or found[0] ** 2 > _DISAGREEMENT**2 * (own + found[1]):
        return mine.mean, math.sqrt(own)
    rise, theirs = found
    return mine.mean + rise * own / (own + theirs), math.sqrt(own * theirs / (own + theirs))


def _distance(mine: Architecture, other: Architecture) -> tuple[float, float]:
    """Return the logarithm of the ratio of two sizes, and that by which a layer's share differs most."""
    x = math.log(n_neurons(other) / n_neurons(mine))
    return x, max(abs(math.log(theirs / width) - x) for width, theirs in zip(mine, other, strict=True))


def _at_zero(
    x: Sequence[float], y: Sequence[float], precisions: Sequence[float], ridge: float
) -> tuple[float, float] | None:
    """Fit a quadratic by least squares; return its value at 0 and the variance of that.

    Args:
        x: Places.
        y: Values there.
        precisions: Inverse variances of the values.
        ridge: Inverse variance of the quadratic coefficient around 0, before the data.

    Returns:
        None if the places do not determine level and slope.
    """
    moments = [sum(weight * place**power for weight, place in zip(precisions, x, strict=True)) for power in range(5)]
    s0, s1, s2, s3, s4 = *moments[:4], moments[4] + ridge
    # The first row of the inverse of [[s0, s1, s2], [s1, s2, s3], [s2, s3, s4]], by cofactors.
    row = (s2 * s4 - s3 * s3, s2 * s3 - s1 * s4, s1 * s3 - s2 * s2)
    determinant = s0 * row[0] + s1 * row[1] + s2 * row[2]
    if not determinant > 1e-9 * s0 * s2 * s4:
        return None
    value = sum(
        weight * rise * (row[0] + row[1] * place + row[2] * place**2)
        for weight, rise, place in zip(precisions, y, x, strict=True)
    )
    return value / determinant, row[0] / determinant
