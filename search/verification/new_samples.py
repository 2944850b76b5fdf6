"""A size that bounds an answer for new samples from above, where no size tested does.

Verification settles the answers on this test set. The interval for new samples is wider, so its upper end often lies
beyond the largest size tested. A larger size can bound it with the seeds of one look: the width at which one hidden
layer is expected to clear the target by more than the test set leaves open, by the fit through the trials. If it does
not, one more is tried; beyond a fifth over that width the test set contradicts the trials. A target that the fit does
not clear by so much stays without an upper end: the test set is too small to say more.

Pure, and a test like any other of `answers.evidence`, so the intervals hold as before.
"""

import math
from collections.abc import Iterable
from statistics import NormalDist, pstdev

from fewest.search.answers.answer import Answer
from fewest.search.answers.evidence import FEWEST_SEEDS, SHARES, Sampling, bound
from fewest.search.answers.intervals import answer_target
from fewest.search.answers.results import Results, trained
from fewest.search.settings.space import Architecture, SearchSpace
from fewest.search.verification.allocation import Rule, fitted_crossing, to_next_look
from fewest.search.verification.contenders import Found

__all__ = ["seeds_for_new_samples"]

STEP = 1.2
"""Least factor from the largest width tested to the next."""


def seeds_for_new_samples(
    found: Found, results: Results, targets: Iterable[float], space: SearchSpace, rule: Rule, sampling: Sampling
) -> dict[Architecture, int]:
    """Return the number of fresh seeds for each width that may bound an answer for new samples from above.

    Args:
        found: The trials.
        results: Test accuracies so far by architecture, with no look unfinished.
        targets: Accuracies asked for.
        space: The study's search space.
        rule: The numbers of seeds.
        sampling: What the test set itself leaves open.
    """
    tested = max((widths[0] for widths in results if len(widths) == 1), default=space.max_width)
    if rule.cap < FEWEST_SEEDS or tested >= space.max_width or (tested,) not in sampling:
        return {}
    trials = [(widths, accuracy) for widths, accuracy in found if len(widths) == 1 and not math.isnan(accuracy)]
    margin = _margin(results, tested, sampling, rule)
    plan: dict[Architecture, int] = {}
    for target in targets:
        crossing = fitted_crossing(trials, target + margin)
        if crossing is None or tested >= STEP * crossing or not _is_open(results, target, sampling):
            continue
        width = max(round(crossing), math.ceil(STEP * tested))
        plan[min(width, space.max_width),] = to_next_look(0, rule)
    return plan


def _is_open(results: Results, target: float, sampling: Sampling) -> bool:
    """Say whether an answer over all depths has no upper end for new samples."""
    answers = answer_target(results, target, sampling=sampling).overall.values()
    return any(
        isinstance(one, Answer) and one.new_samples is not None and one.new_samples[1] is None for one in answers
    )


def _margin(results: Results, width: int, sampling: Sampling, rule: Rule) -> float:
    """Return by how much a mean accuracy must exceed a target so that one look shows it to be enough on new samples."""
    spread = pstdev(known) if (known := trained(results[width,])) else 0.0
    strictest = NormalDist().inv_cdf(max(SHARES.values()))
    return bound(rule.look) * math.sqrt(sampling[width,] + spread**2 / rule.look) + strictest * spread
