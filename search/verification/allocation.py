"""The allocation of verification's seeds: first candidates around the crossing, then the sizes still open.

All functions are pure: they turn the search's trials and the results so far into architectures and numbers of seeds.
`answers` interprets the results. Its confidence holds whatever is trained next, so nothing here has to guard it.

    results = {architecture: [] for architecture in candidates(trials, targets, space)}
    while plan := next_seeds(results, targets, space):
        ...  # train plan[architecture] fresh seeds of each architecture, score them, append to results

A plan may be carried out in part and made anew: who has begun a look ends it first, and only then is looked at. Every
candidate first gets `Rule.look` seeds, which settle the clear cases. After that only some architectures get more
seeds, `look` at a time up to `cap`: those with an open verdict at the bound of an interval. They get them only while
the seeds up to the cap have a fair chance to settle the verdict. An architecture very close to the required share of
seeds cannot be settled at all; the interval shows it.

Sizes are added at an interval's open end or hole. An end is open if the smallest candidate is not too small, or the
largest not shown to be enough. A hole is untested sizes between two candidates.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from scipy.optimize import isotonic_regression

from fewest.search.answers.evidence import CAP, FEWEST_SEEDS, SHARES, Evidence, Quantity, bound, evidence
from fewest.search.answers.intervals import interval_ends, verdicts_by_size
from fewest.search.answers.results import Results, by_depth
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons
from fewest.search.verification.shapes import crossing_shape, shape_of_size

__all__ = ["Rule", "candidates", "fitted_crossing", "is_between_looks", "next_seeds", "to_next_look", "worth_more"]

_NORMAL = NormalDist()
_CLEAR = 2.0
"""Standard deviations between seeds from which a candidate is far from the crossing, not just beside it."""


@dataclass(frozen=True)
class Rule:
    """The numbers of seeds, and when to stop.

    Attributes:
        look: Seeds that an architecture gets at a time. Fewer than four mean more looks than the bound allows for.
        cap: Most seeds that an architecture gets. Beyond `evidence.CAP` looks are at its doublings, as `bound`
            wants.
        least_chance: An open architecture gets more seeds while they settle it with at least this chance.
    """

    look: int = 4
    cap: int = CAP
    least_chance: float = 0.85

    def __post_init__(self) -> None:
        if not 1 <= self.look <= self.cap:
            raise ValueError(f"`look` must be in 1..cap, got look={self.look}, cap={self.cap}.")
        if not 0.0 <= self.least_chance <= 1.0:
            raise ValueError(f"`least_chance` must be in 0..1, got {self.least_chance}.")


def candidates(
    trials: Iterable[tuple[Architecture, float]], targets: Iterable[float], space: SearchSpace
) -> list[Architecture]:
    """Return the architectures to verify first: for every target and depth, sizes around the crossing.

    With one hidden layer, validation accuracy is fitted on width by isotonic regression, from the best trial of each
    width. The crossing is the width at which the fit first reaches the target, interpolated between widths. Deeper
    networks of one size differ much by their shape. Their crossing is the smallest network predicted to reach the
    target from all trials of its depth (`shapes`). Its shape, scaled, represents the other sizes. A depth that does not
    reach the target crosses at its largest width, or its best network.

    Five to seven sizes around the crossing are candidates: its neighbours or, where it is large, sizes spread over a
    fifth of it to either side. Sizes between them are added later if they matter. Softmax alone is always a candidate.

    Args:
        trials: Architecture and validation accuracy of every complete trial; NaN is left out.
        targets: Accuracies asked for.
        space: The study's search space; nothing outside it is a candidate.

    Returns:
        Each architecture once, by depth and then from small to large.
    """
    depths: dict[int, list[tuple[Architecture, float]]] = {}
    for architecture, accuracy in trials:
        if architecture and architecture in space and not math.isnan(accuracy):
            depths.setdefault(len(architecture), []).append((architecture, accuracy))
    chosen: set[Architecture] = {()}
    for depth, found in depths.items():
        for target in set(targets):
            crossing, model = _crossing(depth, found, target, space)
            for size in _around(crossing):
                if space.min_width * depth <= size <= space.max_width * depth:
                    chosen.add(shape_of_size(size, depth, {n_neurons(model): model}, space))
    return sorted(chosen, key=lambda architecture: (len(architecture), n_neurons(architecture), architecture))


def fitted_crossing(found: Iterable[tuple[Architecture, float]], target: float) -> float | None:
    """Interpolate the width at which the fit first reaches the target; None where it does not.

    Args:
        found: Trials with one hidden layer.
        target: The accuracy to reach.
    """
    best: dict[int, float] = {}
    for (width,), accuracy in found:
        best[width] = max(best.get(width, 0.0), accuracy)
    widths = sorted(best)
    fitted: list[float] = isotonic_regression([best[width] for width in widths]).x.tolist() if widths else []
    place = next((place for place, accuracy in enumerate(fitted) if accuracy >= target), None)
    if place is None:
        return None
    if place == 0:
        return float(widths[0])
    share = (target - fitted[place - 1]) / (fitted[place] - fitted[place - 1])
    return widths[place - 1] + (widths[place] - widths[place - 1]) * share


def _crossing(
    depth: int, found: Sequence[tuple[Architecture, float]], target: float, space: SearchSpace
) -> tuple[float, Architecture]:
    """Return the size at which a depth is expected to reach a target, and the network that stands for it."""
    if depth == 1:
        crossing = fitted_crossing(found, target) or float(max(width for (width,), _ in found))
        return crossing, (round(crossing),)
    model = crossing_shape(found, target, space)
    return float(n_neurons(model)), model


def next_seeds(
    results: Results, targets: Iterable[float], space: SearchSpace, rule: Rule | None = None
) -> dict[Architecture, int]:
    """Return the number of fresh seeds for each architecture; empty when nothing more is worth training.

    Args:
        results: Test accuracies so far by architecture. An untrained candidate has an empty list.
        targets: Accuracies asked for.
        space: The study's search space, which bounds added sizes.
        rule: The numbers of seeds at most, and at a time; None for the defaults.

    Returns:
        Architectures of all depths together, to be trained as one batch, by depth and then from small to
        large.
    """
    rule = rule or Rule()
    plan: dict[Architecture, int] = {}
    wanted = sorted(set(targets))
    for depth, family in by_depth(results).items():
        chosen = {architecture for architecture, seeds in family.items() if is_between_looks(len(seeds), rule)}
        if not chosen and rule.cap >= FEWEST_SEEDS:  # With fewer, no further size would have a verdict either.
            chosen = {
                architecture
                for target in wanted
                for architecture in _open_questions(depth, family, target, space, rule)
            }
        for architecture in sorted(chosen, key=lambda architecture: (n_neurons(architecture), architecture)):
            plan[architecture] = to_next_look(len(family.get(architecture, ())), rule)
    return plan


def _open_questions(depth: int, family: Results, target: float, space: SearchSpace, rule: Rule) -> set[Architecture]:
    """Return the architectures of one depth that would sharpen an answer to one target."""
    judged = evidence(family, target)
    known = {n_neurons(architecture): architecture for architecture in family}
    chosen: set[Architecture] = set()
    for quantity in SHARES:
        sizes = verdicts_by_size(judged, quantity)
        low, high = interval_ends(sizes)
        between = {size for size, verdict in sizes[low:high] if verdict == "open"}
        worth = {
            architecture
            for architecture, found in judged.items()
            if n_neurons(architecture) in between and worth_more(found[quantity], rule)
        }
        chosen |= worth
        if depth:
            numbers = [size for size, _ in sizes]
            waiting = {n_neurons(architecture) for architecture in worth}
            new = _new_sizes(numbers, low, high, waiting, _clear_ends(known, judged, quantity))
            within = {min(max(size, space.min_width * depth), space.max_width * depth) for size in new}
            chosen |= {shape_of_size(size, depth, known, space) for size in within - known.keys()}
    return chosen


def worth_more(found: Evidence, rule: Rule) -> bool:
    """Say whether seeds up to the cap have a fair chance of settling an open verdict.

    The chance is the predictive one: given z from what is worth m seeds and a flat prior, z at M is normal with mean
    z sqrt(M / m) and variance M / m - 1 (Spiegelhalter, Freedman & Blackburn 1986). Neighbours add to m, and to M as
    much: more seeds of this size alone are few beside what is known. One look alone never ends it.
    """
    if found.seeds >= rule.cap:
        return False
    if found.worth < 2 * rule.look:
        return True
    ratio = (found.worth + rule.cap - found.seeds) / found.worth
    mean, sd, limit = found.z * math.sqrt(ratio), math.sqrt(ratio - 1.0), bound(rule.cap)
    chance = _NORMAL.cdf((mean - limit) / sd) + _NORMAL.cdf((-mean - limit) / sd)
    return chance >= rule.least_chance


def is_between_looks(seeds: int, rule: Rule) -> bool:
    """Say whether an architecture has more seeds to come before it is looked at: a cohort had no place for all.

    >>> [seeds for seeds in range(45) if not is_between_looks(seeds, Rule(cap=50))]
    [4, 8, 12, 16, 20, 40]
    """
    if seeds >= rule.cap:
        return False
    return seeds % rule.look > 0 or seeds == 0 if seeds <= CAP else not math.log2(seeds / CAP).is_integer()


def to_next_look(seeds: int, rule: Rule) -> int:
    """Count the seeds to the next multiple of `look`, past `CAP` to its next doubling, never past the cap.

    >>> [to_next_look(seeds, Rule(cap=50)) for seeds in (0, 3, 4, 18, 20, 40)]
    [4, 1, 4, 2, 20, 10]
    """
    goal = (seeds // rule.look + 1) * rule.look
    if seeds >= CAP:
        goal = CAP * 2 ** (math.floor(math.log2(seeds / CAP)) + 1)
    return min(goal, rule.cap) - seeds


def _clear_ends(
    known: Mapping[int, Architecture],
    judged: Mapping[Architecture, Mapping[Quantity, Evidence]],
    quantity: Quantity,
) -> tuple[bool, bool]:
    """Say whether the smallest size is clearly enough, and whether the largest is clearly too small."""
    smallest, largest = judged[known[min(known)]][quantity], judged[known[max(known)]][quantity]
    return smallest.z > _CLEAR * math.sqrt(smallest.worth), largest.z < -_CLEAR * math.sqrt(largest.worth)


def _new_sizes(sizes: Sequence[int], low: int, high: int, waiting: set[int], clear: tuple[bool, bool]) -> list[int]:
    """Return the sizes to add below, above, and in the hole under the first size that is not too small.

    Args:
        sizes: Tested sizes, ascending.
        low: Position of the first that is not below; `len(sizes)` when all are.
        high: Position of the upper end; `len(sizes)` when there is none.
        waiting: Sizes that get more seeds first: nothing is added beside them.
        clear: Whether the smallest is clearly enough, and the largest clearly too small: then one long step.
    """
    new: list[int] = []
    if low == 0 and sizes[0] not in waiting:
        step = _step(sizes[0])
        new += [math.floor(0.7 * sizes[0])] if clear[0] and sizes[0] > 3 else [sizes[0] - 2 * step, sizes[0] - step]
    if high == len(sizes) and sizes[-1] not in waiting:
        step = _step(sizes[-1])
        new += [math.ceil(1.4 * sizes[-1])] if clear[1] else [sizes[-1] + step, sizes[-1] + 2 * step]
    if 0 < low < len(sizes) and sizes[low] not in waiting:
        under, over = sizes[low - 1], sizes[low]
        gap = over - under - 1
        new += range(under + 1, over) if gap <= 3 else [under + gap * part // 4 + 1 for part in (1, 2, 3)]
    return new


def _around(crossing: float) -> list[int]:
    """Return sizes around the crossing: two neighbours on either side, and up to seven sizes within a fifth of it.

    >>> _around(13.0), _around(5.4), _around(60.0)
    ([10, 11, 12, 13, 14, 15, 16], [3, 4, 5, 6, 7], [48, 52, 56, 60, 64, 68, 72])
    """
    reach = max(2.0, 0.2 * crossing)
    return sorted({round(crossing + reach * part / 3) for part in range(-3, 4)})


def _step(size: int) -> int:
    """Return the distance between sizes beyond the ends: that of `_around`'s sizes.

    >>> _step(13), _step(60)
    (1, 4)
    """
    return max(1, round(0.2 * size / 3))
