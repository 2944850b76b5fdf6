"""Studies side by side: settings that differ, what they do not share, and the answers to every target of any of them.

The first study is the one with which the others are compared; `difference` says when two answers differ. Nothing is
read here. `Comparison.to_json` is what `fewest compare --format json` prints:

    {"studies": [str],
     "settings": [{"setting": str, "values": [str]}],
     "remarks": [str],
     "fronts": [[{"trial": int, "neurons": int, "validation_accuracy": float}]],
     "targets": [{"accuracy": float, "asked_by": [str],
                  "answers": [{"study": str, "depth": int | null, "possible": ANSWER, "typical": ANSWER,
                               "reliable": ANSWER, "unanswered": {...},
                               "against_first": null | {"possible": DIFFERENCE, ...}}]}]}
    DIFFERENCE = {"outcome": "fewer" | "more" | "same" | "not told apart", "at_least": int | null,
                  "at_most": int | null, "sure": 0.95 | 0.99 | null}

A list with one entry a study is in the order of `studies`. A `depth` of null is any number of hidden layers. ANSWER is
that of `fewest answer --format json`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewest.search.answers.answer import Findings, TargetAnswer, findings_json
from fewest.search.answers.difference import Difference, difference
from fewest.search.answers.evidence import SHARES, Quantity, Sampling
from fewest.search.answers.front import FrontPoint
from fewest.search.answers.intervals import answer_targets
from fewest.search.answers.results import Results
from fewest.search.answers.unlike import SettingRow, remarks, unlike_settings
from fewest.search.settings.stored import OurStudy

__all__ = ["ComparedAnswer", "ComparedStudy", "ComparedTarget", "Comparison", "compare"]

DEPTHS: tuple[int | None, ...] = (None, 1)
"""Numbers of hidden layers whose answers are compared; None is any number."""


@dataclass(frozen=True)
class ComparedStudy:
    """One of the studies.

    Attributes:
        label: Its name in texts, unlike that of every other.
        ours: The study.
        results: Its verified networks.
        front: The front by validation accuracy.
        sampling: What the test set leaves open in its results; None if unknown.
        storage: The option of a command that names its storage; see `storage_option`.
    """

    label: str
    ours: OurStudy
    results: Results
    front: tuple[FrontPoint, ...]
    sampling: Sampling | None = None
    storage: str = ""


@dataclass(frozen=True)
class ComparedAnswer:
    """A study's answers to one target.

    Attributes:
        study: Label of the study.
        depth: Number of hidden layers; None for any.
        findings: Its three answers, with 95 % intervals.
        against_first: How they differ from the first study's; None for the first study itself.
    """

    study: str
    depth: int | None
    findings: Findings
    against_first: Mapping[Quantity, Difference] | None

    def to_json(self) -> dict[str, Any]:
        """Return one member of `answers`."""
        unlike = self.against_first
        against = None if unlike is None else {name: found.to_json() for name, found in unlike.items()}
        return {"study": self.study, "depth": self.depth, **findings_json(self.findings), "against_first": against}


@dataclass(frozen=True)
class ComparedTarget:
    """All answers to one target.

    Attributes:
        accuracy: The test accuracy to reach, in 0..1.
        asked_by: Labels of the studies whose settings name this target.
        answers: By depth, and for each depth by study.
    """

    accuracy: float
    asked_by: tuple[str, ...]
    answers: tuple[ComparedAnswer, ...]

    def of_depth(self, depth: int | None) -> list[ComparedAnswer]:
        """Return the answers of one depth, one a study."""
        return [answer for answer in self.answers if answer.depth == depth]


@dataclass(frozen=True)
class Comparison:
    """Studies side by side.

    Attributes:
        studies: Their labels; the first is compared with.
        settings: The settings that differ.
        remarks: Sentences on what the studies do not share.
        fronts: Each study's front by validation accuracy.
        targets: The answers to every target that any study has, lowest first.
    """

    studies: tuple[str, ...]
    settings: tuple[SettingRow, ...]
    remarks: tuple[str, ...]
    fronts: tuple[tuple[FrontPoint, ...], ...]
    targets: tuple[ComparedTarget, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object that `fewest compare --format json` prints."""
        return {
            "studies": list(self.studies),
            "settings": [{"setting": row.words, "values": list(row.values)} for row in self.settings],
            "remarks": list(self.remarks),
            "fronts": [[_point_json(point) for point in front] for front in self.fronts],
            "targets": [
                {
                    "accuracy": target.accuracy,
                    "asked_by": list(target.asked_by),
                    "answers": [answer.to_json() for answer in target.answers],
                }
                for target in self.targets
            ],
        }


def compare(studies: Sequence[ComparedStudy]) -> Comparison:
    """Compare studies with the first of them.

    Args:
        studies: At least two studies, with different labels.
    """
    targets = sorted({target for study in studies for target in study.ours.accuracies})
    known = {study.label: study.ours for study in studies}
    storages = {study.label: study.storage for study in studies}
    return Comparison(
        studies=tuple(known),
        settings=tuple(unlike_settings(list(known.values()))),
        remarks=tuple(remarks(known, {study.label: bool(study.results) for study in studies}, storages)),
        fronts=tuple(study.front for study in studies),
        targets=tuple(_targets(studies, targets)),
    )


def _targets(studies: Sequence[ComparedStudy], targets: Sequence[float]) -> Iterator[ComparedTarget]:
    """Yield the answers to every target, lowest first."""
    levels = {
        study.label: (
            answer_targets(study.results, targets, sampling=study.sampling),
            answer_targets(study.results, targets, level=99),
        )
        for study in studies
    }
    for place, target in enumerate(targets):
        asked_by = tuple(study.label for study in studies if target in study.ours.accuracies)
        found = {label: (likely[place], surely[place]) for label, (likely, surely) in levels.items()}
        yield ComparedTarget(target, asked_by, tuple(_answers(found)))


def _answers(found: Mapping[str, tuple[TargetAnswer, TargetAnswer]]) -> Iterator[ComparedAnswer]:
    """Yield the answers that exist, by depth and study; `found` has those of both levels by label."""
    for depth in DEPTHS:
        first: tuple[Findings, Findings] | None = None
        for label, levels in found.items():
            likely, surely = (_of_depth(level, depth) for level in levels)
            if likely is None or surely is None:
                continue
            unlike = None if first is None else _differences(first, (likely, surely))
            yield ComparedAnswer(label, depth, likely, unlike)
            if label == next(iter(found)):
                first = likely, surely


def _of_depth(target: TargetAnswer, depth: int | None) -> Findings | None:
    return target.overall if depth is None else target.by_depth.get(depth)


def _differences(first: tuple[Findings, Findings], second: tuple[Findings, Findings]) -> dict[Quantity, Difference]:
    return {
        quantity: difference((first[0][quantity], first[1][quantity]), (second[0][quantity], second[1][quantity]))
        for quantity in SHARES
    }


def _point_json(point: FrontPoint) -> dict[str, Any]:
    return {"trial": point.trial, "neurons": point.size, "validation_accuracy": point.accuracy}
