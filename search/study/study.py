"""A study in the storage: created or continued, its trials asked for and told.

It is an ordinary Optuna study with two named objectives, and all there is to know about it lives in the
storage, so any process may take it up where another left it. Trials that train together form a cohort. When a
run is interrupted, its cohort's unfinished trials go back to waiting, and the next run takes up exactly those
before it asks for new ones: it then asks for the same architectures, from the same knowledge, as if nothing
had happened.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Self

import optuna
from optuna.trial import FrozenTrial
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.search.answers.front import levelled_off
from fewest.search.data.samples import SearchData
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import finished_mark
from fewest.search.settings.space import (
    Architecture,
    Network,
    architecture_of,
    n_neurons,
    n_parameters,
    width_name,
)
from fewest.search.study.history import Past
from fewest.search.study.sampler import FrontSampler, generator, propose
from fewest.search.study.ticket import Ticket, facts_of, finished_trial, network_of, template_of
from fewest.search.training.checkpoints import CohortCheckpoints
from fewest.search.training.outcome import Outcome
from fewest.search.training.trial import FrontTrial, Judge
from fewest.storage.files.places import Place
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import write_curves
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import CurvePoint, TrialRecord

__all__ = ["OpenStudy"]

LOOK_SECONDS = 1.0
"""How often a worker looks, at most, whose trials were left behind: that takes a transaction of its own."""


class OpenStudy:
    """A study open for work: gives out trials, takes what became of them.

    Attributes:
        config: Its settings.
        optuna: The Optuna study.
        study_id: The storage's key.
        n_told: How many trials this worker has trained and told.
        past: Its trials, as last looked at.
        n_validation: Samples that accuracies are measured on.
    """

    def __init__(
        self,
        storage: CohortStorage,
        study: optuna.Study,
        config: StudyConfig,
        data: SearchData,
        checkpoints: Place,
    ) -> None:
        self.config = config
        self.optuna = study
        self.optuna.sampler = FrontSampler(config.space.search_space(), config.seed)
        self.study_id = study._study_id
        self.n_told = 0
        self._storage = storage
        self.n_validation = len(data.y_validation)
        self._data = data
        self._checkpoints = checkpoints
        self._looked_at = float("-inf")
        self._leases = Leases(storage.engine)
        self.past = Past(storage.engine, self.study_id, config.space.size, self.size)

    def __enter__(self) -> Self:
        """Starts the heartbeat that keeps other workers from this one's trials."""
        self._leases.start_heartbeat()
        return self

    def __exit__(self, *_: object) -> None:
        """Gives up what is still held, for others or the next run to take up at once, and closes the storage."""
        self._leases.stop()
        self._storage.remove_session()
        self.database.dispose()

    @property
    def database(self) -> Database:
        """The engine of the database that holds the study."""
        return self._storage.engine

    def size(self, architecture: Architecture) -> int:
        """What the study minimizes."""
        if self.config.space.size == "neurons":
            return n_neurons(architecture)
        return n_parameters(architecture, self._data.n_features, self._data.n_classes)

    def levelled_off(self) -> bool:
        """Whether the search has stopped improving the front, by the trials that `past` has."""
        patience, space, n_ended = self.config.budget.patience, self.config.space, len(self.past.ended)
        if patience is None or n_ended <= patience or space.architectures is not None:
            return False
        largest = self.size((space.max_width,) * space.max_depth)
        return levelled_off(self.past.front_before(n_ended - patience), self.past.front, max_size=largest)

    def ask(self, n: int, *, new: bool = True) -> list[Ticket]:
        """The next cohort: what a killed run left, else what an interrupted one left or was enqueued, else new trials.

        Args:
            n: Most trials to give out.
            new: Whether there may be new ones.

        Returns:
            Running trials; empty when all the trials of the budget are given out.
        """
        while True:
            self.past.refresh()
            waiting = [trial.cohort for trial in self.past.unfinished if trial.state == "waiting"]
            if taken := self._adopted():
                return self._tickets(taken)
            if waiting:
                n_first = min(n, waiting.count(waiting[0]))
                tickets = self._tickets(self._storage.claim_waiting(self.study_id, n_first, leases=self._leases))
            elif new and self._n_new(n) > 0:
                tickets = self._create(n)
            else:
                return []
            if tickets:  # Else another worker was faster, and there is something new to know.
                return tickets

    def others_train(self) -> bool:
        """Whether another worker still trains trials of this study."""
        self.past.refresh()
        return self._others_train()

    def write_curves(self, points: Mapping[int, Sequence[CurvePoint]]) -> frozenset[int]:
        """Writes epochs of several trials, by trial id, in one transaction.

        Returns:
            The trials that were not written because another worker has taken them over.
        """
        return write_curves(self.database, points, fences=self._leases.fences())

    def trial(self, ticket: Ticket, judge: Judge) -> FrontTrial:
        """A ticket's trial in the shape that Keras's pruning callback wants."""
        return FrontTrial(self.optuna, ticket.trial_id, judge)

    def tell(self, tickets: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
        """Writes down what became of a cohort's trials, in one transaction; not of those that another has taken."""
        ended = [finished_trial(ticket, outcome) for ticket, outcome in zip(tickets, outcomes, strict=True)]
        refused = self._storage.finish_trials(ended, leases=self._leases)
        self.n_told += len(tickets) - len(refused)

    def checkpoints(self, tickets: Sequence[Ticket]) -> CohortCheckpoints:
        """Where the checkpoints of a cohort are kept."""
        key, trial_ids = f"cohort-{tickets[0].cohort}", [ticket.trial_id for ticket in tickets]
        return self._checkpoints_under(key, trial_ids, [ticket.network for ticket in tickets])

    def verification_checkpoints(self, networks: Sequence[Network]) -> CohortCheckpoints:
        """Where those of a cohort in verification are kept."""
        return self._checkpoints_under("verification", self._verifiers_trial(), networks)

    def _checkpoints_under(self, key: str, trial_ids: Sequence[int], networks: Sequence[Network]) -> CohortCheckpoints:
        """Under a key of this study, of whoever holds the leases of some trials."""
        fences = self._leases.fences()
        fence = max((fences.get(trial_id, 0) for trial_id in trial_ids), default=0)
        return CohortCheckpoints(self._checkpoints, f"study-{self.study_id}-{key}", networks, fence)

    def finish(self) -> None:
        """Writes down that the budget is spent: who runs the study again needs to train nothing."""
        self.past.refresh()
        n_waiting = sum(trial.state == "waiting" for trial in self.past.unfinished)
        self.optuna.set_user_attr("finished", finished_mark(self.config.budget, n_waiting))

    def may_verify(self) -> bool:
        """Whether this worker is the one that verifies: it holds, or could take, the lease of the first ended trial.

        Whoever verifies keeps it until the study is closed; of a worker that is gone another takes it over.
        """
        self.past.refresh()
        return all(map(self._leases.claim, self._verifiers_trial()))

    def _verifiers_trial(self) -> list[int]:
        """The trial whose lease says who verifies, if any has ended yet."""
        return sorted(self.past.ended)[:1]

    def return_orphans(self) -> None:
        """Lets the trials of workers that are gone wait."""
        orphans = self._leases.adopt(self._leases.orphans(self.study_id))
        self._storage.return_trials(sorted(orphans), leases=self._leases)

    def release(self, tickets: Sequence[Ticket]) -> None:
        """Gives trials back unfinished: they wait, and the next `ask` returns them."""
        self._storage.return_trials([ticket.trial_id for ticket in tickets], leases=self._leases)

    def _adopted(self) -> list[int]:
        """The trials of one cohort whose worker is gone, now this one's."""
        if not self._others_train() or time.monotonic() - self._looked_at < LOOK_SECONDS:
            return []
        self._looked_at = time.monotonic()
        ids = set(self._leases.orphans(self.study_id))
        orphans = [trial for trial in self.past.unfinished if trial.trial_id in ids]
        # A worker killed between taking trials and describing them leaves a cohort that has no number yet.
        unnumbered = min((trial.number for trial in orphans if trial.cohort is None), default=0)
        cohorts = {trial.trial_id: unnumbered if trial.cohort is None else trial.cohort for trial in orphans}
        first = min(cohorts.values(), default=None)
        return sorted(self._leases.adopt(trial_id for trial_id, cohort in cohorts.items() if cohort == first))

    def _others_train(self) -> bool:
        held = self._leases.held()
        return any(trial.state == "running" and trial.trial_id not in held for trial in self.past.unfinished)

    def _n_new(self, n: int) -> int:
        """How many of `n` new trials there may be."""
        # A study at most doubles with a cohort, so that sampler and pruning rule soon have something to go by.
        return max(0, min(n, self.past.n_trials, self.config.n_trials - self.past.n_trials))

    def _create(self, n: int) -> list[Ticket]:
        """New running trials, proposed while no other worker can create any, so that no two propose alike."""
        networks: list[Network] = []
        space = self.config.space.search_space()

        def templates(connection: Connection, n_trials: int) -> list[FrozenTrial]:
            if n_trials != self.past.n_trials:
                self.past.refresh(connection)
            networks[:] = self._proposed(self._n_new(n))
            return [
                template_of(network, space, {"cohort": n_trials, **facts_of(network, self._data)})
                for network in networks
            ]

        ids = self._storage.create_trials(self.study_id, templates, leases=self._leases)
        first = self.past.n_trials
        return [
            Ticket(trial_id, first + i, network, self.size(network.architecture), first)
            for i, (trial_id, network) in enumerate(zip(ids, networks, strict=True))
        ]

    def _proposed(self, n: int) -> list[Network]:
        """The networks of the next `n` trials."""
        past, seed = self.past, self.config.seed
        rng = generator(seed, past.n_trials)
        proposals = propose(self.config.space.search_space(), past.architectures(), past.tried, n, rng)
        return [network_of(widths, number, seed) for number, widths in enumerate(proposals, past.n_trials)]

    def _tickets(self, trial_ids: Sequence[int]) -> list[Ticket]:
        """Trials taken with their networks; what is known before training is written down in one transaction."""
        self.past.refresh()
        taken = set(trial_ids)
        mine = [trial for trial in self.past.unfinished if trial.trial_id in taken]
        cohort = next((trial.number if trial.cohort is None else trial.cohort for trial in mine), 0)
        tickets = [self._ticket(trial, cohort) for trial in mine]
        self._storage.set_attributes(
            {ticket.trial_id: {"cohort": cohort, **facts_of(ticket.network, self._data)} for ticket in tickets}
        )
        return tickets

    def _ticket(self, trial: TrialRecord, cohort: int) -> Ticket:
        widths = self._suggested(trial.trial_id) if trial.widths is None else trial.widths
        network = network_of(widths, trial.number, self.config.seed)
        return Ticket(trial.trial_id, trial.number, network, self.size(widths), cohort)

    def _suggested(self, trial_id: int) -> Architecture:
        """The architecture of a trial that somebody enqueued through Optuna, which may have fixed some of it."""
        self.optuna.get_trials(deepcopy=False)  # So that Optuna's cache has met it.
        asked = optuna.Trial(self.optuna, trial_id)
        space = self.config.space.search_space()
        for layer in range(1, asked.suggest_int("depth", 0, space.max_depth) + 1):
            asked.suggest_int(width_name(layer), space.min_width, space.max_width, log=True)
        return architecture_of(asked.params)
