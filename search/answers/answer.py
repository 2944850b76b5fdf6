"""How many neurons a target accuracy takes, and how sure that is, from verified networks' test accuracies.

Pure: verification results go in, answers with intervals come out. Which networks to train next is
`allocation`'s business; training and scoring them is `verification`'s.

What is estimated
-----------------
Fix a target accuracy t and a depth. Let p(n) be the probability that a fresh seed of size n (n neurons)
reaches t on the test set. An answer is the smallest size whose p(n) is at least a required share q:

| answer   | q    | in words                                                        |
|----------|------|-----------------------------------------------------------------|
| possible | 0.05 | one seed in twenty reaches t: train twenty and expect one of it |
| typical  | 0.50 | the median seed reaches t                                       |
| reliable | 0.90 | nine seeds in ten reach t                                       |

"Some seed reaches t" alone has no true value to estimate: every size has some tiny chance. One in twenty
has one, and within the default twenty seeds a size it is the same as "a seed was seen to reach t".

The answer's size is the smallest whose *observed* share is at least q, which a reader can count. The
interval around it rests on two assumptions: p(n) does not fall as n grows, and a size's test accuracies are
roughly normal in the part that matters, between their 5 % and 95 % points.

One size
--------
With m accuracies of mean y and variance s^2, the (1 - q) quantile of the accuracies is y + k s, k the normal
quantile of 1 - q, and p(n) >= q says that it is at least t. So each size is judged by

    T = (y + k s - t) / (s sqrt(1 / m + k^2 / (2 v))),

whose denominator is the large-sample error of y + k s, with v degrees of freedom in s; T is read as
Student's t with v degrees of freedom and turned into a normal z (Wallace 1959). Using the accuracies and
not only pass or fail is what makes twenty seeds enough: twenty passes of twenty alone do not show p >= 0.9
at 95 %. s^2 is moderated as in Smyth (2004), with a prior worth three degrees of freedom at the median
variance of the five nearest sizes (the median, because small networks with dead units have a long lower
tail that their neighbours should not inherit).

The verdict on a size is "at least q" when z exceeds the bound below, "below q" when -z does, and open
otherwise. Either needs the pass counts to agree, which keeps a wrong shape of the distribution from
deciding alone: the observed share lies on that side of q, and so lopsided a count has an exact binomial
probability of at most 15 % at p(n) = q. A unanimous count always agrees, since for some q nothing rarer
exists.

Looking more than once
----------------------
A size is looked at after every few seeds, so z is held to a boundary of Wang and Tsiatis (1987), their
Delta = 0.4, which spends the error over the looks:

    bound(m) = 2.35 (cap / m)^0.1    for m <= cap = 20 seeds.

Five looks at equal distances then err with 2.0 % to one side (by numerical integration; a test repeats it).
The 0.5 % left pays for seeds added later: between cap and 2 cap the bound is the normal quantile of 0.25 %,
and each further doubling has half of what the one before had. The bound depends on the number of seeds
only, so an answer needs no history of looks, and any rule may choose what to train next, and stop whenever
it likes.

From sizes to an interval
-------------------------
Let N be the true answer of a depth. *Lower end:* from the smallest size upward, while sizes are judged
"below q"; the end is one more than the last of them. It exceeds N only if the size N itself, or the first
one tested above it, was judged "below q" falsely: one test at 2.5 %, however many sizes there are (a fixed
sequence needs no further correction). *Upper end:* from the largest size downward, while sizes are judged
"at least q"; the end is the last of them. It lies under N only if the largest size tested below N was
judged falsely: again one test at 2.5 %. Sizes that nobody tested stay inside the interval. The observed
share agrees with every verdict, so the answer lies in its interval.

When every size is judged "below q", the answer is "not reached up to N neurons"; when no upper end exists
otherwise, it is "needs more seeds".

Over all depths the answer is the smallest of the depths' answers, its interval from the smallest lower
end to the smallest upper end; softmax alone shown to fall short bounds nothing. The lower end keeps its
2.5 %; the upper end may err once for every depth with a size just under q and under N, seldom more than
one. Intervals hold each for itself, not all at once.

For deeper networks a "size" is the shape that was verified at that size: an answer is about the shapes tried.

References:
    G. K. Smyth (2004), Linear models and empirical Bayes methods, section 3: moderated variances.
    D. L. Wallace (1959), Bounds on normal approximations to Student's and the chi-square distributions.
    S. K. Wang, A. A. Tsiatis (1987), Approximately optimal one-parameter boundaries for group sequential
        trials.

Only the standard library is used, since `fewest answer` must start at once and importing SciPy's
statistics takes longer than all of that command may; the tests hold the closed forms against SciPy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from statistics import fmean
from typing import Any, Literal, TypeAlias

from fewest.search.answers.evidence import (
    FEWEST_SEEDS,
    SHARES,
    Evidence,
    Quantity,
    evidence,
    interval_ends,
    verdicts_by_size,
)
from fewest.search.answers.results import Results, by_depth
from fewest.search.settings.space import Architecture, n_neurons

__all__ = [
    "CONFIDENCE",
    "Answer",
    "NoAnswer",
    "Outcome",
    "TargetAnswer",
    "answer_target",
    "answer_targets",
    "statement",
]


CONFIDENCE = 0.95
"""Of every interval, each for itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The fewest neurons.

    Attributes:
        neurons: Of the smallest architecture whose observed share of seeds is enough.
        widths: That architecture; among as many neurons the first in order of widths.
        interval: The 95 % interval of the number of neurons, both ends included.
        test_accuracy: Mean over its seeds.
        seeds: How many.
    """

    neurons: int
    widths: Architecture
    interval: tuple[int, int]
    test_accuracy: float
    seeds: int

    def to_json(self) -> dict[str, Any]:
        """The answer as `fewest answer --format json` prints it."""
        return {
            "neurons": self.neurons,
            "widths": list(self.widths),
            "interval": list(self.interval),
            "test_accuracy": self.test_accuracy,
            "seeds": self.seeds,
        }


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is no answer, and what is known all the same.

    Attributes:
        status: Every size tested falls short, or the seeds do not settle it yet.
        up_to: Neurons of the largest architecture tested; None when none was.
        at_least: The lower end of the interval.
    """

    status: Literal["not reached", "needs more seeds"]
    up_to: int | None
    at_least: int

    def __str__(self) -> str:
        """Say it.

        >>> str(NoAnswer("not reached", 32, 33)), str(NoAnswer("needs more seeds", 32, 30))
        ('not reached up to 32 neurons', 'needs more seeds (at least 30 neurons)')
        >>> str(NoAnswer("not reached", 0, 1))  # by softmax alone
        'not reached'
        """
        if self.status == "not reached":
            return f"not reached up to {_neurons(self.up_to)}" if self.up_to else "not reached"
        return f"needs more seeds (at least {_neurons(self.at_least)})" if self.at_least else "needs more seeds"


Outcome: TypeAlias = Answer | NoAnswer


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """All answers to one target accuracy: over all depths, and for each depth that was verified."""

    accuracy: float
    overall: Mapping[Quantity, Outcome]
    by_depth: Mapping[int, Mapping[Quantity, Outcome]]

    def to_json(self) -> dict[str, Any]:
        """One member of `targets`: null where there is no answer, and why under `unanswered`."""
        return {
            "accuracy": self.accuracy,
            **_outcomes_json(self.overall),
            "by_depth": {str(depth): _outcomes_json(found) for depth, found in sorted(self.by_depth.items())},
        }


def answer_targets(results: Results, targets: Iterable[float]) -> list[TargetAnswer]:
    """Answer every target, lowest first, each once.

    Example:
        >>> results = {(n,): [0.9 + n / 100 + k / 500 for k in (-2, -1, 0, 1, 2)] for n in range(1, 9)}
        >>> (found,) = answer_targets(results, [0.945])
        >>> found.overall["typical"]
        Answer(neurons=5, widths=(5,), interval=(4, 6), test_accuracy=0.95, seeds=5)
    """
    return [answer_target(results, target) for target in sorted(set(targets))]


def answer_target(results: Results, target: float) -> TargetAnswer:
    """Answer one target.

    Args:
        results: Of any depths. No results at all, or only empty ones, need more seeds.
        target: Accuracy to reach, in 0..1.

    Raises:
        ValueError: The target or an accuracy is outside 0..1.
    """
    if not 0.0 <= target <= 1.0:
        raise ValueError(f"`target` must be an accuracy in 0..1, got {target}.")
    depths = {depth: _answer_family(depth, family, target) for depth, family in by_depth(results).items()}
    overall = {quantity: _smallest([found[quantity] for found in depths.values()]) for quantity in SHARES}
    return TargetAnswer(accuracy=target, overall=overall, by_depth=depths)


def statement(found: TargetAnswer, softmax_accuracy: float | None = None, samples: str = "test samples") -> str:
    """The answer to one target as a sentence.

    Where softmax alone is the typical answer the sentence says so, and goes on to one hidden layer.

    Args:
        found: From `answer_target`.
        softmax_accuracy: Mean test accuracy with no hidden neurons, where it is known.
        samples: What the data set's samples are called.

    Example:
        >>> def of(neurons, low, high):
        ...     return Answer(neurons, (neurons,), (low, high), 0.95, 20)
        >>> overall = {"possible": of(12, 11, 12), "typical": of(13, 12, 14), "reliable": of(14, 13, 15)}
        >>> print(statement(TargetAnswer(0.95, overall, {}), 0.926, "digits"))
        At least 95 % of digits right: 13 neurons typically (95 % interval 12-14), 14 to be safe, \
12 with luck; 0 hidden neurons already give 92.6 %
    """
    opening = f"At least {_percent(found.accuracy)} of {samples} right: "
    already = "" if softmax_accuracy is None else f"0 hidden neurons already give {_percent(softmax_accuracy, 1)}"
    typical = found.overall["typical"]
    if not (isinstance(typical, Answer) and typical.neurons == 0):
        return opening + "; ".join(filter(None, [_sizes(found.overall), already]))
    softmax = f"softmax alone, 0 hidden neurons, typically gives {_percent(typical.test_accuracy, 1)}"
    one_layer = found.by_depth.get(1)
    return opening + softmax + ("" if one_layer is None else f"; with one hidden layer {_sizes(one_layer)}")


def _sizes(outcomes: Mapping[Quantity, Outcome]) -> str:
    """The three answers in words."""
    if len({str(outcome) for outcome in outcomes.values()}) == 1 and isinstance(outcomes["typical"], NoAnswer):
        return str(outcomes["typical"])
    typical = outcomes["typical"]
    if isinstance(typical, Answer):
        low, high = typical.interval
        interval = f"{low}-{high}" if low < high else str(low)
        first = f"{_neurons(typical.neurons)} typically (95 % interval {interval})"
    else:
        first = f"typically {typical}"
    endings: dict[Quantity, str] = {"reliable": "to be safe", "possible": "with luck"}
    rest = [
        f"{outcome.neurons} {words}" if isinstance(outcome := outcomes[quantity], Answer) else f"{words} {outcome}"
        for quantity, words in endings.items()
    ]
    return ", ".join([first, *rest])


def _answer_family(depth: int, family: Results, target: float) -> dict[Quantity, Outcome]:
    judged = evidence(family, target)
    return {quantity: _answer_one(depth, family, judged, quantity) for quantity in SHARES}


def _answer_one(
    depth: int,
    family: Results,
    judged: Mapping[Architecture, Mapping[Quantity, Evidence]],
    quantity: Quantity,
) -> Outcome:
    """One depth's answer: the chains of verdicts from either end, and the first share that is enough."""
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
        test_accuracy=fmean(family[chosen]),
        seeds=len(family[chosen]),
    )


def _smallest(outcomes: Sequence[Outcome]) -> Outcome:
    """Over the depths: the smallest answer, and the smallest of either end."""
    if not outcomes:
        return NoAnswer("needs more seeds", None, 0)
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    low = min(_at_least(outcome) for outcome in [*filterfalse(_excludes_softmax, outcomes)] or outcomes)
    if not answers:
        misses = [outcome for outcome in outcomes if isinstance(outcome, NoAnswer)]
        tested = [miss.up_to for miss in misses if miss.up_to is not None]
        every = all(miss.status == "not reached" for miss in misses)
        return NoAnswer("not reached" if every else "needs more seeds", max(tested, default=None), low)
    best = min(answers, key=lambda found: (found.neurons, found.widths))
    high = min(found.interval[1] for found in answers)
    return Answer(best.neurons, best.widths, (low, high), best.test_accuracy, best.seeds)


def _excludes_softmax(outcome: Outcome) -> bool:
    """Whether this is depth 0 shown not to reach the target: it has no larger size that might."""
    return isinstance(outcome, NoAnswer) and outcome.status == "not reached" and outcome.up_to == 0


def _at_least(outcome: Outcome) -> int:
    return outcome.interval[0] if isinstance(outcome, Answer) else outcome.at_least


def _outcomes_json(outcomes: Mapping[Quantity, Outcome]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    unanswered: dict[str, str] = {}
    for quantity in SHARES:
        outcome = outcomes[quantity]
        written[quantity] = outcome.to_json() if isinstance(outcome, Answer) else None
        if isinstance(outcome, NoAnswer):
            unanswered[quantity] = str(outcome)
    return {**written, "unanswered": unanswered} if unanswered else written


def _neurons(count: int) -> str:
    return f"{count} neuron" if count == 1 else f"{count} neurons"


def _percent(share: float, digits: int = 6) -> str:
    """A share in per cent, with as many digits as it has, at most `digits` after the point.

    >>> _percent(0.95), _percent(0.9246, 1)
    ('95 %', '92.5 %')
    """
    number = f"{100.0 * share:.{digits}f}"
    return f"{number.rstrip('0').rstrip('.')} %"
