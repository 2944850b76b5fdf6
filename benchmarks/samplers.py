"""Replays of whole searches on recorded curves: samplers side by side, with our pruning and without.

    python -m benchmarks.samplers mnist [--replays 20] [--trials 500] [--cohort 100] [--patience 100]
    python -m benchmarks.samplers cost

A search asks for cohorts as a study does: the ladder first, then as many as there are trials, up to `--cohort`. An
architecture that was not recorded stands for the recorded one of its depth that is nearest in the logarithms of the
widths; one that comes up again costs nothing, whatever sampler proposes it. An answer is right when the search has
trained to its end the smallest recorded network that reaches the target. Epochs are medians over replays, `inf` where
most searches of that many trials do not find it. Work is epochs times parameters, in millions: an epoch of a large
network costs more. `--patience` ends a search as a study does, when its front has levelled off. `cost` times one
suggestion in studies in memory, of more and more trials.
"""

import argparse
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import optuna
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table
from scipy.spatial import cKDTree

from benchmarks.pruning import Everything, Ours, Policy
from benchmarks.replay import MAX_SIZE, TARGETS, Recording, Spent, answered, hypervolumes, recordings
from fewest.search.answers.front import FrontPoint, hypervolume
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.space import Architecture, SearchSpace, architecture_of, n_parameters, parameters_of
from fewest.search.study.sampler import FrontSampler, distributions
from fewest.search.study.stopping import trials_until_level

logging.disable(logging.WARNING)
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore")

SPACE = SearchSpace(max_depth=3, min_width=1, max_width=128)
BUDGETS = (500, 1_000, 2_000, 4_000)
"""Epochs at which hypervolumes are compared."""

COUNTS = (100, 1_000, 5_000)
"""Trials of the studies in which a suggestion is timed."""

Sampler: TypeAlias = optuna.samplers.BaseSampler

SAMPLERS: dict[str, Callable[[int], Sampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed),
    "NSGA-II": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    "TPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "TPE, group": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "fewest": lambda seed: FrontSampler(SPACE, seed),
}


class Nearest:
    """The recorded network that stands for an architecture."""

    def __init__(self, recording: Recording) -> None:
        by_depth: dict[int, list[int]] = {}
        for network, widths in enumerate(recording.architectures):
            by_depth.setdefault(len(widths), []).append(network)
        self._softmax = by_depth.pop(0)[0]
        self._trees = {
            depth: (cKDTree(np.log([recording.architectures[network] for network in networks])), networks)
            for depth, networks in by_depth.items()
        }

    def __call__(self, widths: Architecture) -> int:
        """Return the network's position in the recording."""
        if not widths:
            return self._softmax
        tree, networks = self._trees[len(widths)]
        return networks[int(tree.query(np.log(widths), p=1)[1])]


def search(
    recording: Recording, sampler: Sampler, policy: Policy, n_trials: int, cohort: int, patience: int
) -> list[Spent]:
    """Replay one search."""
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=sampler)
    nearest, trained, spent = Nearest(recording), dict[int, Spent](), list[Spent]()
    for widths in SPACE.ladder():
        study.enqueue_trial(parameters_of(widths))
    budget = {"trials": n_trials, "targets": list(TARGETS), "patience": patience}
    config = StudyConfig.of({"name": "replay", "data": {"name": recording.study}, "budget": budget})

    def parted(number: int) -> tuple[list[FrontPoint], list[FrontPoint]]:
        points = [
            recording.point(result.network)._replace(trial=place)
            for place, result in enumerate(spent)
            if result.complete
        ]
        return [point for point in points if point.trial < number], [p for p in points if p.trial >= number]

    while len(spent) < n_trials and (until := trials_until_level(config, len(spent), parted)) != 0:
        n = min(cohort, len(spent), n_trials - len(spent)) if spent else len(SPACE.ladder())
        n = min(n, max(until or n, cohort // 4))
        trials = [study.ask() for _ in range(n)]
        networks = [nearest(_suggested(trial)) for trial in trials]
        fresh = {network: _train(recording, policy, network) for network in networks if network not in trained}
        for result in fresh.values():
            policy.ended(*result)
        trained |= {network: result._replace(epochs=0) for network, result in fresh.items()}
        for trial, network in zip(trials, networks, strict=True):
            _tell(study, trial, recording, trained[network])
            spent.append(fresh.pop(network, trained[network]))
    return spent


def _suggested(trial: optuna.Trial) -> Architecture:
    for name, distribution in distributions(SPACE).items():
        if name == "depth" or int(name.removeprefix("width_")) <= trial.params["depth"]:
            trial._suggest(name, distribution)
    return architecture_of(trial.params)


def _train(recording: Recording, policy: Policy, network: int) -> Spent:
    last = recording.n_epochs
    epochs = next((epoch + 1 for epoch in range(last - 1) if policy.stops(network, epoch)), last)
    return Spent(network, epochs, epochs == last)


def _tell(study: optuna.Study, trial: optuna.Trial, recording: Recording, result: Spent) -> None:
    if result.complete:
        _, size, accuracy = recording.point(result.network)
        study.tell(trial, [size, accuracy])
    else:
        study.tell(trial, state=TrialState.PRUNED)


def main() -> None:
    """Print a line for each sampler with each policy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["mnist", "digits", "cost"])
    parser.add_argument("--replays", type=int, default=20)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--cohort", type=int, default=100)
    parser.add_argument("--patience", type=int, help="trials without improvement that end a search; by default none do")
    given = parser.parse_args()
    if given.what == "cost":
        Console().print(_costs())
    else:
        Console(width=170).print(_searches(given))


def _costs() -> Table:
    """Return milliseconds a suggestion at several numbers of trials, the median of 20."""
    table = Table("ms a suggestion, trials so far", *map(str, COUNTS))
    for name, make in {**SAMPLERS, "fewest, in cohorts of 100": SAMPLERS["fewest"]}.items():
        together = 100 if "cohorts" in name else 1
        table.add_row(name, *(f"{1e3 * _suggestion_seconds(make(0), count, together):.3f}" for count in COUNTS))
    return table


def _suggestion_seconds(sampler: Sampler, n_trials: int, together: int) -> float:
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=optuna.samplers.RandomSampler(0))
    for _ in range(n_trials):
        trial = study.ask()
        widths = _suggested(trial)
        study.tell(trial, [sum(widths), 1 - 1 / (2 + sum(widths))])
    study.sampler = sampler
    seconds = []
    for _ in range(21):
        started = time.perf_counter()
        if together > 1 and isinstance(sampler, FrontSampler):
            sampler.propose(study.get_trials(deepcopy=False), together)
        else:
            _suggested(study.ask())
        seconds.append((time.perf_counter() - started) / together)
    return float(np.median(seconds[1:]))


def _searches(given: argparse.Namespace) -> Table:
    """Run whole searches with each sampler, without pruning and with ours."""
    found = recordings(given.what)
    budget = (given.trials, given.cohort, given.patience or given.trials)
    table = Table(
        "sampler", "pruning", "trials", "epochs", "work", *(f"{target} right" for target in (*TARGETS, "all"))
    )
    for spent in (*BUDGETS, "the end"):
        table.add_column(f"lost at {spent}")
    for name, make in SAMPLERS.items():
        for pruning, policy in (("none", Everything), ("ours", Ours)):
            if pruning == "ours" and name.startswith("TPE"):  # TPE takes every pruned trial for a bad one.
                continue
            rounds = [(seed, found[seed % len(found)]) for seed in range(given.replays)]
            runs = [(r, search(r, make(seed), policy(r), *budget)) for seed, r in rounds]
            table.add_row(name, pruning, *_cells(runs))
    return table


def _cells(runs: Sequence[tuple[Recording, list[Spent]]]) -> list[str]:
    epochs = [sum(spent.epochs for spent in run) for _, run in runs]
    right = np.array([answered(recording, run, recording.front()) for recording, run in runs])
    there = [_reachable(recording) for recording, _ in runs]
    overall = [max(row[mask]) for row, mask in zip(right, there, strict=True)]
    lost = np.array([_lost(recording, run) for recording, run in runs])
    return [
        f"{np.mean([len(run) for _, run in runs]):.0f}",
        f"{np.mean(epochs):.0f}",
        f"{np.mean([_work(recording, run) for recording, run in runs]):.1f}",
        *(f"{np.median(column):.0f}" for column in (*right.T, overall)),
        *(f"{mean:.3%} ± {sd:.3%}" for mean, sd in zip(lost.mean(0), lost.std(0), strict=True)),
    ]


def _work(recording: Recording, run: Sequence[Spent]) -> float:
    """Return epochs times parameters, in millions."""
    n_features = {"mnist": 784, "digits": 64}[recording.study]
    return sum(each.epochs * n_parameters(recording.architectures[each.network], n_features, 10) for each in run) / 1e6


def _reachable(recording: Recording) -> list[bool]:
    best = recording.curves[:, -1].max()
    return [bool(best >= target) for target in TARGETS]


def _lost(recording: Recording, run: Sequence[Spent]) -> list[float]:
    full = hypervolume(recording.front(), max_size=MAX_SIZE)
    return [1 - value / full for value in hypervolumes(recording, run, [*BUDGETS, sum(s.epochs for s in run)])]


if __name__ == "__main__":
    main()
