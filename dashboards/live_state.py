"""What `fewest watch` shows of a study, read in steps: a trial that has ended is read once, curves only while shown.

    follower = Follower(database, "mnist")
    state = follower.read(time.monotonic())     # again every second

Nothing here writes, and neither Optuna nor TensorFlow is loaded.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.search.answers.answer import TargetAnswer
from fewest.search.answers.front import FrontPoint, pareto_front, points_of
from fewest.search.answers.intervals import answer_targets
from fewest.search.answers.results import collect
from fewest.search.answers.sampling import sampling_of
from fewest.search.forecast import networks_left, watched
from fewest.search.settings.files import is_finished
from fewest.search.settings.space import Architecture
from fewest.search.settings.stored import OurStudy, our_study
from fewest.storage.database.transactions import reading
from fewest.storage.errors import NotFoundError, StudyGoneError
from fewest.storage.trials.curves import read_curves_of
from fewest.storage.trials.records import TrialRecord, TrialState
from fewest.storage.trials.results import read_results
from fewest.storage.trials.silence import Sighting, observe
from fewest.storage.trials.studies import read_study, read_trials
from fewest.storage.trials.workers import WorkerRecord, read_workers

__all__ = ["Follower", "LiveState", "RunningTrial", "SeenWorker"]

N_CURVES: Final = 12
"""Most running trials whose curves are read."""

N_PRUNED: Final = 5
N_LATEST: Final = 100
"""Ended trials from whose times the speed of the search follows."""


class RunningTrial(NamedTuple):
    """A trial in training, and its validation accuracy after each epoch so far."""

    number: int
    widths: Architecture
    accuracies: tuple[float, ...]


class SeenWorker(NamedTuple):
    """A worker, and how long ago its count of heartbeats was last seen to rise.

    Attributes:
        record: The worker.
        silent_seconds: Seconds since then, or since the first look at it.
        heard: Whether the count was seen to rise at all.
    """

    record: WorkerRecord
    silent_seconds: float
    heard: bool

    @property
    def is_gone(self) -> bool:
        """Whether its process has ended, or it was silent for longer than it may be."""
        return self.record.process == "gone" or self.silent_seconds >= self.record.lease_seconds


@dataclass(frozen=True)
class LiveState:
    """A study at one moment.

    Attributes:
        name: The study's name.
        dataset: Its data set's name.
        n_trials: Networks of the search in all.
        n_epochs: Epochs of a training that nothing cuts short.
        counts: Numbers of trials by state.
        n_verified: Networks that verification has scored.
        finished: Whether nothing is left to do.
        seconds_left: The least and the most seconds until the study is answered, about; None if unknown. The search
            ends early if its front levels off.
        targets: Target accuracies.
        points: Every complete trial.
        front: The front, smallest first.
        answers: The answers to the targets; empty before verification.
        workers: Workers that have not signed off, without idle ones that are gone.
        running: Trials in training, the newest first, `N_CURVES` at most.
        pruned: Trials pruned last, the latest first.
        trouble: Why the storage could not be read just now; None if it could.
        shares_split: Whether all verified networks trained on one split.
    """

    name: str
    dataset: str
    n_trials: int
    n_epochs: int
    counts: Mapping[TrialState, int]
    n_verified: int
    finished: bool
    seconds_left: tuple[float, float] | None
    targets: tuple[float, ...]
    points: Sequence[FrontPoint]
    front: tuple[FrontPoint, ...]
    answers: tuple[TargetAnswer, ...]
    workers: tuple[SeenWorker, ...]
    running: tuple[RunningTrial, ...]
    pruned: tuple[TrialRecord, ...]
    trouble: str | None = None
    shares_split: bool = False


class Follower:
    """Reads a study again and again, each time only what may have changed.

    Args:
        database: The storage, opened to read.
        name: Name of the study.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        self._study_id: int | None = None
        self._next_id = 0
        self._unfinished: list[TrialRecord] = []
        self._points: list[FrontPoint] = []
        self._front: list[FrontPoint] = []
        self._pruned: deque[TrialRecord] = deque(maxlen=N_PRUNED)
        self._latest: deque[TrialRecord] = deque(maxlen=N_LATEST)
        self._seconds = 0.0
        self._seen: dict[str, Sighting] = {}
        self._first_beats: dict[str, int] = {}
        self._answered: tuple[object, ...] = ()
        self._answers: tuple[TargetAnswer, ...] = ()

    def read(self, now_seconds: float) -> LiveState:
        """Read the study as it is now.

        Args:
            now_seconds: A monotonic clock, for the ages of heartbeats.

        Raises:
            NotFoundError: The study does not exist, at the first call.
            StudyGoneError: The study was deleted or renamed since the first call.
            MisuseError: The study is not ours, or is damaged.
            StorageError: The storage cannot be read.
        """
        with reading(self._database, patience_seconds=0) as connection:
            ours = self._study(connection)
            key = ours.record.study_id
            self._take_in(ours, read_trials(connection, key, since=self._next_id, also=self._unfinished_ids()))
            shown = sorted(self._unfinished, key=lambda trial: -trial.number)
            shown = [trial for trial in shown if trial.state == "running"][:N_CURVES]
            curves = read_curves_of(connection, [trial.trial_id for trial in shown])
            workers = tuple(self._workers(read_workers(connection, key), now_seconds))
            self._answer(connection, ours)
        return LiveState(
            name=ours.record.name,
            dataset=ours.data.name,
            n_trials=ours.config.n_trials,
            n_epochs=ours.config.training.epochs,
            counts=ours.record.n_trials,
            n_verified=ours.record.n_verified,
            finished=is_finished(ours.record, ours.config),
            seconds_left=self._seconds_left(ours, len([worker for worker in workers if worker.record.n_running])),
            targets=ours.accuracies,
            points=self._points,
            front=tuple(self._front),
            answers=self._answers,
            workers=workers,
            running=tuple(
                RunningTrial(
                    trial.number,
                    trial.widths or (),
                    tuple(point.val_accuracy for point in curves.get(trial.trial_id, ())),
                )
                for trial in shown
            ),
            pruned=tuple(reversed(self._pruned)),
            shares_split=not ours.data.verifies_on_whole,
        )

    def _study(self, connection: Connection) -> OurStudy:
        try:
            record = read_study(connection, self._name)
        except NotFoundError:
            if self._study_id is None:
                raise
            raise StudyGoneError(self._name) from None
        if self._study_id not in (None, record.study_id):
            raise StudyGoneError(self._name)
        self._study_id = record.study_id
        return our_study(record)

    def _unfinished_ids(self) -> list[int]:
        return [trial.trial_id for trial in self._unfinished]

    def _take_in(self, ours: OurStudy, read: Sequence[TrialRecord]) -> None:
        trials = [ours.plausible(trial) for trial in read]
        self._next_id = max([self._next_id, *(trial.trial_id + 1 for trial in trials)])
        self._unfinished = [trial for trial in trials if trial.state in ("running", "waiting")]
        ended = [trial for trial in trials if trial.state not in ("running", "waiting")]
        points = points_of(ended)
        if points:
            self._points = [*self._points, *points]
            self._front = pareto_front([*self._front, *points])
        self._pruned += [trial for trial in ended if trial.state == "pruned"]
        self._latest += sorted(ended, key=lambda trial: (trial.completed is not None, trial.completed))
        self._seconds += sum(trial.seconds or 0.0 for trial in ended)

    def _workers(self, found: Sequence[WorkerRecord], now_seconds: float) -> Iterable[SeenWorker]:
        beats = {worker.worker_id: worker.beat for worker in found}
        self._seen = observe(self._seen, beats, now_seconds, 0)
        self._first_beats = {**beats, **self._first_beats}
        seen = (
            SeenWorker(
                worker,
                now_seconds - self._seen[worker.worker_id].at_seconds,
                worker.beat != self._first_beats[worker.worker_id],
            )
            for worker in found
        )
        return [worker for worker in seen if worker.record.n_running or not worker.is_gone]

    def _seconds_left(self, ours: OurStudy, n_workers: int) -> tuple[float, float] | None:
        """Estimate the least and the most seconds left."""
        config, record = ours.config, ours.record
        timeout = config.budget.timeout
        least, most = networks_left(config, self._points, record.n_ended)
        if timeout is not None and self._seconds >= timeout:
            least = most = 0
        ends = [watched(config, self._latest, n, record.n_verified, n_workers) for n in (least, most)]
        return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])

    def _answer(self, connection: Connection, ours: OurStudy) -> None:
        """Work the answers out again if there are more verified networks, or other targets."""
        targets, n_verified = ours.accuracies, ours.record.n_verified
        if n_verified and self._answered != (targets, n_verified):
            verified = read_results(connection, ours.record.study_id)
            sampling = sampling_of(ours.record.attributes["data"], verified)
            self._answers = tuple(answer_targets(collect(verified), targets, sampling=sampling))
            self._answered = (targets, n_verified)
