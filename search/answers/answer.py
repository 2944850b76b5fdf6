"""The answer to a target: the fewest neurons with their interval, or the reason why there are none.

`intervals` works answers out and says what their intervals cover, `sentences` puts them into words.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from fewest.search.answers.evidence import SHARES, Quantity
from fewest.search.answers.wording import plural
from fewest.search.settings.space import Architecture

__all__ = [
    "Answer",
    "Finding",
    "Findings",
    "NoAnswer",
    "TargetAnswer",
    "ends",
    "findings_json",
    "is_answered",
    "is_settled",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """The fewest neurons that reach a target with a required share of seeds.

    Attributes:
        neurons: Hidden neurons of the smallest architecture whose observed share of seeds is enough.
        widths: Hidden widths of that architecture; of several with as many neurons, the first in order of widths.
        interval: The 95 % interval of the number of neurons, both ends included.
        test_accuracy: Mean test accuracy over the seeds that trained, in 0..1.
        seeds: Number of seeds in its verification, those that failed to train included.
        new_samples: The interval for samples that nobody has seen, which contains `interval`. Its upper end is None
            where nothing bounds it; None where it is not known.
    """

    neurons: int
    widths: Architecture
    interval: tuple[int, int]
    test_accuracy: float
    seeds: int
    new_samples: tuple[int, int | None] | None = None

    @property
    def at_least(self) -> int:
        """Neurons at the lower end of the interval, as `NoAnswer` has them."""
        return self.interval[0]

    def __str__(self) -> str:
        """Write the number of neurons and its interval.

        >>> str(Answer(13, (13,), (12, 14), 0.951, 20))
        '13 (12-14)'
        """
        low, high = self.interval
        return f"{self.neurons} ({low}-{high})"

    def to_json(self) -> dict[str, Any]:
        """Return the answer as `fewest answer --format json` prints it."""
        unseen = None if self.new_samples is None else list(self.new_samples)
        return {
            **asdict(self),
            "widths": list(self.widths),
            "interval": list(self.interval),
            "new_samples": unseen,
        }


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The reason why there is no answer, and the bounds that are known.

    Attributes:
        status: "not reached" if every size tested falls short, "larger" of a deeper depth none of whose sizes can be
            below the answer over all depths, else "needs more seeds".
        up_to: Neurons of the largest architecture tested; None when none was tested.
        at_least: Neurons at the lower end of the interval.
    """

    status: Literal["not reached", "larger", "needs more seeds"]
    up_to: int | None
    at_least: int

    @property
    def neurons(self) -> None:
        """No number of neurons, where an `Answer` has one."""
        return None

    @property
    def interval(self) -> None:
        """No interval, where an `Answer` has one."""
        return None

    @property
    def new_samples(self) -> None:
        """No interval for new samples, where an `Answer` may have one."""
        return None

    def __str__(self) -> str:
        """Say why there is no answer.

        >>> str(NoAnswer("not reached", 32, 33)), str(NoAnswer("needs more seeds", 32, 30))
        ('not reached up to 32 neurons', 'needs more seeds (at least 30 neurons)')
        >>> str(NoAnswer("not reached", 0, 1))  # by softmax alone
        'not reached'
        >>> str(NoAnswer("larger", 12, 13))
        'at least 13 neurons'
        """
        if self.status == "larger":
            return f"at least {plural(self.at_least, 'neuron', '')}"
        if self.status == "not reached":
            return f"not reached up to {plural(self.up_to, 'neuron', '')}" if self.up_to else "not reached"
        at_least = f" (at least {plural(self.at_least, 'neuron', '')})" if self.at_least else ""
        return f"needs more seeds{at_least}"


Finding: TypeAlias = Answer | NoAnswer

Findings: TypeAlias = Mapping[Quantity, Finding]
"""The three answers to one target, over all depths or for one depth."""


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """All answers to one target.

    Attributes:
        accuracy: The test accuracy to reach, in 0..1.
        overall: The answers over all depths.
        by_depth: The answers of each verified depth, by its number of hidden layers, rising. A depth that is shown to
            need at least as many neurons as the answer may have no answer of its own.
        asked: What was asked where that is relative, such as "best - 0.01"; else None.
        could_beat: Numbers of hidden layers with which fewer neurons than the typical answer's could still be enough.
    """

    accuracy: float
    overall: Findings
    by_depth: Mapping[int, Findings]
    asked: str | None = None
    could_beat: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Write the accuracy, and what was asked if that is something else.

        >>> str(TargetAnswer(0.95, {}, {})), str(TargetAnswer(0.9614, {}, {}, "best - 0.01"))
        ('0.95', '0.9614 (best - 0.01)')
        """
        return f"{self.accuracy:g} ({self.asked})" if self.asked else f"{self.accuracy:g}"

    @property
    def possible(self) -> Finding:
        """The answer over all depths with luck: one seed in twenty reaches the target."""
        return self.overall["possible"]

    @property
    def typical(self) -> Finding:
        """The answer over all depths: the median seed reaches the target."""
        return self.overall["typical"]

    @property
    def reliable(self) -> Finding:
        """The answer over all depths to be safe: nine seeds in ten reach the target."""
        return self.overall["reliable"]

    def to_json(self) -> dict[str, Any]:
        """Return one member of `targets`: null where there is no answer, and the reason under `unanswered`."""
        return {
            "accuracy": self.accuracy,
            **({"asked": self.asked} if self.asked else {}),
            **findings_json(self.overall),
            "could_beat": list(self.could_beat),
            "by_depth": {str(depth): findings_json(found) for depth, found in self.by_depth.items()},
        }


def is_answered(target: TargetAnswer) -> bool:
    """Say whether all three answers over all depths are there."""
    return all(isinstance(found, Answer) for found in target.overall.values())


def is_settled(target: TargetAnswer) -> bool:
    """Say whether all three answers over all depths are there, and no deeper network could beat the typical one."""
    return is_answered(target) and not target.could_beat


def ends(finding: Finding) -> tuple[int, int | None]:
    """Return the ends of a finding's interval; one that is not reached or not settled has no upper end."""
    return finding.interval if isinstance(finding, Answer) else (finding.at_least, None)


def findings_json(findings: Findings) -> dict[str, Any]:
    """Return the three answers to a target as `fewest answer --format json` prints them."""
    written: dict[str, Any] = {}
    unanswered: dict[str, str] = {}
    for quantity in SHARES:
        finding = findings[quantity]
        written[quantity] = finding.to_json() if isinstance(finding, Answer) else None
        if isinstance(finding, NoAnswer):
            unanswered[quantity] = str(finding)
    bounds = {
        quantity: finding.at_least
        for quantity, finding in findings.items()
        if isinstance(finding, NoAnswer) and finding.status == "larger"
    }
    return {**written, **({"unanswered": unanswered} if unanswered else {}), **({"at_least": bounds} if bounds else {})}
