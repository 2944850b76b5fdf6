"""The words for the three answers to a target, and for the numbers in them: one place for all texts."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fewest.search.answers.evidence import Quantity
from fewest.search.settings.config import Metric

__all__ = ["WORDING", "accuracy_words", "enumerated", "interval_words", "plural", "scope_words", "short_percent"]


_ACCURACY = re.compile(r"((validation|test) )?accuracy")


class Wording(NamedTuple):
    """One of the three answers in words.

    Attributes:
        adverb: Adverb for a number of neurons, as in "13 neurons typically".
        meaning: Phrase for the share of seeds, in which "it" is the target accuracy.
    """

    adverb: str
    meaning: str


WORDING: Mapping[Quantity, Wording] = {
    "typical": Wording("typically", "the median seed reaches it"),
    "reliable": Wording("to be safe", "at least 90 % of seeds reach it"),
    "possible": Wording("with luck", "one seed in twenty reaches it"),
}
"""The words for each answer, in the order in which texts name them; `intervals` defines the answers."""


def accuracy_words(words: str, metric: Metric) -> str:
    """Say in words that name an accuracy which metric it is.

    >>> accuracy_words("test accuracy", "accuracy"), accuracy_words("best test accuracy", "balanced_accuracy")
    ('test accuracy', 'best balanced test accuracy')
    """
    return words if metric == "accuracy" else _ACCURACY.sub(r"balanced \g<0>", words)


def plural(count: int, noun: str, separator: str = ",") -> str:
    """Put a count and its noun together; `separator` parts thousands.

    >>> plural(1, "neuron"), plural(1200, "neuron"), plural(1200, "neuron", "")
    ('1 neuron', '1,200 neurons', '1200 neurons')
    """
    return f"{count:{separator}} {noun}{'' if count == 1 else 's'}"


def enumerated(names: Iterable[str]) -> str:
    """Put commas between names, and "and" before the last.

    >>> enumerated(["a"]), enumerated(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def interval_words(interval: tuple[int, int | None]) -> str:
    """Write an interval of numbers of neurons; an upper end of None is unknown.

    >>> interval_words((12, 14)), interval_words((12, 12)), interval_words((12, None))
    ('12-14', '12', '12 or more')
    """
    low, high = interval
    if high is None:
        return f"{low} or more"
    return f"{low}-{high}" if low < high else str(low)


def scope_words(shares_split: bool) -> str:
    """Say for what the first of the two intervals holds.

    >>> scope_words(False), scope_words(True)
    ('on this test set', 'on this test set and split')
    """
    return "on this test set and split" if shares_split else "on this test set"


def short_percent(share: float, digits: int = 6) -> str:
    """Write a share in per cent without trailing zeros, with at most `digits` digits after the point.

    >>> short_percent(0.95), short_percent(0.9246, 1), short_percent(0.9)
    ('95 %', '92.5 %', '90 %')
    """
    return f"{100.0 * share:.{digits}f}".rstrip("0").rstrip(".") + " %"
