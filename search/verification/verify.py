"""Candidates retrained from many seeds and scored, once each, on the sealed test set.

Which candidates and how many seeds is `allocation`'s business, what the scores mean is `answers`'; here networks
are trained. A cohort's scores are written in one transaction, and what to train next follows from what is written,
so a verification that was interrupted goes on from there, and its cohort from its checkpoint.

An architecture's networks have different initial weights. With a constant learning rate, networks that also share
the order of their training samples end up alike, so there each has an order of its own. A schedule that ends at zero
averages the order out (both measured: `docs/measurements/verification.md`), and then all share one, since networks that
train together must.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from fewest.search.answers.results import collect
from fewest.search.data.samples import SealedTest, SearchData
from fewest.search.keeper import Keeper
from fewest.search.listener import Listener, Progress
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.space import Architecture, Network
from fewest.search.study.history import finished_curves
from fewest.search.study.pruning import expected_final
from fewest.search.study.study import OpenStudy
from fewest.search.training.checkpoints import CohortCheckpoints
from fewest.search.training.engines import ENGINES
from fewest.search.training.interface import Bystander
from fewest.search.training.outcome import EpochMetrics, Outcome
from fewest.search.training.population.cohort import evaluate
from fewest.search.training.snapshot import Snapshot
from fewest.search.verification.allocation import Rule, candidates, next_seeds
from fewest.search.watch import save_or_stop, wait
from fewest.storage.errors import MisuseError
from fewest.storage.trials.curves import read_curves
from fewest.storage.trials.records import VerifiedNetwork
from fewest.storage.trials.results import read_results, write_results
from fewest.storage.trials.studies import read_trials

__all__ = ["batch_seed", "batch_seed_of", "network_seed", "verify"]

Results = dict[Architecture, list[float]]

_MOST_SEEDS = 10_000
"""That an architecture may be expected to have been trained from."""


def verify(
    study: OpenStudy, data: SearchData, sealed: SealedTest, listener: Listener, keeper: Keeper | None = None
) -> None:
    """Trains and scores networks until every target of the study is settled, or as many seeds as allowed are spent.

    One worker does so; all others wait for it, and take over if it is gone.

    Args:
        study: Whose front is verified, by its own engine and protocol.
        data: What the search trained on.
        sealed: Opened only to score networks whose training is over.
        listener: Who follows.
        keeper: Keeps the best network of each architecture; None keeps none.

    Raises:
        SearchInterruptedError: `listener.should_stop` said so; what was trained and scored so far is kept.
        LeftToOthersError: `listener.should_leave` said so; another worker verifies.
    """
    config = study.config
    engine = ENGINES[config.engine]()
    n = engine.cohort_size(data, config.training, config.space.search_space())
    while plan := _plan(config, results := _results(study, listener)):
        n_finished = sum(map(len, results.values()))
        n_networks = n_finished + sum(plan.values())
        for order, cohort in _cohorts(plan, results, config, n):
            checkpoints = study.verification_checkpoints(cohort)
            watch = _Watch(listener, checkpoints, n_finished, n_networks, config.training.epochs)
            outcomes = engine.train(cohort, data, config.training, batch_seed=order, watcher=watch)
            if not study.may_verify():  # Stopped for longer than its lease: another worker trains these, too.
                break
            scored = _scored(cohort, outcomes, data, sealed, config.training)
            write_results(study.database, study.study_id, scored)
            checkpoints.remove()
            if keeper is not None:
                keeper.note_verified(cohort, outcomes)
            n_finished += len(cohort)
        if keeper is not None:
            keeper.keep_noted()
        listener.on_cohort()


def _plan(config: StudyConfig, results: Results) -> dict[Architecture, int]:
    """How many more seeds of which architectures: where they decide, or the same for all that the settings list."""
    cap = config.budget.verification_seeds
    if cap == 0:
        return {}
    if config.space.architectures is None:
        rule = Rule(cap=cap, look=min(Rule.look, cap))
        return next_seeds(results, config.budget.targets, config.space.search_space(), rule)
    return {listed: cap - len(results[listed]) for listed in config.space.architectures if len(results[listed]) < cap}


def _results(study: OpenStudy, listener: Listener) -> Results:
    """What is known of every candidate once no other worker verifies; an empty list where nothing is yet."""
    while not study.may_verify():
        wait(listener)
    space, targets = study.config.space, study.config.budget.targets
    first = space.architectures or candidates(_evidence(study), targets, space.search_space())
    return {**{architecture: [] for architecture in first}, **collect(read_results(study.database, study.study_id))}


def _evidence(study: OpenStudy) -> list[tuple[Architecture, float]]:
    """Every trial with its validation accuracy; of those that were pruned, the one to expect of them at their end."""
    trials = read_trials(study.database, study.study_id)
    curves = read_curves(study.database, study.study_id)
    finished = list(finished_curves(study.size, trials, curves).values())
    found = []
    for trial in trials:
        if trial.widths is not None and trial.validation_accuracy is not None:
            found.append((trial.widths, trial.validation_accuracy))
        elif trial.widths is not None and trial.state == "pruned" and trial.trial_id in curves:
            last = curves[trial.trial_id][-1]
            found.append((trial.widths, expected_final(last.epoch, last.val_accuracy, finished)))
    return found


def _cohorts(
    plan: Mapping[Architecture, int], done: Results, config: StudyConfig, n: int
) -> Iterator[tuple[int, list[Network]]]:
    """The planned networks in cohorts of at most `n` that share an order, with what decides the order."""
    by_order: dict[int, list[Network]] = {}
    for architecture, n_seeds in plan.items():
        before = len(done.get(architecture, ()))
        for index in range(before, before + n_seeds):
            order = _order(config, index)
            by_order.setdefault(order, []).append(Network(architecture, network_seed(config.seed, index)))
    for order, networks in sorted(by_order.items()):
        for start in range(0, len(networks), n):
            yield batch_seed(config.seed, order), networks[start : start + n]


def _order(config: StudyConfig, index: int) -> int:
    """Which order of the training samples an architecture's network `index` has."""
    return index if config.training.schedule == "constant" else 0


def network_seed(seed: int, index: int) -> int:
    """The seed of an architecture's network `index` in a study of that seed; no trial of the search has it."""
    return int(np.random.SeedSequence([seed, index, 1]).generate_state(1)[0]) >> 1


def batch_seed(seed: int, order: int) -> int:
    """Decides the order of the training samples, another one for each `order`, in a study of that seed."""
    return int(np.random.SeedSequence([seed, order, 2]).generate_state(1)[0])


def batch_seed_of(config: StudyConfig, network: Network) -> int:
    """What decided the order of a verified network's training samples.

    Raises:
        MisuseError: The network is none that verification would train.
    """
    for index in range(_MOST_SEEDS):
        if network_seed(config.seed, index) == network.seed:
            return batch_seed(config.seed, _order(config, index))
    raise MisuseError(f"The seed {network.seed} must be one that verification draws in a study of seed {config.seed}.")


def _scored(
    networks: Sequence[Network],
    outcomes: Sequence[Outcome],
    data: SearchData,
    sealed: SealedTest,
    protocol: Protocol,
) -> list[VerifiedNetwork]:
    """Trained networks with their test accuracy; one that failed to train has none, and counts as 0."""
    trained = [outcome for outcome in outcomes if outcome.state == "complete"]
    accuracies = iter(evaluate([outcome.weights for outcome in trained], *sealed.unseal(), data, protocol))
    return [
        VerifiedNetwork(
            widths=network.architecture,
            seed=network.seed,
            test_accuracy=float(next(accuracies)) if outcome.state == "complete" else 0.0,
            validation_accuracy=outcome.validation_accuracy,
            epochs=len(outcome.curve),
            seconds=outcome.seconds,
        )
        for network, outcome in zip(networks, outcomes, strict=True)
    ]


class _Watch(Bystander):
    """Shows progress, saves checkpoints, and stops when asked."""

    def __init__(
        self, listener: Listener, checkpoints: CohortCheckpoints, n_finished: int, n_networks: int, n_epochs: int
    ) -> None:
        self._listener, self._checkpoints = listener, checkpoints
        self._n_finished, self._n_networks, self._n_epochs = n_finished, n_networks, n_epochs

    def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
        """Takes note of an epoch."""
        self._listener.on_progress(
            Progress("verification", self._n_finished, self._n_networks, len(metrics), epoch, self._n_epochs)
        )

    def checkpoint(self, take: Callable[[], Snapshot] | None) -> None:
        """Saves the cohort when that is due, and stops here if the listener says so."""
        save_or_stop(self._listener, self._checkpoints, take)

    def start(self) -> Snapshot | None:
        """Where an earlier run left the cohort."""
        return self._checkpoints.load()
