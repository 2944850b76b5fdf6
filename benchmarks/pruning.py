"""Replays of pruning rules on recorded curves, ours beside its rivals.

    python -m benchmarks.pruning mnist [--replays 20] [--trials 1500]

Each replay trains the networks of a recording (`benchmarks/record_curves.py`) one after another: first the ladder, then
all others in a random order of its own. After every epoch a policy says whether to stop. A replay takes seconds, so
anyone can try an idea: add a policy to `POLICIES`. The reference is the same networks, all trained to their
end. MO-ASHA is syne-tune's own (`pip install syne-tune`). Its time grows with the square of the trials, a minute a
replay of all 1,500, so it is left out beyond 500.
"""

import argparse
import logging
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol as Interface

import numpy as np
import optuna
from rich.console import Console
from rich.table import Table

from benchmarks.replay import TARGETS, Recording, Score, Spent, hypervolumes, recordings, score
from fewest.search.settings.space import SearchSpace
from fewest.search.study.pruning import FinishedCurve, PruningRule

logging.disable(logging.WARNING)
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore")

BUDGETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of the epochs that training everything takes."""


class Policy(Interface):
    """A policy decides after every epoch of a trial whether the trial stops there."""

    def stops(self, network: int, epoch: int) -> bool:
        """Say whether a network stops after an epoch that is not its last; networks come one after another."""

    def ended(self, network: int, epochs: int, complete: bool) -> None:
        """Take note of how a trial ended."""


class Everything:
    """The policy without pruning."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def stops(self, network: int, epoch: int) -> bool:
        """Return False."""
        return False

    def ended(self, network: int, epochs: int, complete: bool) -> None:
        """Take no note."""


class OptunaPruner(Everything):
    """One of Optuna's pruners, on accuracy alone: they take no second objective."""

    def __init__(self, recording: Recording, pruner: optuna.pruners.BasePruner) -> None:
        super().__init__(recording)
        self._study = optuna.create_study(direction="maximize", pruner=pruner)
        self._trial: optuna.Trial | None = None

    def stops(self, network: int, epoch: int) -> bool:
        """Return what `should_prune` says."""
        if self._trial is None:
            self._trial = self._study.ask()
        self._trial.report(float(self.recording.curves[network, epoch]), epoch + 1)
        return self._trial.should_prune()

    def ended(self, network: int, epochs: int, complete: bool) -> None:
        """Tell the study."""
        assert self._trial is not None
        if complete:
            self._study.tell(self._trial, float(self.recording.curves[network, -1]))
        else:
            self._study.tell(self._trial, state=optuna.trial.TrialState.PRUNED)
        self._trial = None


class NonDominated(Everything):
    """The policy that stops a trial if a network no larger was better after the same epoch; it may skip epochs."""

    def __init__(self, recording: Recording, looks: Sequence[int] | None = None) -> None:
        super().__init__(recording)
        self._looks = range(recording.n_epochs - 1) if looks is None else looks
        self._best = np.full((int(recording.sizes.max()) + 1, recording.n_epochs), -1.0)

    def stops(self, network: int, epoch: int) -> bool:
        """Say whether the network is dominated now."""
        accuracy = self.recording.curves[network, epoch]
        return epoch in self._looks and bool(accuracy < self._best[self.recording.sizes[network], epoch])

    def ended(self, network: int, epochs: int, complete: bool) -> None:
        """Keep the trial's curve, to compare later trials with it."""
        seen = self._best[self.recording.sizes[network] :, :epochs]
        np.maximum(seen, self.recording.curves[network, :epochs], out=seen)


class MoAsha(Everything):
    """`MOASHA` of syne-tune itself, on neurons and accuracy, with its defaults."""

    def __init__(self, recording: Recording) -> None:
        from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA

        super().__init__(recording)
        self._scheduler = MOASHA({}, ["neurons", "error"], max_t=recording.n_epochs, random_seed=0)

    def stops(self, network: int, epoch: int) -> bool:
        """Return what `on_trial_result` decides."""
        from syne_tune.backend.trial_status import Trial

        trial = Trial(network, {}, datetime.now())
        if epoch == 0:
            self._scheduler.on_trial_add(trial)
        error = 1.0 - float(self.recording.curves[network, epoch])
        result = {"training_iteration": epoch + 1, "neurons": float(self.recording.sizes[network]), "error": error}
        return bool(self._scheduler.on_trial_result(trial, result) == "STOP")


class Ours(Everything):
    """The rule of `fewest.search.study.pruning`, on one trial after another."""

    def __init__(self, recording: Recording, risk: float = 0.01) -> None:
        super().__init__(recording)
        self._risk = risk
        self._finished: list[FinishedCurve] = []
        self._rule = self._learned()

    def stops(self, network: int, epoch: int) -> bool:
        """Say whether there is a reason to prune."""
        best = float(self.recording.curves[network, : epoch + 1].max())
        assert self._rule is not None
        return self._rule.reason(int(self.recording.sizes[network]), epoch, best) is not None

    def ended(self, network: int, epochs: int, complete: bool) -> None:
        """Learn from trials that were trained to their end."""
        if complete:
            curve = self.recording.curves[network]
            self._finished.append(FinishedCurve(int(self.recording.sizes[network]), curve.tolist(), float(curve[-1])))
            self._rule = self._learned()

    def _learned(self) -> PruningRule | None:
        return PruningRule(self._finished, self.recording.n_epochs, self._risk, self.recording.resolution)


class PastImprovements(Ours):
    """Our first rule: no trial improves by more than the `risk` quantile of past ratios of final to present error."""

    def stops(self, network: int, epoch: int) -> bool:
        """Say whether even that improvement would leave the trial below the bar."""
        size, accuracy = self.recording.sizes[network], self.recording.curves[network, epoch]
        bar = max((other.final for other in self._finished if other.size <= size), default=None)
        ratios = [(1 - other.final) / (1 - other.curve[epoch]) for other in self._finished if other.curve[epoch] < 1]
        if bar is None or len(ratios) < 8:
            return False
        return bool(1 - (1 - accuracy) * np.quantile(ratios, self._risk) <= bar)

    def _learned(self) -> PruningRule | None:
        """Learn nothing in advance."""
        return None


class Hindsight(Everything):
    """The policy that knows all recorded curves. It stops a trial that is worse than every winner was at that epoch.

    A winner is a network that ends above the bar. No rule that uses the best accuracy so far and prunes no winner saves
    more.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._so_far = np.maximum.accumulate(recording.curves, axis=1)
        self._bars = np.full(int(recording.sizes.max()) + 1, -1.0)

    def stops(self, network: int, epoch: int) -> bool:
        """Say whether no winner was ever that bad."""
        winners = self.recording.curves[:, -1] > self._bars[self.recording.sizes[network]]
        return not winners.any() or bool(self._so_far[network, epoch] < self._so_far[winners, epoch].min())

    def ended(self, network: int, epochs: int, complete: bool) -> None:
        """Raise the bars."""
        if complete:
            bars = self._bars[self.recording.sizes[network] :]
            np.maximum(bars, self.recording.curves[network, -1], out=bars)


POLICIES: dict[str, Callable[[Recording], Policy]] = {
    "no pruning": Everything,
    "Optuna MedianPruner, accuracy": lambda r: OptunaPruner(r, optuna.pruners.MedianPruner()),
    "Optuna SuccessiveHalvingPruner, accuracy": lambda r: OptunaPruner(r, optuna.pruners.SuccessiveHalvingPruner()),
    "one epoch, keep the best": lambda r: NonDominated(r, looks=[0]),
    "MO-ASHA (syne-tune)": MoAsha,
    "non-domination at equal epochs": NonDominated,
    "past improvements, 1 %": PastImprovements,
    "past improvements, 5 %": lambda r: PastImprovements(r, 0.05),
    "fewest": Ours,
    "fewest, risk 0.1": lambda r: Ours(r, 0.1),
    "hindsight": Hindsight,
}


def replay(recording: Recording, policy: Policy, order: Sequence[int]) -> list[Spent]:
    """Train networks one after another, as far as a policy lets them."""
    spent = []
    for network in order:
        epochs = next(
            (epoch + 1 for epoch in range(recording.n_epochs - 1) if policy.stops(network, epoch)), recording.n_epochs
        )
        complete = epochs == recording.n_epochs
        policy.ended(network, epochs, complete)
        spent.append(Spent(network, epochs, complete))
    return spent


def replays(
    study: str, n: int, make: Callable[[Recording], Policy], n_trials: int | None = None
) -> list[tuple[Recording, list[Spent]]]:
    """Yield `n` replays of `n_trials` networks in different orders; the recorded seeds take turns."""
    found = recordings(study)
    rounds = [(found[index % len(found)], np.random.default_rng(index)) for index in range(n)]
    return [
        (recording, replay(recording, make(recording), _order(recording, rng)[:n_trials])) for recording, rng in rounds
    ]


def _order(recording: Recording, rng: np.random.Generator) -> list[int]:
    ladder = [recording.architectures.index(widths) for widths in SearchSpace(3, 1, 128).ladder()]
    return [*ladder, *(network for network in rng.permutation(len(recording.sizes)).tolist() if network not in ladder)]


def main() -> None:
    """Print a line for each policy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=["mnist", "digits"])
    parser.add_argument("--replays", type=int, default=20)
    parser.add_argument("--trials", type=int, default=1_500)
    given = parser.parse_args()
    table = Table("policy", "epochs saved", "hypervolume lost", "front lost", "false prunes", *map(str, TARGETS))
    lost = Table("hypervolume lost after", *(f"{share:.0%}" for share in BUDGETS))
    for name, make in POLICIES.items():
        if make is MoAsha and given.trials > 500:
            continue
        runs = replays(given.study, given.replays, make, given.trials)
        scores = [score(recording, spent) for recording, spent in runs]
        table.add_row(name, *_cells(scores))
        lost.add_row(name, *(f"{share:.3%}" for share in _lost_by(runs)))
    console = Console(width=170)
    console.print(table, lost)


def _cells(scores: Sequence[Score]) -> list[str]:
    """Write means and standard deviations over replays, false prunes of all replays, and medians of epochs."""
    entering = sum(score.entering for score in scores)
    pruned = sum(score.entering_pruned for score in scores)
    return [
        *(_spread([getattr(score, name) for score in scores]) for name in ("saved", "hypervolume_lost", "front_lost")),
        f"{pruned / entering:.2%}",
        *(f"{np.median([score.answered[index] for score in scores]):.0f}" for index in range(len(TARGETS))),
    ]


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3%} ± {np.std(values):.3%}"


def _lost_by(runs: Sequence[tuple[Recording, list[Spent]]]) -> list[float]:
    """Return the mean share of the hypervolume that is missing when each budget is spent."""
    missing = []
    for recording, spent in runs:
        total = len(spent) * recording.n_epochs
        full = hypervolumes(recording, [Spent(s.network, 0, True) for s in spent], [0])[0]
        missing.append([1 - v / full for v in hypervolumes(recording, spent, [int(b * total) for b in BUDGETS])])
    return [float(share) for share in np.mean(missing, axis=0)]


if __name__ == "__main__":
    main()
