"""Tickets: running trials with their networks, and their form in Optuna."""

from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from fewest.search.data.samples import SearchData
from fewest.search.settings.seeds import trial_seed
from fewest.search.settings.space import (
    Architecture,
    Network,
    SearchSpace,
    n_neurons,
    parameters_of,
)
from fewest.search.study.sampler import distributions
from fewest.search.training.outcome import Outcome
from fewest.storage.trials.finished_trials import FinishedTrial

__all__ = ["Ticket", "facts_of", "finished_trial", "network_of", "template_of"]

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
"""Optuna's state for each outcome of a network."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A running trial and the network it stands for.

    Attributes:
        trial_id: Key of the trial in the storage.
        number: Number of the trial, counted from 0 within the study.
        network: Architecture and seed of the network.
        cohort: Number of the cohort: that of its first trial.
    """

    trial_id: int
    number: int
    network: Network
    cohort: int

    @property
    def size(self) -> int:
        """Hidden neurons of the network."""
        return n_neurons(self.network.architecture)


def network_of(architecture: Architecture, number: int, seed: int) -> Network:
    """Return the network of trial `number` in a study with this seed."""
    return Network(architecture, trial_seed(seed, number))


def facts_of(network: Network, data: SearchData) -> dict[str, Any]:
    """Return the attributes of a trial that are known before its network is trained."""
    return {
        "widths": list(network.architecture),
        "neurons": n_neurons(network.architecture),
        "parameters": data.n_parameters(network.architecture),
        "seed": network.seed,
    }


def template_of(
    network: Network, space: SearchSpace, attributes: dict[str, Any], state: TrialState = TrialState.RUNNING
) -> FrozenTrial:
    """Return the trial for Optuna to create for a network."""
    params, dimensions = parameters_of(network.architecture), distributions(space)
    used = {name: dimensions[name] for name in params}
    return create_trial(state=state, params=params, distributions=used, user_attrs=attributes)


def finished_trial(ticket: Ticket, outcome: Outcome, worker: str) -> FinishedTrial:
    """Return the record to store when the network of a trial has ended, by the worker of that id."""
    facts: dict[str, Any] = {
        "worker": worker,
        "epochs": len(outcome.curve),
        "best_epoch": outcome.best_epoch,
        "seconds": round(outcome.seconds, 4),
    }
    if outcome.reason is not None:
        facts["reason"] = outcome.reason
    complete = outcome.state == "complete"
    values = [float(ticket.size), outcome.validation_accuracy] if complete else None
    return FinishedTrial(ticket.trial_id, STATES[outcome.state], values, facts)
