"""A running trial and its network, and how both stand in Optuna."""

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
    n_parameters,
    parameters_of,
)
from fewest.search.study.sampler import distributions
from fewest.search.training.outcome import Outcome
from fewest.storage.trials.cohort_storage import FinishedTrial

__all__ = ["Ticket", "facts_of", "finished_trial", "network_of", "template_of"]

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


def network_of(architecture: Architecture, number: int, seed: int) -> Network:
    """The network of a trial, in a study of a seed."""
    return Network(architecture, trial_seed(seed, number))


def facts_of(network: Network, data: SearchData) -> dict[str, Any]:
    """What is known of a network before it is trained."""
    return {
        "widths": list(network.architecture),
        "neurons": n_neurons(network.architecture),
        "parameters": n_parameters(network.architecture, data.n_features, data.n_classes),
        "seed": network.seed,
    }


def template_of(
    network: Network, space: SearchSpace, attributes: dict[str, Any], state: TrialState = TrialState.RUNNING
) -> FrozenTrial:
    """What Optuna is to create for a network that has no trial yet."""
    params, dimensions = parameters_of(network.architecture), distributions(space)
    used = {name: dimensions[name] for name in params}
    return create_trial(state=state, params=params, distributions=used, user_attrs=attributes)


def finished_trial(ticket: Ticket, outcome: Outcome) -> FinishedTrial:
    """What to store of a trial whose network has ended."""
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
