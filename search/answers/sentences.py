"""A study's answers as sentences, one for each target."""

from collections.abc import Sequence
from statistics import fmean

from fewest.search.answers.answer import Answer, Finding, Findings, NoAnswer, TargetAnswer
from fewest.search.answers.results import collect, trained
from fewest.search.answers.summary import NO_VALUE_YET, Summary
from fewest.search.answers.wording import WORDING, accuracy_words, interval_words, plural, scope_words, short_percent
from fewest.search.settings.config import Metric
from fewest.search.settings.space import describe
from fewest.storage.trials.records import VerifiedNetwork

__all__ = ["best_words", "guess_caution", "statement", "statements"]

SAMPLES = {
    "mnist": "digits",
    "digits": "digits",
    "fashion_mnist": "images",
    "cifar10": "images",
    "cifar100": "images",
    "iris": "flowers",
    "wine": "wines",
    "breast_cancer": "tumours",
}
"""Words for a data set's samples in a sentence, by the data set's name."""

BEATEN = "a deeper network could still beat it"


def statements(summary: Summary, verified: Sequence[VerifiedNetwork]) -> list[str]:
    """Write the verified answers, one sentence for each target; none before verification.

    Args:
        summary: Summary of the study.
        verified: Networks scored on the test set; the sentences quote those of softmax alone.
    """
    if not verified:
        return []
    targets, metric = summary.targets, summary.metric
    softmax = trained(collect(verified).get((), ()))
    samples = SAMPLES.get(summary.dataset, "test samples")
    of_softmax = fmean(softmax) if softmax else None
    said = [statement(target, of_softmax, samples, metric, scope_words(summary.shares_split)) for target in targets]
    cautions = [guess_caution(target.accuracy, summary.guess, metric) for target in targets]
    return [f"{one}. {caution}" if caution else one for one, caution in zip(said, cautions, strict=True)]


def guess_caution(accuracy: float, guess: float | None, metric: Metric) -> str | None:
    """Say in a sentence that guessing reaches a target accuracy; None if it does not, or nobody has counted.

    >>> guess_caution(0.6, 0.629, "accuracy")
    'Guessing the largest class already reaches 62.9 %'
    """
    if guess is None or guess < accuracy:
        return None
    which = "the largest" if metric == "accuracy" else "one"
    return f"Guessing {which} class already reaches {short_percent(guess, 1)}"


def best_words(summary: Summary) -> str | None:
    """Say in a sentence what relative targets are relative to, or that it is not known yet; None without such."""
    if summary.unvalued:
        return f"Without a value yet: {', '.join(summary.unvalued)}. A relative target has {NO_VALUE_YET}"
    if summary.best is None:
        return None
    mean = accuracy_words("mean test accuracy", summary.metric)
    network = describe(tuple(summary.best.widths))
    return (
        f"Best: {short_percent(summary.best.accuracy)}, the {mean} of {plural(summary.best.seeds, 'seed')} of the "
        f"network that was the most accurate when the search first ended (hidden layers: {network})"
    )


def statement(
    target: TargetAnswer,
    softmax_accuracy: float | None = None,
    samples: str = "test samples",
    metric: Metric = "accuracy",
    scope: str = "on this test set",
) -> str:
    """Write the answer to one target as a sentence.

    If softmax alone is the typical answer, the sentence says so and adds the answer for one hidden layer. While fewer
    neurons in more layers could still be enough, it says that, too.

    Args:
        target: All answers to the target.
        softmax_accuracy: Mean test accuracy without hidden neurons, in 0..1; None if unknown.
        samples: Word for the data set's samples.
        metric: What an accuracy is.
        scope: Words for what the first interval holds for.

    Example:
        >>> def of(neurons, low, high):
        ...     return Answer(neurons, (neurons,), (low, high), 0.95, 20, (low - 1, high + 1))
        >>> overall = {"possible": of(12, 11, 12), "typical": of(13, 12, 14), "reliable": of(14, 13, 15)}
        >>> print(statement(TargetAnswer(0.95, overall, {}), 0.926, "digits"))
        At least 95 % of digits right: 13 neurons typically (95 % interval 12-14 on this test set, \
11-15 for new samples), 14 to be safe, 12 with luck; 0 hidden neurons already give 92.6 %
    """
    least = short_percent(target.accuracy)
    goal = f"At least {least} of {samples} right" if metric == "accuracy" else f"Balanced accuracy of at least {least}"
    opening = f"{goal} ({target.asked}): " if target.asked else f"{goal}: "
    typical = target.overall["typical"]
    if not (isinstance(typical, Answer) and typical.neurons == 0):
        beaten = f"; {BEATEN}" if target.could_beat else ""
        said = opening + _sizes(target.overall, scope) + beaten
        if softmax_accuracy is None:
            return said
        return f"{said}; 0 hidden neurons already give {short_percent(softmax_accuracy, 1)}"
    adverb = WORDING["typical"].adverb
    softmax = f"softmax alone, 0 hidden neurons, {adverb} gives {short_percent(typical.test_accuracy, 1)}"
    one_layer = target.by_depth.get(1)
    return opening + softmax + ("" if one_layer is None else f"; with one hidden layer {_sizes(one_layer, scope)}")


def _sizes(findings: Findings, scope: str) -> str:
    """Write the three answers, or a single reason if all three lack an answer for the same reason."""
    typical, *others = WORDING
    first = findings[typical]
    if isinstance(first, NoAnswer) and len(set(map(str, findings.values()))) == 1:
        return str(first)
    return ", ".join([_typical(first, scope), *(_other(findings[name], WORDING[name].adverb) for name in others)])


def _typical(finding: Finding, scope: str) -> str:
    adverb = WORDING["typical"].adverb
    if isinstance(finding, NoAnswer):
        return f"{adverb} {finding}"
    unseen = finding.new_samples
    further = "" if unseen is None else f", {interval_words(unseen)} for new samples"
    interval = f"95 % interval {interval_words(finding.interval)} {scope}{further}"
    return f"{plural(finding.neurons, 'neuron', '')} {adverb} ({interval})"


def _other(finding: Finding, adverb: str) -> str:
    return f"{finding.neurons} {adverb}" if isinstance(finding, Answer) else f"{adverb} {finding}"
