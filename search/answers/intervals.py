"""The fewest neurons for a target accuracy, and the interval around them, from verified networks' test accuracies.

Verification results go in, answers with intervals come out; nothing is read or trained here. `pooling` estimates and
`evidence` judges one size, `answer` holds what comes out, `sentences` puts it into words, and verification's
`allocation` chooses what to train next.

What is estimated
-----------------
Fix a target accuracy t and a depth. Let p(n) be the probability that a fresh seed of size n (n neurons)
reaches t on the test set. An answer is the smallest size whose p(n) is at least a required share q:

| answer   | q    | in words                                                        |
|----------|------|-----------------------------------------------------------------|
| possible | 0.05 | one seed in twenty reaches t: train twenty and expect one of it |
| typical  | 0.50 | the median seed reaches t                                       |
| reliable | 0.90 | nine seeds in ten reach t                                       |

"Some seed reaches t" alone has no true value to estimate: every size has some tiny chance. One in twenty has
one. Within the default twenty seeds a size, it is the same as "a seed was seen to reach t".

The answer's size is the smallest whose *observed* share is at least q, which a reader can count. The interval
around it holds the true size with 95 %, on two assumptions: p(n) does not fall as n grows, and a size's test
accuracies are roughly normal in the part that matters, between their 5 % and 95 % points.

From sizes to an interval
-------------------------
Let N be the true answer of a depth. Each size tested has a verdict from `evidence`: "below" q, "at least" q, or
open. A verdict errs to one side with at most 2.5 %.

*Lower end.* Walk from the smallest size upward, while sizes are judged "below"; the end is one more than the
last of them. It exceeds N only if the size N itself, or the first one tested above it, was judged "below"
falsely. That is one test at 2.5 %, however many sizes there are: a fixed sequence needs no further correction.

*Upper end.* Walk from the largest size downward, while sizes are judged "at least"; the end is the last of
them. It lies under N only if the largest size tested below N was falsely judged "at least": again one test at 2.5 %.

Untested sizes stay inside the interval. The observed share agrees with every verdict, so the answer
lies in its interval. When every size is judged "below", the answer is "not reached up to N neurons". When no
upper end exists otherwise, it is "needs more seeds".

Over all depths the answer is the smallest of the depths' answers. Its interval runs from the smallest lower end
to the smallest upper end; softmax alone shown to fall short bounds nothing. The lower end keeps its 2.5 %. The
upper end may err once for every depth with a size just under q and under N, seldom more than one. The 95 %
hold for each interval by itself, not for all at once.

*New samples.* The interval above is about this test set. With the variance that the test set itself brings into the
accuracies, the same walk over `evidence`'s more careful verdicts gives the interval for samples that nobody has seen.
It contains the other one.

What intervals cover
--------------------
Seeds differ by their initial weights, and where the learning rate is constant by the order of their samples. Both
intervals cover that. Verified networks train on the whole training file, so no split is in it. Where a protocol needs
validation samples to end a training, all seeds share the study's split, and both intervals hold for that split alone
(`Summary.shares_split`). Neither covers another training file, another protocol, or samples of another kind. For deeper
networks a "size" is the shape that was verified at that size: an answer is about the shapes tried.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import filterfalse
from statistics import fmean
from typing import Literal, NamedTuple

from fewest.search.answers.answer import Answer, Finding, Findings, NoAnswer, TargetAnswer, ends
from fewest.search.answers.evidence import FEWEST_SEEDS, SHARES, Evidence, Level, Quantity, Sampling, Verdict, evidence
from fewest.search.answers.pooling import Estimate, estimates
from fewest.search.answers.results import Results, by_depth, trained
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons

__all__ = ["answer_target", "answer_targets", "interval_ends", "verdicts_by_size"]


class _Family(NamedTuple):
    """The verified networks of one depth, and what they say together."""

    results: Results
    known: Mapping[Architecture, Estimate]


def answer_targets(
    results: Results,
    targets: Iterable[float],
    space: SearchSpace | None = None,
    *,
    level: Level = 95,
    sampling: Sampling | None = None,
) -> list[TargetAnswer]:
    """Answer every target once, lowest first.

    Args:
        results: Test accuracies of architectures of any depths. Without any, an answer needs more seeds.
        targets: Test accuracies to reach, in 0..1.
        space: What the search may try, for `could_beat`; None where nothing else is asked about.
        level: Confidence of the intervals.
        sampling: What the test set itself leaves open, for `new_samples`; None where it is not known.

    Raises:
        ValueError: A target or an accuracy is outside 0..1.

    Example:
        >>> results = {(n,): [0.9 + n / 100 + k / 500 for k in (-2, -1, 0, 1, 2)] for n in range(1, 9)}
        >>> (found,) = answer_targets(results, [0.945])
        >>> found.overall["typical"]
        Answer(neurons=5, widths=(5,), interval=(5, 5), test_accuracy=0.95, seeds=5, new_samples=None)
    """
    families = {depth: _Family(family, estimates(family)) for depth, family in by_depth(results).items()}
    return [_answer(families, target, space, level, sampling) for target in sorted(set(targets))]


def answer_target(
    results: Results,
    target: float,
    space: SearchSpace | None = None,
    *,
    level: Level = 95,
    sampling: Sampling | None = None,
) -> TargetAnswer:
    """Answer one target; see `answer_targets`."""
    (found,) = answer_targets(results, [target], space, level=level, sampling=sampling)
    return found


def verdicts_by_size(
    judged: Mapping[Architecture, Mapping[Quantity, Evidence]], quantity: Quantity
) -> list[tuple[int, Verdict]]:
    """List (neurons, verdict) from small to large; of several shapes of a size the best counts.

    Architectures without seeds are left out.
    """
    rank: list[Verdict] = ["below", "open", "at least"]
    best: dict[int, Verdict] = {}
    for architecture, found in judged.items():
        if found[quantity].seeds:
            size = n_neurons(architecture)
            best[size] = max(best.get(size, "below"), found[quantity].verdict, key=rank.index)
    return sorted(best.items())


def interval_ends(sizes: Sequence[tuple[int, Verdict]]) -> tuple[int, int]:
    """Find the first size not judged "below", and the lowest of the chain "at least" that ends at the largest.

    Both are positions in `sizes`. Either may be `len(sizes)`: all sizes are below, or the largest is not judged "at
    least".
    """
    low = next((place for place, (_, verdict) in enumerate(sizes) if verdict != "below"), len(sizes))
    high = len(sizes)
    while high > low and sizes[high - 1][1] == "at least":
        high -= 1
    return low, high


def _answer(
    families: Mapping[int, _Family],
    target: float,
    space: SearchSpace | None,
    level: Level,
    sampling: Sampling | None,
) -> TargetAnswer:
    if not 0.0 <= target <= 1.0:
        raise ValueError(f"`target` must be an accuracy in 0..1, got {target}.")
    overall, depths = _answer_all(families, target, level)
    if sampling is not None:
        unseen, unseen_depths = _answer_all(families, target, level, sampling)
        overall = _with_new_samples(overall, unseen)
        depths = {depth: _with_new_samples(found, unseen_depths[depth]) for depth, found in depths.items()}
    within = {
        depth: {quantity: _compared(depth, found[quantity], overall[quantity]) for quantity in SHARES}
        for depth, found in depths.items()
    }
    could_beat = _could_beat(overall["typical"], within, space) if space else ()
    return TargetAnswer(target, overall, within, could_beat=could_beat)


def _answer_all(
    families: Mapping[int, _Family], target: float, level: Level, sampling: Sampling | None = None
) -> tuple[Findings, dict[int, Findings]]:
    """Answer over all depths, and for each depth."""
    depths: dict[int, Findings] = {}
    for depth, family in families.items():
        judged = evidence(family.results, target, level, sampling, known=family.known)
        depths[depth] = {quantity: _answer_one(depth, family.results, judged, quantity) for quantity in SHARES}
    return {quantity: _smallest([found[quantity] for found in depths.values()]) for quantity in SHARES}, depths


def _with_new_samples(findings: Findings, unseen: Findings) -> Findings:
    """Give each answer the interval of its counterpart for new samples."""
    return {
        quantity: replace(found, new_samples=ends(unseen[quantity])) if isinstance(found, Answer) else found
        for quantity, found in findings.items()
    }


def _answer_one(
    depth: int,
    family: Results,
    judged: Mapping[Architecture, Mapping[Quantity, Evidence]],
    quantity: Quantity,
) -> Finding:
    """Answer for one depth, from the chains of verdicts at either end and the first observed share that is enough."""
    sizes = verdicts_by_size(judged, quantity)
    low, high = interval_ends(sizes)
    at_least = depth if low == 0 else sizes[low - 1][0] + 1
    if high == len(sizes):
        status: Literal["not reached", "needs more seeds"] = (
            "not reached" if sizes and low == len(sizes) else "needs more seeds"
        )
        return NoAnswer(status, sizes[-1][0] if sizes else None, at_least)
    chosen = next(
        architecture
        for architecture, found in judged.items()
        if found[quantity].seeds >= FEWEST_SEEDS and found[quantity].share >= SHARES[quantity]
    )
    return Answer(
        neurons=n_neurons(chosen),
        widths=chosen,
        interval=(at_least, sizes[high][0]),
        test_accuracy=fmean(trained(family[chosen])),
        seeds=len(family[chosen]),
    )


def _smallest(findings: Sequence[Finding]) -> Finding:
    """Combine the depths' answers: the smallest answer, the smallest lower end and the smallest upper end."""
    if not findings:
        return NoAnswer("needs more seeds", None, 0)
    answers = [finding for finding in findings if isinstance(finding, Answer)]
    low = min(finding.at_least for finding in [*filterfalse(_excludes_softmax, findings)] or findings)
    if not answers:
        misses = [finding for finding in findings if isinstance(finding, NoAnswer)]
        tested = [miss.up_to for miss in misses if miss.up_to is not None]
        every = all(miss.status == "not reached" for miss in misses)
        return NoAnswer("not reached" if every else "needs more seeds", max(tested, default=None), low)
    best = min(answers, key=lambda found: (found.neurons, found.widths))
    high = min(found.interval[1] for found in answers)
    return Answer(best.neurons, best.widths, (low, high), best.test_accuracy, best.seeds)


def _compared(depth: int, finding: Finding, overall: Finding) -> Finding:
    """Say of a deeper depth without an answer that it is larger, if it cannot have fewer neurons than the overall one.

    Only deeper depths are verified no further for it. And none can have fewer neurons than softmax alone.
    """
    if depth < 2 or isinstance(finding, Answer) or not isinstance(overall, Answer) or overall.neurons == 0:
        return finding
    return replace(finding, status="larger") if finding.at_least >= overall.neurons else finding


def _could_beat(typical: Finding, within: Mapping[int, Findings], space: SearchSpace) -> tuple[int, ...]:
    """List the deeper depths that have no answer, and may have one of fewer neurons than the typical answer's."""
    if not isinstance(typical, Answer):
        return ()
    answered = {depth: found["typical"] for depth, found in within.items()}
    return tuple(
        depth
        for depth in range(2, space.max_depth + 1)
        if _may_be_below(typical.neurons, depth, answered.get(depth), space)
    )


def _may_be_below(neurons: int, depth: int, finding: Finding | None, space: SearchSpace) -> bool:
    """Say whether a depth that is not answered has networks of fewer neurons that are not shown to fall short."""
    if isinstance(finding, Answer):
        return False
    least = max(depth * space.min_width, finding.at_least if finding else 0)
    return least < neurons and least <= depth * space.max_width


def _excludes_softmax(finding: Finding) -> bool:
    """Say whether softmax alone is shown to fall short: depth 0 has no larger size that might reach the target."""
    return isinstance(finding, NoAnswer) and finding.status == "not reached" and finding.up_to == 0
