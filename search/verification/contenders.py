"""The depths that can hold an answer: one hidden layer is verified first, deeper networks only as far as they matter.

An answer over all depths is the smallest of the depths' answers. Deeper networks usually need more neurons than one
layer. So a deeper depth is challenged at one size: one neuron fewer than the answer of the other depths. Where that
size is shown to fall short, so are all smaller ones, since p(n) does not fall with n: the depth needs at least as many
neurons as the answer has, and is settled. A few seeds are enough, because it is far from the crossing. A size that does
not fall short makes its depth a contender, and a contender is verified like any depth.

All functions are pure. The challenge is a test like any other of `answers.evidence`, so the intervals hold as before.
"""

from collections.abc import Iterable, Sequence

from fewest.search.answers.answer import Answer
from fewest.search.answers.evidence import SHARES, evidence
from fewest.search.answers.intervals import answer_target
from fewest.search.answers.results import Results, by_depth
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons
from fewest.search.verification.allocation import (
    Rule,
    candidates,
    is_between_looks,
    next_seeds,
    to_next_look,
    worth_more,
)
from fewest.search.verification.shapes import crossing_shape, shape_of_size

__all__ = ["Found", "seeds_for_answers"]

Found = Sequence[tuple[Architecture, float]]
"""Architecture and validation accuracy of every trial that has one."""


def seeds_for_answers(
    found: Found, results: Results, targets: Iterable[float], space: SearchSpace, rule: Rule, *, deeper: bool = True
) -> dict[Architecture, int]:
    """Return the number of fresh seeds for each architecture that can change an answer over all depths.

    Args:
        found: The trials.
        results: Test accuracies so far by architecture.
        targets: Accuracies asked for.
        space: The study's search space.
        rule: The numbers of seeds.
        deeper: Whether more than one hidden layer counts.

    Returns:
        Networks of at most one hidden layer while those need any, then deeper ones. Empty when the answers stand.
    """
    wanted = sorted(set(targets))
    shallow = candidates([trial for trial in found if len(trial[0]) <= 1], wanted, space)
    known = {architecture: seeds for architecture, seeds in results.items() if len(architecture) <= 1}
    plan = next_seeds({**dict.fromkeys(shallow, ()), **known}, wanted, space, rule)
    if plan or not deeper:
        return plan
    for depth in range(2, space.max_depth + 1):
        plan |= _for_depth(depth, found, results, wanted, space, rule)
    return plan


def _for_depth(
    depth: int, found: Found, results: Results, targets: Sequence[float], space: SearchSpace, rule: Rule
) -> dict[Architecture, int]:
    """Return the seeds for one of the deeper depths: challenges, and all that a contender needs."""
    mine = [(architecture, accuracy) for architecture, accuracy in found if len(architecture) == depth]
    family = by_depth(results).get(depth, {})  # As in `_challenge`: of several shapes of a size both take the last.
    plan: dict[Architecture, int] = {}
    contended = []
    for target in targets:
        size = _challenge(depth, results, target, space, rule)
        if size is None:
            contended.append(target)
        elif size:
            architecture = _shape(size, depth, mine, family, target, space)
            plan[architecture] = to_next_look(len(family.get(architecture, ())), rule)
    if contended:
        first = {one: () for one in candidates(mine, contended, space) if len(one) == depth}
        if first or family:  # Else no trial has this depth, and nothing says where to begin.
            plan |= next_seeds({**first, **family}, contended, space, rule)
    return plan


def _challenge(depth: int, results: Results, target: float, space: SearchSpace, rule: Rule) -> int | None:
    """Return the size to test next; 0 if the depth cannot beat the other depths, None if it may.

    Example:
        >>> good = [0.96, 0.961, 0.962, 0.963]
        >>> results = {(12,): [0.93, 0.931, 0.932, 0.933], (13,): good, (14,): good, (15,): good}
        >>> _challenge(2, results, 0.95, SearchSpace(2, 1, 16), Rule())
        12
        >>> _challenge(2, {**results, (6, 6): [0.91, 0.912, 0.914, 0.916]}, 0.95, SearchSpace(2, 1, 16), Rule())
        0
    """
    rivals = answer_target({one: seeds for one, seeds in results.items() if len(one) != depth}, target).overall
    family = by_depth(results).get(depth, {})
    mine = answer_target(family, target).overall
    judged = {n_neurons(architecture): found for architecture, found in evidence(family, target).items()}
    # The largest size first: where it falls short for one seed in twenty, it does so for all three answers.
    answers = [(quantity, rival) for quantity in SHARES if isinstance(rival := rivals[quantity], Answer)]
    if len(answers) < len(SHARES):
        return None
    for quantity, rival in sorted(answers, key=lambda one: -one[1].neurons):
        if max(mine[quantity].at_least, depth * space.min_width) >= rival.neurons:
            continue
        size = min(rival.neurons - 1, depth * space.max_width)
        tested = judged.get(size)
        if tested is None or is_between_looks(tested[quantity].seeds, rule):
            return size
        if tested[quantity].verdict == "open" and worth_more(tested[quantity], rule):
            return size
        if not (tested[quantity].verdict == "below" and size == depth * space.max_width):
            return None
    return 0


def _shape(size: int, depth: int, mine: Found, family: Results, target: float, space: SearchSpace) -> Architecture:
    """Return the architecture that stands for a size: one with results, else the best shape known, scaled."""
    known = {n_neurons(architecture): architecture for architecture in family}
    if size in known:
        return known[size]
    model = crossing_shape(mine, target, space) if mine else None
    return shape_of_size(size, depth, {} if model is None else {n_neurons(model): model}, space)
