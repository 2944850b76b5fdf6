"""A study in the storage: created or continued, its trials asked for and told.

It is an ordinary Optuna study with two named objectives, and all there is to know about it lives in the storage, so any
process may take it up where another left it. Trials that train together form a cohort. When a run is interrupted, its
cohort's unfinished trials go back to waiting, and the next run takes up exactly those before it asks for new ones: it then
asks for the same architectures, from the same knowledge, as if nothing had happened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Engine as Database

from search.config import StudyConfig, continued, stored_config
from search.data import SearchData
from search.outcome import Outcome
from search.sampler import FrontSampler
from search.space import Architecture, Network, n_neurons, n_parameters, parameters_of, width_name
from search.trial import FrontTrial, Judge
from storage.errors import MisuseError

__all__ = ["OpenStudy", "Ticket", "open_study"]

ACCURACY = "validation_accuracy"
"""Name of the second objective; the first is `neurons` or `parameters`."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A running trial and the network it stands for.

    Attributes:
        trial_id: The storage's key.
        number: Counted from 0 within the study.
        network: Its architecture and seed.
        size: What the study minimizes: its neurons or its parameters.
    """

    trial_id: int
    number: int
    network: Network
    size: int


def open_study(storage: RDBStorage, config: StudyConfig, data: SearchData) -> "OpenStudy":
    """Creates a study, or continues the one of that name.

    Args:
        storage: Where it lives.
        config: Its settings. A budget larger than the stored one extends it.
        data: What it trains on.

    Raises:
        MisuseError: There is a study of that name with other settings, other data, or that is not ours.
    """
    known = {name: study_id for study_id, name in _names(storage).items()}
    if config.name not in known:
        return _create(storage, config, data)
    stored = stored_config(config.name, storage.get_study_user_attrs(known[config.name]))
    return _continue(storage, continued(stored, config), data)


def _names(storage: RDBStorage) -> dict[int, str]:
    return {study._study_id: study.study_name for study in storage.get_all_studies()}


def _create(storage: RDBStorage, config: StudyConfig, data: SearchData) -> "OpenStudy":
    study = optuna.create_study(
        storage=storage,
        study_name=config.name,
        directions=["minimize", "maximize"],
        sampler=FrontSampler(config.space.search_space(), config.seed),
    )
    study.set_metric_names([config.space.size, ACCURACY])
    opened = OpenStudy(storage, study, config, data)
    for architecture in opened.first_architectures():
        study.enqueue_trial(parameters_of(architecture))
    study.set_user_attr("data", _description(data))
    study.set_user_attr("settings", config.settings())
    return opened


def _continue(storage: RDBStorage, config: StudyConfig, data: SearchData) -> "OpenStudy":
    sampler = FrontSampler(config.space.search_space(), config.seed)
    study = optuna.load_study(storage=storage, study_name=config.name, sampler=sampler)
    before = study.user_attrs["data"]["fingerprint"]
    if before != data.fingerprint:
        raise MisuseError(
            f"Study '{config.name}' was made on other data: fingerprint {before[:12]}, got {data.fingerprint[:12]}. "
            "Use `--name` for a new study."
        )
    if study.user_attrs["settings"] != config.settings():
        study.set_user_attr("settings", config.settings())
    return OpenStudy(storage, study, config, data)


def _description(data: SearchData) -> dict[str, Any]:
    return {
        "name": data.name,
        "n_classes": data.n_classes,
        "input_shape": list(data.input_shape),
        "n_train": len(data.y_train),
        "n_validation": len(data.y_validation),
        "fingerprint": data.fingerprint,
    }


class OpenStudy:
    """A study open for work: gives out trials, takes what became of them.

    Attributes:
        config: Its settings.
        optuna: The Optuna study.
        study_id: The storage's key.
    """

    def __init__(self, storage: RDBStorage, study: optuna.Study, config: StudyConfig, data: SearchData) -> None:
        self.config = config
        self.optuna = study
        self.study_id = study._study_id
        self._storage = storage
        self._n_features, self._n_classes = data.n_features, data.n_classes

    @property
    def database(self) -> Database:
        """The engine of the database that holds the study."""
        return self._storage.engine

    def first_architectures(self) -> list[Architecture]:
        """What is enqueued when the study is made: the ladder, or the architectures the settings list."""
        fixed = self.config.space.architectures
        first = self.config.space.search_space().ladder() if fixed is None else list(fixed)
        return first[: self.config.n_trials]

    def size(self, architecture: Architecture) -> int:
        """What the study minimizes."""
        if self.config.space.size == "neurons":
            return n_neurons(architecture)
        return n_parameters(architecture, self._n_features, self._n_classes)

    def ask(self, n: int) -> list[Ticket]:
        """The next cohort: what an interrupted run left, else what is enqueued, else up to `n` new trials.

        Returns:
            Running trials; empty when the trials of the budget are all given out.
        """
        begun = self._begun()
        if begun:
            return [self._ticket(self._running(trial)) for trial in begun]
        known = self.optuna.get_trials(deepcopy=False)
        n_enqueued = sum(trial.state is TrialState.WAITING for trial in known)
        n_left = self.config.n_trials - len(known) + n_enqueued
        asked = [self.optuna.ask() for _ in range(min(n_enqueued or n, n_left))]
        return [self._ticket(trial, cohort=asked[0].number) for trial in asked]

    def trial(self, ticket: Ticket, judge: Judge) -> FrontTrial:
        """A ticket's trial in the shape that Keras's pruning callback wants."""
        return FrontTrial(self.optuna, ticket.trial_id, judge)

    def tell(self, ticket: Ticket, outcome: Outcome) -> None:
        """Writes down what became of a trial."""
        facts: dict[str, Any] = {
            "epochs": len(outcome.curve),
            "best_epoch": outcome.best_epoch,
            "seconds": round(outcome.seconds, 4),
        }
        if outcome.reason is not None:
            facts["reason"] = outcome.reason
        for key, value in facts.items():
            self._storage.set_trial_user_attr(ticket.trial_id, key, value)
        if outcome.state == "complete":
            self.optuna.tell(ticket.number, [float(ticket.size), outcome.validation_accuracy])
        else:
            self.optuna.tell(
                ticket.number, state=TrialState.PRUNED if outcome.state == "pruned" else TrialState.FAIL
            )

    def release(self, tickets: Sequence[Ticket]) -> None:
        """Gives trials back unfinished: the next `ask` returns them."""
        for ticket in tickets:
            self._storage.set_trial_state_values(ticket.trial_id, TrialState.WAITING)

    def _begun(self) -> list[FrozenTrial]:
        """The unfinished trials of the earliest cohort that some run began."""
        unfinished = self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
        cohorts = {
            trial: trial.user_attrs.get("cohort", trial.number)
            for trial in unfinished
            if "cohort" in trial.user_attrs or trial.state is TrialState.RUNNING
        }
        return [trial for trial, cohort in cohorts.items() if cohort == min(cohorts.values())]

    def _running(self, trial: FrozenTrial) -> optuna.Trial:
        if trial.state is TrialState.WAITING:
            self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        return optuna.Trial(self.optuna, trial._trial_id)

    def _ticket(self, trial: optuna.Trial, cohort: int | None = None) -> Ticket:
        """Settles a running trial's architecture and writes down what is known of it before it trains."""
        space = self.config.space.search_space()
        depth = trial.suggest_int("depth", 0, space.max_depth)
        architecture = tuple(
            trial.suggest_int(width_name(layer), space.min_width, space.max_width, log=True)
            for layer in range(1, depth + 1)
        )
        network = Network(architecture, self._seed(trial.number))
        facts = {
            "cohort": cohort,
            "widths": list(architecture),
            "neurons": n_neurons(architecture),
            "parameters": n_parameters(architecture, self._n_features, self._n_classes),
            "seed": network.seed,
        }
        for key, value in facts.items():
            if value is not None and trial.user_attrs.get(key) != value:
                trial.set_user_attr(key, value)
        return Ticket(trial._trial_id, trial.number, network, self.size(architecture))

    def _seed(self, number: int) -> int:
        """A trial's seed: no two trials of a study share one."""
        return int(np.random.SeedSequence([self.config.seed, number]).generate_state(1)[0]) >> 1
