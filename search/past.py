"""What a study's trials have come to so far, read anew only where that may have changed.

A trial that has ended stays as it is, so each is read once: what a cohort costs does not grow with the study.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Engine as Database

from search.front import FrontPoint, Size, pareto_front, points_of
from search.pruning import FinishedCurve
from search.space import Architecture
from storage.curves import read_curves
from storage.records import CurvePoint, TrialRecord, TrialState
from storage.trials import read_trials

__all__ = ["Past", "finished_curves"]

SizeOf = Callable[[Architecture], int]
"""What the study minimizes."""


class Past:
    """The trials of a study that have ended.

    Args:
        database: Where the study lives.
        study_id: The storage's key.
        size: What the study counts.
        size_of: Counts it.

    Attributes:
        counts: How many ended in each state.
        seconds: Of training in all.
        points: The complete ones, as a front sees them.
        front: The best of them, smallest first.
        finished: Those that trained to their end, by number.
    """

    def __init__(self, database: Database, study_id: int, size: Size, size_of: SizeOf) -> None:
        self._database, self._study_id = database, study_id
        self._size, self._size_of = size, size_of
        self._curves: dict[int, FinishedCurve] = {}
        self._seen: set[int] = set()
        self._since = 0
        self.counts: Counter[TrialState] = Counter()
        self.seconds = 0.0
        self.points: list[FrontPoint] = []
        self.front: list[FrontPoint] = []
        self.finished: list[FinishedCurve] = []

    def refresh(self) -> None:
        """Takes in what has ended since the last time."""
        read = read_trials(self._database, self._study_id, since=self._since)
        unfinished = [trial.trial_id for trial in read if trial.state in ("running", "waiting")]
        self._since = min(unfinished, default=max((trial.trial_id for trial in read), default=self._since))
        ended = [
            trial for trial in read if trial.state not in ("running", "waiting") and trial.trial_id not in self._seen
        ]
        if ended:
            self._take_in(ended)

    def _take_in(self, ended: Sequence[TrialRecord]) -> None:
        self._seen.update(trial.trial_id for trial in ended)
        self.counts.update(trial.state for trial in ended)
        self.seconds += sum(trial.seconds or 0.0 for trial in ended)
        self.points += points_of(ended, self._size)
        self.front = pareto_front(self.points)
        since = min(trial.trial_id for trial in ended)
        curves = read_curves(self._database, self._study_id, since=since)
        self._curves |= finished_curves(self._size_of, ended, curves)
        self.finished = [self._curves[number] for number in sorted(self._curves)]


def finished_curves(
    size_of: SizeOf, trials: Iterable[TrialRecord], curves: Mapping[int, Sequence[CurvePoint]]
) -> dict[int, FinishedCurve]:
    """The complete ones of these trials by number, as the pruning rule wants them; `curves` by trial id."""
    return {
        trial.number: FinishedCurve(
            size_of(trial.widths),
            [point.val_accuracy for point in curves[trial.trial_id]],
            trial.validation_accuracy,
        )
        for trial in trials
        if trial.widths is not None and trial.validation_accuracy is not None and trial.trial_id in curves
    }
