"""The history of a study: its trials so far, each read again only while it may change.

A trial that has ended does not change, so it is read once. The cost of a cohort does not grow with the study. Only the
storage decides what a history holds, not the steps in which it was read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.search.answers.front import FrontPoint, pareto_front, points_of
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons
from fewest.search.settings.stored import plausible
from fewest.search.study.pruning import FinishedCurve, expected_final
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.records import CurvePoint, TrialRecord, TrialState
from fewest.storage.trials.studies import read_trial_ids, read_trials

__all__ = ["History", "finished_curves"]

UNFINISHED: frozenset[TrialState] = frozenset({"running", "waiting"})


class History:
    """The trials of a study as they were at the last `refresh`.

    Args:
        database: Database with the study.
        study_id: Key of the study in the storage.
        space: Search space of the study; widths outside it are left out. None keeps all widths.

    Attributes:
        n_trials: Number of trials.
        unfinished: Trials that run or wait, by number.
        tried: Architectures that have a trial.
        ended: Ids of the trials that have ended.
        counts: Number of ended trials in each state.
        seconds: Seconds of training, summed over trials.
        front: The front of the complete trials, smallest first.
    """

    def __init__(self, database: Database, study_id: int, space: SearchSpace | None = None) -> None:
        self._database, self._study_id, self._space = database, study_id, space
        self._architectures: dict[int, Architecture] = {}
        self._curves: dict[int, FinishedCurve] = {}
        self._pruned: dict[int, CurvePoint] = {}
        self._first: dict[Architecture, int] = {}
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
        """Read what has changed since the last call, within the transaction of `connection` if it is given."""
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
        """Forget ended trials that somebody has deleted since they were read."""
        self.ended &= read_trial_ids(self._database, self._study_id)

    def architectures(self) -> list[Architecture]:
        """Return the architectures on the front, smallest first."""
        return [self._architectures[point.trial] for point in self.front]

    def finished(self) -> list[FinishedCurve]:
        """Return the curves of the complete trials, by number."""
        return [self._curves[number] for number in sorted(self._curves)]

    def accuracies(self, wanted: Iterable[Architecture]) -> dict[Architecture, float | None]:
        """Return the final validation accuracy of each wanted architecture's first ended trial.

        Only those trials count, whatever else has ended: a pruned one has the accuracy that the others' curves promise.

        Returns:
            None for a trial that failed; nothing for an architecture without an ended trial.
        """
        ended = {architecture: self._first[architecture] for architecture in wanted if architecture in self._first}
        finished = [self._curves[number] for number in sorted(ended.values()) if number in self._curves]
        found: dict[Architecture, float | None] = {}
        for architecture, number in ended.items():
            found[architecture] = self._curves[number].final if number in self._curves else None
            if last := self._pruned.get(number):
                found[architecture] = expected_final(last.epoch, last.val_accuracy, finished)
        return found

    def parted(self, number: int) -> tuple[list[FrontPoint], list[FrontPoint]]:
        """Return the front of the trials below a number, and the complete trials from that number on.

        The number must not fall from one call to the next. If it does, as trials were deleted, the front is that of the
        earlier number.
        """
        older = [point for point in self._recent if point.trial < number]
        self._recent = [point for point in self._recent if point.trial >= number]
        self._front_before = pareto_front([*self._front_before, *older])
        return self._front_before, sorted(self._recent)

    def _take_in(self, ended: Sequence[TrialRecord], curves: Mapping[int, Sequence[CurvePoint]]) -> None:
        self.ended.update(trial.trial_id for trial in ended)
        self.counts.update(trial.state for trial in ended)
        self.seconds += sum(trial.seconds or 0.0 for trial in ended)
        architectures = {trial.number: trial.widths for trial in ended if trial.widths is not None}
        self._architectures |= architectures
        for number, widths in architectures.items():
            self._first[widths] = min(number, self._first.get(widths, number))
        points = [point for point in points_of(ended) if point.trial in architectures]
        self._recent += points
        self.front = pareto_front([*self.front, *points])
        self._curves |= finished_curves(ended, curves)
        self._pruned |= {
            trial.number: curves[trial.trial_id][-1]
            for trial in ended
            if trial.state == "pruned" and curves.get(trial.trial_id)
        }


def finished_curves(
    trials: Iterable[TrialRecord], curves: Mapping[int, Sequence[CurvePoint]]
) -> dict[int, FinishedCurve]:
    """Return the complete trials by number, in the pruning rule's form; `curves` are by trial id."""
    return {
        trial.number: FinishedCurve(
            n_neurons(trial.widths),
            [point.val_accuracy for point in curves[trial.trial_id]],
            trial.validation_accuracy,
        )
        for trial in trials
        if trial.widths is not None and trial.validation_accuracy is not None and trial.trial_id in curves
    }
