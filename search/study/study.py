"""A study in the storage: created or continued, its trials asked for and told.

It is an ordinary Optuna study with two named objectives, and all there is to know about it lives in the
storage, so any process may take it up where another left it. Trials that train together form a cohort. When a
run is interrupted, its cohort's unfinished trials go back to waiting, and the next run takes up exactly those
before it asks for new ones: it then asks for the same architectures, from the same knowledge, as if nothing
had happened.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.search.answers.front import levelled_off
from fewest.search.data.samples import SearchData
from fewest.search.settings.config import StudyConfig, continued, finished_mark, stored_config
from fewest.search.settings.space import (
    Architecture,
    Network,
    SearchSpace,
    architecture_of,
    n_neurons,
    n_parameters,
    parameters_of,
    width_name,
)
from fewest.search.study.environment import environment
from fewest.search.study.history import Past
from fewest.search.study.sampler import FrontSampler, distributions, generator, propose
from fewest.search.training.checkpoints import CohortCheckpoints
from fewest.search.training.outcome import Outcome
from fewest.search.training.trial import FrontTrial, Judge
from fewest.storage.errors import MisuseError
from fewest.storage.files.places import Place, place_for
from fewest.storage.trials.cohort_storage import CohortStorage, FinishedTrial
from fewest.storage.trials.curves import write_curves
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.records import CurvePoint, TrialRecord

__all__ = ["OpenStudy", "Ticket", "open_study"]

ACCURACY = "validation_accuracy"
"""Name of the second objective; the first is `neurons` or `parameters`."""

LOOK_SECONDS = 1.0
"""How often a worker looks, at most, whose trials were left behind: that takes a transaction of its own."""

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
"""Optuna's state for each outcome of a network."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A running trial and the network it stands for.

    Attributes:
        trial_id: The storage's key.
        number: Counted from 0 within the study.
        network: Its architecture and seed.
        size: What the study minimizes: its neurons or its parameters.
        cohort: Number of the first trial of those that train together.
    """

    trial_id: int
    number: int
    network: Network
    size: int
    cohort: int


def open_study(
    storage: CohortStorage,
    config: StudyConfig,
    data: SearchData,
    n_test: int = 0,
    checkpoints: Place | None = None,
) -> "OpenStudy":
    """Creates a study, or continues the one of that name.

    Args:
        storage: Where it lives.
        config: Its settings. A budget larger than the stored one extends it.
        data: What it trains on.
        n_test: Samples in the sealed test set, for the record.
        checkpoints: Where they are kept, if not in the storage's usual place.

    Raises:
        MisuseError: There is a study of that name with other settings, other data, or that is not ours.
    """
    if config.name not in {study.study_name for study in storage.get_all_studies()}:
        # Another process may be faster, and the study is then that one's.
        with suppress(optuna.exceptions.DuplicatedStudyError):
            _create(storage, config, data, n_test)
    study = optuna.load_study(storage=storage, study_name=config.name)
    config = continued(stored_config(config.name, study.user_attrs), config)
    _check_and_extend(study, config, data)
    return OpenStudy(storage, study, config, data, checkpoints or place_for(storage.url, "checkpoints"))


def _create(storage: CohortStorage, config: StudyConfig, data: SearchData, n_test: int) -> None:
    """Makes a study with its first trials: the ladder, or the architectures the settings list."""
    space = config.space.search_space()
    first = space.ladder() if config.space.architectures is None else config.space.architectures
    networks = [_network(widths, number, config.seed) for number, widths in enumerate(first[: config.n_trials])]
    storage.create_whole_study(
        config.name,
        [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE],
        [_template(network, space, _facts(network, data), TrialState.WAITING) for network in networks],
        attributes={
            "data": _description(data, n_test),
            "environment": environment(),
            "settings": config.settings(),
        },
        metric_names=[config.space.size, ACCURACY],
    )


def _check_and_extend(study: optuna.Study, config: StudyConfig, data: SearchData) -> None:
    before = study.user_attrs["data"]["fingerprint"]
    if before != data.fingerprint:
        raise MisuseError(
            f"Study '{config.name}' was made on other data: fingerprint {before[:12]}, got {data.fingerprint[:12]}. "
            "Use `--name` for a new study."
        )
    if study.user_attrs["settings"] != config.settings():
        study.set_user_attr("settings", config.settings())


def _description(data: SearchData, n_test: int) -> dict[str, Any]:
    return {
        "name": data.name,
        "n_classes": data.n_classes,
        "input_shape": list(data.input_shape),
        "n_training": len(data.y_train),
        "n_validation": len(data.y_validation),
        "n_test": n_test,
        "fingerprint": data.fingerprint,
    }


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
        ended = [_finished(ticket, outcome) for ticket, outcome in zip(tickets, outcomes, strict=True)]
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
                _template(network, space, {"cohort": n_trials, **_facts(network, self._data)}) for network in networks
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
        return [_network(widths, number, seed) for number, widths in enumerate(proposals, past.n_trials)]

    def _tickets(self, trial_ids: Sequence[int]) -> list[Ticket]:
        """Trials taken with their networks; what is known before training is written down in one transaction."""
        self.past.refresh()
        taken = set(trial_ids)
        mine = [trial for trial in self.past.unfinished if trial.trial_id in taken]
        cohort = next((trial.number if trial.cohort is None else trial.cohort for trial in mine), 0)
        tickets = [self._ticket(trial, cohort) for trial in mine]
        self._storage.set_attributes(
            {ticket.trial_id: {"cohort": cohort, **_facts(ticket.network, self._data)} for ticket in tickets}
        )
        return tickets

    def _ticket(self, trial: TrialRecord, cohort: int) -> Ticket:
        widths = self._suggested(trial.trial_id) if trial.widths is None else trial.widths
        network = _network(widths, trial.number, self.config.seed)
        return Ticket(trial.trial_id, trial.number, network, self.size(widths), cohort)

    def _suggested(self, trial_id: int) -> Architecture:
        """The architecture of a trial that somebody enqueued through Optuna, which may have fixed some of it."""
        self.optuna.get_trials(deepcopy=False)  # So that Optuna's cache has met it.
        asked = optuna.Trial(self.optuna, trial_id)
        space = self.config.space.search_space()
        for layer in range(1, asked.suggest_int("depth", 0, space.max_depth) + 1):
            asked.suggest_int(width_name(layer), space.min_width, space.max_width, log=True)
        return architecture_of(asked.params)


def _network(architecture: Architecture, number: int, seed: int) -> Network:
    """The network of a trial, in a study of a seed."""
    return Network(architecture, int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) >> 1)


def _facts(network: Network, data: SearchData) -> dict[str, Any]:
    """What is known of a network before it is trained."""
    return {
        "widths": list(network.architecture),
        "neurons": n_neurons(network.architecture),
        "parameters": n_parameters(network.architecture, data.n_features, data.n_classes),
        "seed": network.seed,
    }


def _template(
    network: Network, space: SearchSpace, attributes: dict[str, Any], state: TrialState = TrialState.RUNNING
) -> FrozenTrial:
    params, dimensions = parameters_of(network.architecture), distributions(space)
    used = {name: dimensions[name] for name in params}
    return create_trial(state=state, params=params, distributions=used, user_attrs=attributes)


def _finished(ticket: Ticket, outcome: Outcome) -> FinishedTrial:
    facts: dict[str, Any] = {
        "epochs": len(outcome.curve),
        "best_epoch": outcome.best_epoch,
        "seconds": round(outcome.seconds, 4),
    }
    if outcome.reason is not None:
        facts["reason"] = outcome.reason
    complete = outcome.state == "complete"
    values = [float(ticket.size), outcome.validation_accuracy] if complete else None
    return FinishedTrial(ticket.trial_id, STATES[outcome.state], values, facts)
