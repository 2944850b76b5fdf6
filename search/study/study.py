"""A study in the storage, open for work: its trials asked for and told.

It is an ordinary Optuna study with two named objectives. Its whole state lies in the storage, so any process may
continue it. Trials that train together form a cohort. When a run is interrupted, the unfinished trials of its cohort
wait again. The next run takes up exactly those trials before it asks for new ones. It then asks for the same
architectures, from the same history, as if nothing had happened.

Workers reach an open study only through `OpenStudy`. Its writes for a trial or a verification are fenced: they are
refused, within their transaction, once another worker has taken over.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection

from fewest.search.data.samples import SearchData
from fewest.search.listener import SearchInterruptedError
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import finished_mark
from fewest.search.settings.seeds import proposal_generator
from fewest.search.settings.space import (
    Architecture,
    Network,
    width_name,
)
from fewest.search.settings.stored import Best, plausible, stored_best
from fewest.search.settings.targets import unvalued, valued
from fewest.search.study.bracket import bracket
from fewest.search.study.history import History
from fewest.search.study.pace import Pace
from fewest.search.study.request import is_whole, requested_architecture
from fewest.search.study.sampler import FrontSampler, propose
from fewest.search.study.stopping import Ending, StoppingRule
from fewest.search.study.ticket import Ticket, facts_of, finished_trial, network_of, template_of
from fewest.search.training.checkpoints import CohortCheckpoints
from fewest.search.training.outcome import Outcome
from fewest.search.training.trial import FrontTrial, Judge
from fewest.storage.database.optuna_private import id_of
from fewest.storage.database.transactions import reading
from fewest.storage.errors import FewestError, StorageError, StudyGoneError
from fewest.storage.files.artifacts import Artifacts, KeptFile, read_kept
from fewest.storage.files.places import Place
from fewest.storage.trials.cohort_storage import CohortStorage, Request
from fewest.storage.trials.curves import read_curves, write_curves
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import CurvePoint, TrialRecord, VerifiedNetwork
from fewest.storage.trials.remarks import Notes, write_remarks
from fewest.storage.trials.results import read_results, write_results
from fewest.storage.trials.sharing import sharing_warning
from fewest.storage.trials.studies import read_name, read_study, read_trials

__all__ = ["OpenStudy"]

LOOK_SECONDS = 1.0
"""Least seconds between two looks for trials with a dead worker: each look takes a transaction of its own."""


class OpenStudy:
    """A study open for work: it gives trials out and stores their outcomes.

    Args:
        storage: Storage of the study.
        study: The Optuna study.
        config: Settings of the study.
        data: Training and validation samples.
        verifies_on_whole: Whether verified networks train on the validation samples, too.
        checkpoints: Place of checkpoints.
        artifacts: Place of trained networks.
        pace: Intervals between this worker's checkpoints, heartbeats and looks.
        created: Whether this worker has just created it.

    Attributes:
        config: Settings of the study.
        data: Training and validation samples.
        created: Whether this worker has just created the study.
        optuna: The Optuna study.
        n_told: Number of trials that this worker has trained and told.
        history: History of the trials, as of the last look.
    """

    def __init__(
        self,
        storage: CohortStorage,
        study: optuna.Study,
        config: StudyConfig,
        data: SearchData,
        verifies_on_whole: bool,
        *,
        checkpoints: Place,
        artifacts: Place,
        pace: Pace,
        created: bool = False,
    ) -> None:
        self.config, self.data, self.created = config, data, created
        self.optuna = study
        self.optuna.sampler = FrontSampler(config.space.search_space(), config.seed)
        self.n_told = 0
        self._verifies_on_whole = verifies_on_whole
        self._storage, self._database = storage, storage.engine
        self._study_id = id_of(study)
        self._checkpoints, self._artifacts = checkpoints, Artifacts(artifacts)
        self._pace = pace
        self._looked_at = float("-inf")
        self._leases = Leases(self._database, lease_seconds=pace.lease_seconds)
        self.history = History(self._database, self._study_id, config.space.search_space())
        self._stopping = StoppingRule(config, self.history)

    def __enter__(self) -> Self:
        """Start the heartbeat that keeps other workers from this one's trials."""
        self._leases.start_heartbeat()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Release the trials still held, so that another worker can take them at once, and close the storage.

        Raises:
            StudyGoneError: The work failed because the study was deleted or renamed.
        """
        try:
            if isinstance(error, Exception) and not isinstance(error, SearchInterruptedError):
                with suppress(StorageError), reading(self._database, patience_seconds=0.0) as connection:
                    self._require_there(connection, because=error)
        finally:
            self._leases.stop()
            self._storage.close()

    # Reading

    def trials(self) -> list[TrialRecord]:
        """Read all trials, by number, without impossible values."""
        return self._plausible(read_trials(self._database, self._study_id))

    def trials_and_curves(self) -> tuple[list[TrialRecord], dict[int, list[CurvePoint]]]:
        """Read all trials, by number, and all learning curves, by trial id, as of one moment."""
        with reading(self._database) as connection:
            read = self._plausible(read_trials(connection, self._study_id))
            return read, read_curves(connection, self._study_id)

    def results(self) -> list[VerifiedNetwork]:
        """Read all verified networks."""
        return read_results(self._database, self._study_id)

    def targets(self) -> list[float]:
        """Return the target accuracies that have a value by now, rising; see `settings.targets`."""
        best = self._best()
        return [target.accuracy for target in valued(self.config.budget.targets, best.accuracy if best else None)]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees the storage at one moment."""
        with reading(self._database) as connection:
            yield connection

    def sharing_warning(self) -> str | None:
        """Warn in one line of a SQLite file that is shared in a way that may damage it; None if all is well."""
        return sharing_warning(self._database)

    # Trials

    def ask(self, n: int, *, beyond_bracket: bool = True) -> list[Ticket]:
        """Take the next cohort: trials of a dead worker, else waiting trials, else new ones.

        Waiting trials come from an interrupted run, or somebody enqueued them. A trial fails, with a reason, if it
        asks for an architecture outside the space.

        Args:
            n: Most trials to give out.
            beyond_bracket: Whether to create trials after those of the bracket.

        Returns:
            Running trials; empty when the budget is given out or spent, or the front has levelled off.

        Raises:
            StudyGoneError: The study was deleted or renamed.
        """
        while True:
            self._refresh()
            if self._stopping.is_timeout_spent():
                self._return_orphans()
                return []
            waiting = [trial.cohort for trial in self.history.unfinished if trial.state == "waiting"]
            if taken := self._adopted():
                tickets = self._tickets(taken)
            elif waiting:
                n_first = min(n, waiting.count(waiting[0]))
                tickets = self._tickets(self._storage.claim_waiting(self._study_id, n_first, leases=self._leases))
            elif not self._stopping.takes_no_more() and (beyond_bracket or self._untried()):
                tickets = self._create_trials(n, beyond_bracket)
            else:
                return []
            if tickets:  # Else another worker was faster, or all trials were refused: look at the study again.
                return tickets

    def others_train(self) -> bool:
        """Say whether another worker still trained trials of this study when `ask` last looked.

        A look of its own could find that a worker has just ended its trials and the front has grown: then neither would
        anybody train nor would the search be over.
        """
        held = self._leases.held()
        return any(trial.state == "running" and trial.trial_id not in held for trial in self.history.unfinished)

    def ending(self) -> Ending:
        """Say why the study has no trials left to give out."""
        return self._stopping.ending()

    def until_level(self) -> int | None:
        """Count the trials that must still end without a gain before the front has levelled off; see `stopping`."""
        return self._stopping.until_level()

    def is_searched(self) -> bool:
        """Say whether the search is over, for this worker and all others."""
        self._refresh()
        return self._stopping.has_ended()

    def bracketed(self) -> dict[Architecture, float | None] | None:
        """Return the validation accuracies of ladder and bracket; None as long as any of their trials has not ended.

        A search has no bracket if its budget ends before it, or if the settings list the architectures.
        """
        self._refresh()
        if (wanted := self._bracket()) is None:
            return None
        found = self.history.accuracies(wanted)
        return found if len(found) == len(wanted) else None

    def trial(self, ticket: Ticket, judge: Judge) -> FrontTrial:
        """Wrap a ticket's trial for Optuna's Keras pruning callback."""
        return FrontTrial(self.optuna, ticket.trial_id, judge)

    def write_curves(self, points: Mapping[int, Sequence[CurvePoint]]) -> frozenset[int]:
        """Write epochs of several trials, by trial id, in one transaction.

        Returns:
            Ids of the trials that were not written, because another worker has taken them over.
        """
        return write_curves(self._database, points, fences=self._leases.fences())

    def tell(self, tickets: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
        """Write the outcomes of a cohort's trials in one transaction, except trials that another worker has taken."""
        worker = self._leases.worker_id
        ended = [finished_trial(ticket, outcome, worker) for ticket, outcome in zip(tickets, outcomes, strict=True)]
        refused = self._storage.finish_trials(ended, leases=self._leases)
        self.n_told += len(tickets) - len(refused)

    def release(self, tickets: Sequence[Ticket]) -> None:
        """Return trials unfinished: they wait, and the next `ask` gives them out."""
        self._storage.return_trials([ticket.trial_id for ticket in tickets], leases=self._leases)

    def finish(self) -> None:
        """Mark the budget as spent: another run then trains nothing."""
        self._refresh()
        n_waiting = sum(trial.state == "waiting" for trial in self.history.unfinished)
        mark = finished_mark(self.config.budget, n_waiting, len(self.results()))
        self.optuna.set_user_attr("finished", mark)

    def all_failed(self) -> bool:
        """Say whether trials have ended, and every one of them failed."""
        self._refresh()
        return 0 < len(self.history.ended) == self.history.counts["fail"]

    def remark(self, notes: Notes, attributes: Mapping[int, Mapping[str, Any]], *, keys: Collection[str]) -> None:
        """Write notes and attributes that restate what the storage holds; arguments as for `write_remarks`."""
        write_remarks(self._database, self._study_id, self.config.name, notes, attributes, keys=keys)

    # Verification

    @property
    def verification_data(self) -> SearchData:
        """What verified networks train on: the whole training file, or the split where validation samples are needed.

        A study keeps to one of them from its creation on, so its results never mix both kinds.
        """
        return self.data.whole if self._verifies_on_whole else self.data

    def may_verify(self) -> bool:
        """Say whether this worker is the one that verifies.

        One worker verifies: the one that holds the lease of the first trial that ended. It keeps the lease until the
        study is closed. When that worker dies, another takes the lease over.
        """
        self._refresh()
        self.history.forget_deleted()
        return all(map(self._leases.claim, self._verifiers_trial()))

    def widths_of_best(self) -> Architecture | None:
        """Return the most accurate architecture on the front while it has to say what the best is; else None.

        It has to once the search has ended, where targets are relative to the best and it is not stored yet.
        """
        best = self._best()
        waits = unvalued(self.config.budget.targets, best.accuracy if best else None) and self._stopping.has_ended()
        return self.history.architectures()[-1] if waits and self.history.front else None

    def keep_best(self, best: Best) -> None:
        """Store what relative targets are relative to. Whoever computes it gets it from the same stored results."""
        self.optuna.set_user_attr("best", best.model_dump(mode="json"))

    def has_first_answer(self) -> bool:
        """Say whether `keep_first_answer` was called with the settings as they are."""
        return read_study(self._database, self.config.name).attributes.get("first_answer") == self._first_answer()

    def keep_first_answer(self) -> None:
        """Store that the bracket's verification has ended."""
        self.optuna.set_user_attr("first_answer", self._first_answer())

    def write_results(self, networks: Sequence[VerifiedNetwork]) -> bool:
        """Write verified networks in one transaction.

        Returns:
            False if another worker now verifies; then nothing was written.
        """
        fences = self._leases.fences()
        held = [(trial_id, fences.get(trial_id, 0)) for trial_id in self._verifiers_trial()]
        return write_results(self._database, self._study_id, networks, fence=held[0] if held else None)

    # Files

    def checkpoints(self, tickets: Sequence[Ticket]) -> CohortCheckpoints:
        """Open the checkpoints of a cohort."""
        key, trial_ids = f"cohort-{tickets[0].cohort}", [ticket.trial_id for ticket in tickets]
        return self._checkpoints_under(key, trial_ids, [ticket.network for ticket in tickets])

    def verification_checkpoints(self, networks: Sequence[Network]) -> CohortCheckpoints:
        """Open the checkpoints of a cohort in verification."""
        return self._checkpoints_under("verification", self._verifiers_trial(), networks)

    def kept_files(self) -> list[KeptFile]:
        """List the study's artifacts and those of its trials."""
        return read_kept(self._database, self._study_id)

    def keep_file(self, file: Path, trial_id: int | None) -> None:
        """Keep a file as an artifact of a trial that has not ended, or of the study itself if `trial_id` is None.

        Raises:
            StorageError: The file cannot be written.
            optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
        """
        self._artifacts.keep(self.optuna, file, trial_id)

    def drop_files(self, files: Sequence[KeptFile]) -> None:
        """Delete artifacts."""
        self._artifacts.drop(self._database, self._study_id, files)

    # Within

    def _refresh(self) -> None:
        """Read what has changed, after a check that the study still exists."""
        self._require_there()
        self.history.refresh()

    def _require_there(self, source: Connection | None = None, because: Exception | None = None) -> None:
        """Check that the study still has its name: SQLite gives the keys of deleted studies to new ones."""
        if read_name(source or self._database, self._study_id) != self.config.name:
            raise StudyGoneError(self.config.name) from because

    def _plausible(self, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
        space = self.config.space.search_space()
        return [plausible(trial, space, self.data.n_parameters) for trial in trials]

    def _checkpoints_under(self, key: str, trial_ids: Sequence[int], networks: Sequence[Network]) -> CohortCheckpoints:
        """Open checkpoints under a key of this study, with the latest fence of this worker's leases on the trials."""
        fences = self._leases.fences()
        fence = max((fences.get(trial_id, 0) for trial_id in trial_ids), default=0)
        name = f"study-{self._study_id}-{key}"
        return CohortCheckpoints(self._checkpoints, name, networks, fence, due=self._pace.checkpoint_due)

    def _best(self) -> Best | None:
        """Read what relative targets are relative to; None where there are none, or it is not known yet."""
        if not unvalued(self.config.budget.targets, None):
            return None
        return stored_best(read_study(self._database, self.config.name))

    def _first_answer(self) -> dict[str, Any]:
        """Return the settings that the bracket's verification depends on."""
        return {"targets": list(self.config.budget.targets), "seeds": self.config.budget.verification_seeds}

    def _bracket(self) -> list[Architecture] | None:
        """Return the architectures of ladder and bracket; None before the ladder has ended, and without a search."""
        space = self.config.space.search_space()
        ladder = space.ladder()
        found = self.history.accuracies(ladder)
        if self.config.space.architectures is not None or len(found) < len(ladder):
            return None
        known = {widths: accuracy for widths, accuracy in found.items() if accuracy is not None}
        budget = self.config.budget
        targets = [target.accuracy for target in valued(budget.targets, None)]
        around = bracket(known, targets, space, deeper=budget.goal == "answer")
        return [*ladder, *(widths for widths in around if widths not in ladder)]

    def _untried(self) -> list[Architecture]:
        """Return the bracket's architectures that have no trial yet."""
        return [widths for widths in self._bracket() or () if widths not in self.history.tried]

    def _return_orphans(self) -> None:
        """Let the trials of dead workers wait."""
        orphans = self._leases.adopt(self._leases.orphans(self._study_id))
        self._storage.return_trials(sorted(orphans), leases=self._leases)

    def _verifiers_trial(self) -> list[int]:
        """Return the id of the first trial that ended, in a list, or an empty list. Its lease names the verifier."""
        return sorted(self.history.ended)[:1]

    def _adopted(self) -> list[int]:
        """Take over the trials of one cohort from a dead worker."""
        if not self.others_train() or time.monotonic() - self._looked_at < LOOK_SECONDS:
            return []
        self._looked_at = time.monotonic()
        ids = set(self._leases.orphans(self._study_id))
        orphans = [trial for trial in self.history.unfinished if trial.trial_id in ids]
        # A worker killed between taking trials and describing them leaves a cohort that has no number yet.
        unnumbered = min((trial.number for trial in orphans if trial.cohort is None), default=0)
        cohorts = {trial.trial_id: unnumbered if trial.cohort is None else trial.cohort for trial in orphans}
        first = min(cohorts.values(), default=None)
        return sorted(self._leases.adopt(trial_id for trial_id, cohort in cohorts.items() if cohort == first))

    def _create_trials(self, n: int, beyond_bracket: bool) -> list[Ticket]:
        """Create running trials in a transaction that excludes other creators, so that no two propose the same."""
        networks: list[Network] = []
        space = self.config.space.search_space()

        def templates(connection: Connection, n_trials: int) -> list[FrozenTrial]:
            self._require_there(connection)
            if n_trials != self.history.n_trials:
                self.history.refresh(connection)
                self.history.n_trials = n_trials  # Lower where somebody has deleted the last ones.
            networks[:] = self._proposed(self._stopping.n_new(n), beyond_bracket)
            return [
                template_of(network, space, {"cohort": n_trials, **facts_of(network, self.data)})
                for network in networks
            ]

        ids = self._storage.create_trials(self._study_id, templates, leases=self._leases)
        first = self.history.n_trials
        return [
            Ticket(trial_id, first + i, network, first)
            for i, (trial_id, network) in enumerate(zip(ids, networks, strict=True))
        ]

    def _proposed(self, n: int, beyond_bracket: bool) -> list[Network]:
        """Propose the networks of the next trials, at most `n`: the rest of the bracket first, by itself."""
        history, seed = self.history, self.config.seed
        rng = proposal_generator(seed, history.n_trials)
        space = self.config.space.search_space()
        proposals = self._untried()[:n]
        if not proposals and beyond_bracket:
            proposals = propose(space, history.architectures(), history.tried, n, rng)
        return [network_of(widths, number, seed) for number, widths in enumerate(proposals, history.n_trials)]

    def _tickets(self, trial_ids: Sequence[int]) -> list[Ticket]:
        """Make tickets of taken trials. Invalid requests fail; if an error interrupts this, all trials wait again."""
        try:
            return self._described(set(trial_ids))
        except Exception:  # After a KeyboardInterrupt a transaction may be open; leaving frees the trials.
            self._storage.return_trials(trial_ids, leases=self._leases)
            raise

    def _described(self, taken: set[int]) -> list[Ticket]:
        """Make tickets of taken trials, and store the facts known before training in one transaction."""
        if not taken <= {trial.trial_id for trial in self.history.unfinished}:
            self.history.refresh()  # Somebody has just enqueued them.
        mine = [trial for trial in self.history.unfinished if trial.trial_id in taken]
        requests = self._storage.requests([trial.trial_id for trial in mine])
        found = [(trial, self._requested(trial.trial_id, requests[trial.trial_id])) for trial in mine]
        self._refuse({trial.trial_id: reason for trial, reason in found if isinstance(reason, str)})
        good = [(trial, widths) for trial, widths in found if not isinstance(widths, str)]
        cohort = next((trial.number if trial.cohort is None else trial.cohort for trial, _ in good), 0)
        tickets = [self._ticket(trial, widths, cohort) for trial, widths in good]
        facts = {ticket.trial_id: {"cohort": cohort, **facts_of(ticket.network, self.data)} for ticket in tickets}
        lost = self._storage.set_attributes(facts, leases=self._leases)
        return [ticket for ticket in tickets if ticket.trial_id not in lost]

    def _ticket(self, trial: TrialRecord, widths: Architecture, cohort: int) -> Ticket:
        network = network_of(widths, trial.number, self.config.seed)
        return Ticket(trial.trial_id, trial.number, network, cohort)

    def _refuse(self, reasons: Mapping[int, str]) -> None:
        """Let trials with invalid requests fail, each with its reason."""
        failed = [FinishedTrial(key, TrialState.FAIL, None, {"reason": reason}) for key, reason in reasons.items()]
        self._storage.finish_trials(failed, leases=self._leases)

    def _requested(self, trial_id: int, request: Request) -> Architecture | str:
        """Read the architecture that a trial asks for, or the reason why it has none, from its parameters alone.

        A trial enqueued through Optuna may fix only some parameters. The sampler then suggests the others.
        """
        space = self.config.space.search_space()
        asked = requested_architecture({**request.fixed, **request.parameters}, space)
        if isinstance(asked, str) or is_whole(request.parameters):
            return asked
        try:
            return requested_architecture(self._suggested(trial_id), space)
        except (ValueError, KeyError) as error:
            if isinstance(error, FewestError):
                raise
            return f"Optuna must be able to suggest its parameters, but says: {error}"

    def _suggested(self, trial_id: int) -> dict[str, Any]:
        """Suggest all parameters of a trial, and return them."""
        self.optuna.get_trials(deepcopy=False)  # Optuna's cache must know the trial.
        asked = optuna.Trial(self.optuna, trial_id)
        space = self.config.space.search_space()
        for layer in range(1, asked.suggest_int("depth", 0, space.max_depth) + 1):
            asked.suggest_int(width_name(layer), space.min_width, space.max_width, log=True)
        return dict(asked.params)
