"""What a study's trials have come to so far, read anew only where that may have changed.

A trial that has ended stays as it is, so each is read once: what a cohort costs does not grow with the study. All here
follows from the storage alone, in whatever steps it was read.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.search.answers.front import FrontPoint, Size, pareto_front, points_of
from fewest.search.settings.space import Architecture, SearchSpace
from fewest.search.settings.stored import plausible
from fewest.search.study.pruning import FinishedCurve
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.records import CurvePoint, TrialRecord, TrialState
from fewest.storage.trials.studies import read_trial_ids, read_trials

__all__ = ["History", "finished_curves"]

SizeOf = Callable[[Architecture], int]
"""What the study minimizes."""

UNFINISHED: frozenset[TrialState] = frozenset({"running", "waiting"})


class History:
    """The trials of a study as they were at the last `refresh`.

    Args:
        database: Where the study lives.
        study_id: The storage's key.
        size: What the study counts.
        size_of: Counts it.
        space: What of a trial's widths lies outside is as if it was not there; None takes all.

    Attributes:
        n_trials: How many there are.
        unfinished: Those that run or wait, by number.
        tried: Architectures that have a trial.
        ended: Ids of those that have ended.
        counts: How many ended in each state.
        seconds: Of training in all.
        front: The best of the complete ones, smallest first.
    """

    def __init__(
        self, database: Database, study_id: int, size: Size, size_of: SizeOf, space: SearchSpace | None = None
    ) -> None:
        self._database, self._study_id = database, study_id
        self._size, self._size_of, self._space = size, size_of, space
        self._architectures: dict[int, Architecture] = {}
        self._curves: dict[int, FinishedCurve] = {}
        self._since = 0
        self._recent: list[FrontPoint] = []
        self._front_before: list[FrontPoint] = []
        self.n_trials = 0
        self.unfinished: list[TrialRecord] = []
        self.tried: set[Architecture] = set()
        self.ended: set[int] = set()
        self.counts: Counter[TrialState] = Counter()
        self.seconds = 0.0
        self.front: list[FrontPoint] = []

    def refresh(self, connection: Connection | None = None) -> None:
        """Takes in what has changed since the last time; as a transaction sees it, if its connection is given."""
        source = connection or self._database
        read = read_trials(source, self._study_id, since=self._since)
        if self._space is not None:
            read = [plausible(trial, self._space) for trial in read]
        self.unfinished = [trial for trial in read if trial.state in UNFINISHED]
        self.tried.update(trial.widths for trial in read if trial.widths is not None)
        if read:
            self.n_trials = read[-1].number + 1
            self._since = (self.unfinished or read[-1:])[0].trial_id
        ended = [trial for trial in read if trial.state not in UNFINISHED and trial.trial_id not in self.ended]
        if ended:
            self._take_in(ended, read_curves(source, self._study_id, since=ended[0].trial_id))

    def forget_deleted(self) -> None:
        """Lets go of ended trials that somebody has deleted since they were read."""
        self.ended &= read_trial_ids(self._database, self._study_id)

    def architectures(self) -> list[Architecture]:
        """The front's, smallest first."""
        return [self._architectures[point.trial] for point in self.front]

    def finished(self) -> list[FinishedCurve]:
        """The trials that trained to their end, by number."""
        return [self._curves[number] for number in sorted(self._curves)]

    def front_before(self, number: int) -> list[FrontPoint]:
        """The front of the trials below a number, which must not fall from one call to the next."""
        older = [point for point in self._recent if point.trial < number]
        self._recent = [point for point in self._recent if point.trial >= number]
        self._front_before = pareto_front([*self._front_before, *older])
        return self._front_before

    def _take_in(self, ended: Sequence[TrialRecord], curves: Mapping[int, Sequence[CurvePoint]]) -> None:
        self.ended.update(trial.trial_id for trial in ended)
        self.counts.update(trial.state for trial in ended)
        self.seconds += sum(trial.seconds or 0.0 for trial in ended)
        architectures = {trial.number: trial.widths for trial in ended if trial.widths is not None}
        self._architectures |= architectures
        points = [
            point._replace(size=self._size_of(architectures[point.trial]))
            for point in points_of(ended, self._size)
            if point.trial in architectures
        ]
        self._recent += points
        self.front = pareto_front([*self.front, *points])
        self._curves |= finished_curves(self._size_of, ended, curves)


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
