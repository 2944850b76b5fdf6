"""When two answers differ: the interval of the difference between two numbers of neurons, and how sure it is.

Let N be the true answer of one study and M that of another, to the same target and required share. Their intervals
[a, b] and [c, d] come from `intervals`. Then M - N lies between c - b and d - a, and the answers differ when these two
have the same sign: when the intervals share no size.

Each interval errs with at most 5 %, and so does the difference, not with 10 %. Say that both true answers are N. Then
only two sizes can part the intervals falsely: N, and the largest size tested below it. At such a size one study must
have a false verdict, which has a chance of at most 2.5 %, and the other study the right one. Where a false verdict is
that likely, p(n) is all but q, and there the right verdict is just as unlikely. So of the two studies only one can err
with 2.5 % at a size: the other one has to be right there. Two sizes make 5 %. Errors of both studies at once add less
than 0.1 %. The same holds for the interval of M - N. `benchmarks/comparison_error.py` simulates whole verifications.

Over all depths an upper end may err once for every depth that is just short of the share, as `intervals` says. The
argument asks that the studies' accuracies are independent, or rise together as those from shared seeds do.
Answers speak of one test set. Where verified networks do not train on the whole training file, they speak of one split,
too. Studies that do not share these may differ for that reason alone; `unlike` says so.

The same rule at the level 99 % errs with at most 1 %. The highest level at which two answers differ is `sure`.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from fewest.search.answers.answer import Finding, ends
from fewest.search.answers.evidence import Level
from fewest.search.answers.wording import plural

__all__ = ["Difference", "Outcome", "difference"]

Outcome: TypeAlias = Literal["fewer", "more", "same", "not told apart"]
"""What the second study needs, beside the first."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Neurons that a second study needs more than a first: its answer minus the first one's.

    Attributes:
        at_least: Lower end of the 95 % interval; negative for fewer neurons. None is unbounded.
        at_most: Upper end of the interval. None is unbounded.
        sure: The highest level, in per cent, at which the answers differ; None if they are not shown to differ.
    """

    at_least: int | None
    at_most: int | None
    sure: Level | None

    @property
    def outcome(self) -> Outcome:
        """Name what the second study needs, beside the first."""
        if self.at_most is not None and self.at_most < 0:
            return "fewer"
        if self.at_least is not None and self.at_least > 0:
            return "more"
        return "same" if self.at_least == self.at_most == 0 else "not told apart"

    @property
    def range(self) -> str:
        """Write the interval without its sign where it has one, and as far as it is known.

        >>> Difference(-3, -1, 95).range, Difference(20, None, 99).range, Difference(-2, 1, None).range
        ('1-3', 'at least 20', '2 fewer to 1 more')
        >>> Difference(None, 1, None).range, Difference(-4, None, None).range, Difference(None, None, None).range
        ('at most 1 more', 'at most 4 fewer', 'unknown')
        >>> Difference(-1, 0, None).range, Difference(0, 2, None).range
        ('at most 1 fewer', 'at most 2 more')
        """
        if self.outcome in ("fewer", "more"):
            ends = [abs(end) for end in (self.at_least, self.at_most) if end is not None]
            return f"at least {ends[0]}" if len(ends) == 1 else "-".join(map(str, sorted(set(ends))))
        low, high = self.at_least, self.at_most
        if low is None and high is None:
            return "unknown"
        if low is None or low == 0:
            return f"at most {high} more"
        return f"at most {-low} fewer" if high is None or high == 0 else f"{-low} fewer to {high} more"

    def __str__(self) -> str:
        """Say what the second study needs.

        >>> str(Difference(-3, -1, 95)), str(Difference(1, 1, 95)), str(Difference(20, None, 99))
        ('1 to 3 neurons fewer', '1 neuron more', 'at least 20 neurons more')
        >>> str(Difference(0, 0, None)), str(Difference(-2, 1, None)), str(Difference(None, None, None))
        ('the same', 'not told apart (2 fewer to 1 more)', 'not told apart')
        """
        if self.outcome == "same":
            return "the same"
        if self.outcome == "not told apart":
            return "not told apart" + ("" if self.range == "unknown" else f" ({self.range})")
        last = int(self.range.rpartition("-")[2].rpartition(" ")[2])
        noun = plural(last, "neuron").partition(" ")[2]
        return f"{self.range.replace('-', ' to ')} {noun} {self.outcome}"

    def to_json(self) -> dict[str, str | float | None]:
        """Return the difference as `fewest compare --format json` prints it."""
        sure = None if self.sure is None else self.sure / 100
        return {"outcome": self.outcome, "at_least": self.at_least, "at_most": self.at_most, "sure": sure}


def difference(first: tuple[Finding, Finding], second: tuple[Finding, Finding]) -> Difference:
    """Compare two answers.

    Args:
        first: The first study's answer at the levels 95 % and 99 %.
        second: The second study's answer at these levels.

    Example:
        >>> from fewest.search.answers.answer import Answer
        >>> def of(low, high):
        ...     return Answer(high, (high,), (low, high), 0.95, 20)
        >>> difference((of(13, 14), of(12, 14)), (of(10, 12), of(10, 13)))
        Difference(at_least=-4, at_most=-1, sure=95)
    """
    low, high = _interval(first[0], second[0])
    if Difference(low, high, None).outcome not in ("fewer", "more"):
        return Difference(low, high, None)
    surely = Difference(*_interval(first[1], second[1]), None).outcome in ("fewer", "more")
    return Difference(low, high, 99 if surely else 95)


def _interval(first: Finding, second: Finding) -> tuple[int | None, int | None]:
    (a, b), (c, d) = ends(first), ends(second)
    return None if b is None else c - b, None if d is None else d - a
