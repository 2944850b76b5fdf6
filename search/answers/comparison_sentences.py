"""A comparison's findings as sentences: how many neurons a study needs more or fewer than the first, and how sure."""

from fewest.search.answers.answer import Answer
from fewest.search.answers.comparison import ComparedAnswer, ComparedTarget, Comparison
from fewest.search.answers.difference import Difference
from fewest.search.answers.evidence import Quantity
from fewest.search.answers.wording import WORDING, short_percent
from fewest.search.settings.config import shown

__all__ = ["difference_sentences", "headline"]


def difference_sentences(target: ComparedTarget) -> list[str]:
    """Write how the answers to a target differ, one sentence for each study but the first.

    It is about typical answers, and about the others where they are shown to differ. Where every study's typical answer
    is softmax alone, it is about one hidden layer. A study that was not verified for the target has a sentence only if
    its answers are shown to differ all the same.
    """
    return [sentence for _, sentence in _judged(target)]


def headline(comparison: Comparison) -> str:
    """Say in a sentence what was found: the surest difference, of equally sure ones that of the highest target."""
    judged = [
        ((sure, target.accuracy), sentence)
        for target in comparison.targets
        for sure, sentence in _judged(target)
        if sure
    ]
    if judged:
        return max(judged)[1]
    answers = [answer for target in comparison.targets for answer in target.answers]
    if any(isinstance(answer.findings["typical"], Answer) for answer in answers):
        return f"No study is shown to need fewer or more neurons than {shown(comparison.studies[0])}"
    return "There are no answers to compare yet"


def _judged(target: ComparedTarget) -> list[tuple[int, str]]:
    """Return the sentence of each study but the first, after the highest level of its differences, or 0."""
    opening, answers = f"At least {short_percent(target.accuracy)} of test samples right", target.of_depth(None)
    one_layer = target.of_depth(1)
    if len(one_layer) > 1 and all(_is_softmax(answer) for answer in answers):
        opening, answers = f"{opening} with one hidden layer", one_layer
    first, *others = answers
    judged = [
        (max(unlike.sure or 0 for unlike in other.against_first.values()), other)
        for other in others
        if other.against_first is not None
    ]
    return [
        (sure, f"{opening}: {_sentence(first, other)}")
        for sure, other in judged
        if sure or {first.study, other.study} <= set(target.asked_by)
    ]


def _sentence(first: ComparedAnswer, other: ComparedAnswer) -> str:
    unlike = other.against_first or {}
    parts = (
        _differs(first, other, quantity, unlike[quantity]) if unlike[quantity].sure else None
        for quantity in WORDING
        if quantity != "typical"
    )
    return "; ".join([_typically(first, other, unlike["typical"]), *filter(None, parts)])


def _typically(first: ComparedAnswer, other: ComparedAnswer, unlike: Difference) -> str:
    if unlike.sure is not None:
        return _differs(first, other, "typical", unlike)
    one, two, adverb = shown(first.study), shown(other.study), WORDING["typical"].adverb
    if unlike.outcome == "same":
        return f"{adverb} {two} needs as many neurons as {one}, {_size(first, 'typical')}"
    known = "" if unlike.range == "unknown" else f"; {unlike.range}"
    return f"{adverb} {two} and {one} are not told apart ({_sizes(first, other, 'typical')}{known})"


def _differs(first: ComparedAnswer, other: ComparedAnswer, quantity: Quantity, unlike: Difference) -> str:
    sizes = _sizes(first, other, quantity)
    needs = f"{shown(other.study)} needs {unlike} than {shown(first.study)}"
    return f"{WORDING[quantity].adverb} {needs} ({sizes}; {unlike.sure} % sure)"


def _sizes(first: ComparedAnswer, other: ComparedAnswer, quantity: Quantity) -> str:
    return f"{_size(other, quantity)} against {_size(first, quantity)}"


def _size(answer: ComparedAnswer, quantity: Quantity) -> str:
    finding = answer.findings[quantity]
    if isinstance(finding, Answer):
        return str(finding.neurons)
    if finding.status == "not reached":
        return str(finding)
    return f"at least {finding.at_least}" if finding.at_least else "unknown"


def _is_softmax(answer: ComparedAnswer) -> bool:
    finding = answer.findings["typical"]
    return isinstance(finding, Answer) and finding.interval == (0, 0)
