"""The study's watch over a cohort in training: after every epoch, curves are stored, shown and judged."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from fewest.search.listener import Listener, Progress, SearchInterruptedError
from fewest.search.settings.space import describe
from fewest.search.study.pruning import PruningRule
from fewest.search.study.study import OpenStudy
from fewest.search.study.ticket import Ticket
from fewest.search.training.checkpoints import CohortCheckpoints
from fewest.search.training.outcome import EpochMetrics
from fewest.search.training.snapshot import Snapshot
from fewest.search.training.trial import FrontTrial
from fewest.storage.trials.records import CurvePoint

__all__ = ["StudyWatch", "save_or_stop"]


def save_or_stop(listener: Listener, checkpoints: CohortCheckpoints, take: Callable[[], Snapshot] | None) -> None:
    """Save a cohort when a checkpoint is due or the search must stop, and stop if the listener says so.

    Raises:
        SearchInterruptedError: `listener.should_stop` returned True.
    """
    stopping = listener.should_stop()
    if take is not None:
        checkpoints.save(take, now=stopping)
    if stopping:
        raise SearchInterruptedError("Interrupted.")


class StudyWatch:
    """A watcher of one cohort: stores curves, prunes, saves checkpoints, tells the listener.

    It implements `training.interface.Watcher`.

    Attributes:
        checkpoints: Checkpoints of the cohort.
        front: The front when the cohort began.
        wants_curve: True: curves are stored and judged.
    """

    wants_curve = True

    def __init__(self, study: OpenStudy, tickets: Sequence[Ticket], listener: Listener) -> None:
        self._study, self._tickets, self._listener = study, tickets, listener
        self._lost: frozenset[int] = frozenset()
        self.checkpoints = study.checkpoints(tickets)
        self.front = tuple(study.history.front)
        self._n_until_level = study.until_level()
        self._best = [0.0 for _ in tickets]

    def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
        """Write one epoch of the whole cohort in one transaction."""
        self._lost |= self._study.write_curves(
            {self._tickets[member].trial_id: [CurvePoint(epoch, *seen)] for member, seen in metrics.items()}
        )
        self._monitor(epoch, metrics)
        self._listener.on_progress(self._progress(epoch, len(metrics)))

    def checkpoint(self, take: Callable[[], Snapshot] | None) -> None:
        """Save the cohort when a checkpoint is due, and stop here if the listener says so."""
        save_or_stop(self._listener, self.checkpoints, take)

    def start(self) -> Snapshot | None:
        """Return the snapshot that an earlier run saved; None to start from the initial weights."""
        snapshot = self.checkpoints.load()
        if snapshot is not None:
            self._best = [max((seen.val_accuracy for seen in m.curve), default=0.0) for m in snapshot.members]
        return snapshot

    def judge(self, member: int, epoch: int, accuracy: float) -> str | None:
        """Return the reason to end a trial: the pruning rule's, or that another worker has taken it; else None."""
        if self._tickets[member].trial_id in self._lost:
            return "taken over by another worker"
        self._best[member] = max(self._best[member], accuracy)
        if not self._study.config.pruning.enabled:
            return None
        return self._rule.reason(self._tickets[member].size, epoch, self._best[member])

    def trial(self, member: int) -> FrontTrial:
        """Return the Optuna trial of a member."""
        return self._study.trial(self._tickets[member], lambda epoch, accuracy: self.judge(member, epoch, accuracy))

    @cached_property
    def _rule(self) -> PruningRule:
        """The pruning rule, as learned from the study's finished networks."""
        config = self._study.config
        return PruningRule(
            self._study.history.finished(),
            config.training.epochs,
            config.pruning.risk,
            self._study.data.resolution,
        )

    def _monitor(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
        every = self._study.config.output.monitor_every
        if every is None or (epoch + 1) % every:
            return
        for member, seen in metrics.items():
            ticket = self._tickets[member]
            values = " ".join(f"{name} {value:.4f}" for name, value in seen._asdict().items())
            self._listener.echo(
                f"trial {ticket.number} ({describe(ticket.network.architecture)}) epoch {epoch}: {values}"
            )

    def _progress(self, epoch: int, n_training: int) -> Progress:
        history = self._study.history
        return Progress(
            stage="search",
            n_finished=len(history.ended),
            n_networks=self._study.config.n_trials,
            n_training=n_training,
            epoch=epoch,
            n_epochs=self._study.config.training.epochs,
            n_pruned=history.counts["pruned"],
            n_failed=history.counts["fail"],
            front=[(point.size, point.accuracy) for point in self.front],
            n_until_level=self._n_until_level,
        )
