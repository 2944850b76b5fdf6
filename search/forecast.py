"""The time that a study still takes: a guess before its first network, then what was measured so far.

A model says what the work still to do costs, with pruning and verification as they usually turn out. The seconds that
work took so far, against what the model says of it, correct the model. The guess weighs as much as the tenth of it
that would be measured, so it is soon forgotten. Other workers are not counted: with them a study ends earlier.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fewest.search.answers.front import FrontPoint, pareto_front
from fewest.search.listener import Progress
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.targets import unvalued
from fewest.search.study.bracket import OFFSETS
from fewest.search.study.stopping import trials_until_level
from fewest.storage.trials.records import TrialRecord

if TYPE_CHECKING:  # Those who only watch a study do without NumPy.
    from fewest.search.training.cost import Cost

__all__ = [
    "Forecast",
    "first_round",
    "networks_expected",
    "networks_wanted",
    "rounds_after",
    "rounds_beyond",
    "search_seconds",
    "verification_seconds",
    "verified_growth",
    "watched",
]

FIRST_COHORT: Final = 8
"""Networks with which a search begins; a cohort then at most doubles the study."""

SURVIVAL: Final = 0.46
"""Share of the epochs that pruning usually leaves."""

VERIFIED_SIZE: Final = 0.4
"""What a verified network usually costs, as a share of a typical one of the space: most have one hidden layer."""

LEVEL_AFTER: Final = 2.7
"""Networks after which a front has usually levelled off, as a multiple of `budget.patience`."""

CANDIDATES: Final = 4.5
"""Candidates that verification usually has for each target and number of hidden layers, softmax left out.

Only the goal of an answer for every depth has them for more than one hidden layer; other goals test few deeper ones.
"""

LOOK: Final = 4
"""Seeds that a candidate gets at a time, and networks of the smallest round."""

GUESS_ROUNDS: Final = 4
"""Rounds that the guess of how they shrink weighs as much as."""

MOST_SHARE: Final = 0.95
"""Largest share of a round that the next one is expected to have."""

GUESS_NETWORKS: Final = 16
"""Networks whose epochs the guess of `SURVIVAL` weighs as much as."""

GUESS_SHARE: Final = 0.1
"""Share of the first guess in seconds that the guess of the pace weighs as much as."""


def first_round(config: StudyConfig) -> int:
    """Return the networks of the first round that a study's verification usually takes; 0 if it has none.

    >>> config = {"name": "a", "data": {"name": "digits"}, "budget": {"trials": 9, "targets": [0.9, 0.8]}}
    >>> first_round(StudyConfig.of(config | {"space": {"max_depth": 2}}))
    40
    """
    cap, listed = config.budget.verification_seeds, config.space.architectures
    if listed is not None:
        return cap * len(listed)
    depths = config.space.max_depth if config.budget.goal == "depths" else min(1, config.space.max_depth)
    return round(min(cap, LOOK) * (1 + CANDIDATES * len(config.budget.targets) * depths))


def networks_wanted(config: StudyConfig, n_ended: int) -> int:
    """Return the networks that a search usually trains, after `n_ended` of them.

    Where the goal is the answer, they are those of ladder and bracket: softmax, widths that double, and for each target
    four widths and two shapes of each deeper depth. If those did not settle it, all others follow.

    >>> config = {"name": "a", "data": {"name": "digits"}, "budget": {"trials": 99, "targets": [0.9], "goal": "answer"}}
    >>> [networks_wanted(StudyConfig.of(config), n) for n in (0, 16, 17)]
    [17, 17, 99]
    """
    budget, space = config.budget, config.space.search_space()
    if budget.goal != "answer" or config.space.architectures is not None or unvalued(budget.targets, None):
        return config.n_trials
    each = len(OFFSETS) + 2 * (space.max_depth - 1) if space.max_depth else 0
    n, most = len(space.ladder()) + each * len(budget.targets), min(config.n_trials, space.n_architectures())
    return min(n, most) if n_ended < n else most


def networks_expected(config: StudyConfig, n_ended: int, until_level: int | None = None) -> int:
    """Return `networks_wanted`, or fewer where the front has usually levelled off before.

    Args:
        config: Settings of the study.
        n_ended: Networks that its search has trained.
        until_level: Networks more after which it ends if none improves the front; None if that is not known.

    >>> config = {"name": "a", "data": {"name": "digits"}, "budget": {"trials": 500, "targets": [0.9], "patience": 100}}
    >>> [networks_expected(StudyConfig.of(config), *n) for n in ((0,), (200, 90), (300,), (480, 30))]
    [270, 290, 350, 500]
    """
    wanted, patience = networks_wanted(config, n_ended), config.budget.patience
    if patience is None or config.space.architectures is not None:
        return wanted
    least = n_ended + (patience // 2 if until_level is None else until_level)
    return min(wanted, max(round(LEVEL_AFTER * patience), least))


def rounds_after(rounds: Sequence[int], config: StudyConfig) -> list[int]:
    """Return the networks of each round of verification that usually follows the given ones.

    Each round has the same share of the one before. With 20 seeds at most this share is 0.45 before anything is known,
    since fewer and fewer verdicts are open; then the later half of the rounds so far counts, too.

    >>> config = {"name": "a", "data": {"name": "digits"}, "budget": {"trials": 9, "targets": [0.9]}}
    >>> rounds_after([16], StudyConfig.of(config)), rounds_after([16] * 9, StudyConfig.of(config))
    ([7], [11, 7, 5])
    """
    if config.space.architectures is not None or config.budget.verification_seeds == 0:
        return []
    usual = math.log(max(0.3, 1 - 11 / config.budget.verification_seeds))
    half = len(rounds) // 2
    n_between = len(rounds) - 1 - half
    seen = math.log(rounds[-1] / rounds[half])
    share = min(MOST_SHARE, math.exp((GUESS_ROUNDS * usual + seen) / (GUESS_ROUNDS + n_between)))
    further: list[int] = []
    left = rounds[-1] * share
    while round(left) >= LOOK:
        further.append(round(left))
        left *= share
    return further


def rounds_beyond(config: StudyConfig, n_verified: int) -> list[int]:
    """Return the rounds that a verification usually takes, without those that its first networks make up.

    >>> config = {"name": "a", "data": {"name": "digits"}, "budget": {"trials": 9, "targets": [0.9]}}
    >>> rounds_beyond(StudyConfig.of(config), 0), rounds_beyond(StudyConfig.of(config), 40)
    ([22, 10, 4], [])
    """
    n = first_round(config)
    rounds = [n, *rounds_after([n], config)] if n else []
    while rounds and n_verified > 0:
        n_verified -= rounds.pop(0)
    return rounds


def verified_growth(config: StudyConfig) -> float:
    """Return how much longer verified networks train than those of the search.

    They train on the validation samples, too, unless they need them to end.
    """
    return 1.0 if config.training.restores_best else 1.0 / (1.0 - config.data.validation_share)


def networks_left(config: StudyConfig, points: Sequence[FrontPoint], n_ended: int) -> tuple[int, int]:
    """Return the least and the most networks that a search usually still trains.

    It ends early where its front levels off, or where the answer is the goal and stands.

    Args:
        config: Settings of the study.
        points: Its complete trials.
        n_ended: Networks that its search has trained.
    """
    budget = config.budget
    most = max(0, networks_wanted(config, n_ended) - n_ended)
    if budget.goal == "answer" and n_ended >= networks_wanted(config, 0):
        return 0, most
    until = trials_until_level(
        config,
        n_ended,
        lambda number: (
            pareto_front(point for point in points if point.trial < number),
            [point for point in points if point.trial >= number],
        ),
    )
    return (most, most) if until is None else (min(most, until), most if until else 0)


def watched(
    config: StudyConfig, latest: Sequence[TrialRecord], n_search: int, n_verified: int, n_workers: int
) -> float | None:
    """Return the seconds left of a study that other processes run, at the pace of the trials that ended last.

    Args:
        config: Settings of the study.
        latest: Trials that ended last.
        n_search: Networks that the search still trains.
        n_verified: Networks that verification has trained.
        n_workers: Workers that search. One verifies.

    Returns:
        None as long as no trial has trained.
    """
    seconds, epochs = sum(trial.seconds or 0.0 for trial in latest), sum(trial.epochs or 0 for trial in latest)
    if not seconds or not epochs:
        return None
    n_epochs = sum(rounds_beyond(config, n_verified)) * config.training.epochs
    verification = n_epochs * verified_growth(config) * seconds / epochs
    return n_search * seconds / len(latest) / max(1, n_workers) + verification


def search_seconds(
    cost: "Cost", n_before: int, n_networks: int, n_cohort: int, n_epochs: int, survival: float
) -> float:
    """Return what the rest of a search costs. Pruning spares the large networks, so it saves less work than epochs.

    Args:
        cost: What training costs.
        n_before: Networks that need no cohort any more.
        n_networks: Networks in all.
        n_cohort: Networks that train together at most.
        n_epochs: Epochs of a network that is not pruned.
        survival: Share of the epochs that pruning leaves.
    """
    seconds = 0.0
    while n_before < n_networks:
        n = min(n_cohort, max(n_before, FIRST_COHORT), n_networks - n_before)
        seconds += cost.cohort + n_epochs * (cost.epoch + math.sqrt(survival) * n * cost.network_epoch)
        n_before += n
    return seconds


def verification_seconds(cost: "Cost", rounds: Sequence[int], n_cohort: int, n_epochs: int) -> float:
    """Return what rounds of a verification cost; each is split into cohorts, and nothing is pruned."""
    n_cohorts = sum(-(-n // n_cohort) for n in rounds)
    return n_cohorts * (cost.cohort + n_epochs * cost.epoch) + sum(rounds) * n_epochs * cost.network_epoch


@dataclass
class Forecast:
    """The time left of one run, from its settings and its progress.

    Attributes:
        config: Settings of the study.
        cost: What training costs, as guessed for this machine.
        n_cohort: Networks that train together at most.
        seconds_spent: Seconds of the study's timeout that earlier runs have spent.
        searching: Whether the run searches before it verifies.
    """

    config: StudyConfig
    cost: "Cost"
    n_cohort: int
    seconds_spent: float = 0.0
    searching: bool = True
    _guess: float = field(default=0.0, init=False)
    _work: float = field(default=0.0, init=False)
    _cohort: tuple[str, int] = field(default=("", -1), init=False)
    _n_in_cohort: int = field(default=0, init=False)
    _rounds: list[int] = field(default_factory=list, init=False)
    _n_planned: int = field(default=0, init=False)
    _trained: float = field(default=0.0, init=False)
    _possible: float = field(default=0.0, init=False)

    @property
    def verifying(self) -> "Cost":
        """What verified networks cost."""
        growth = verified_growth(self.config)
        network = VERIFIED_SIZE * self.cost.network_epoch
        return self.cost._replace(epoch=growth * self.cost.epoch, network_epoch=growth * network)

    def first(self, n_ended: int, n_verified: int) -> float:
        """Return the seconds left before a run has trained anything; 0 if it has nothing to train.

        Args:
            n_ended: Networks that the study's search has trained.
            n_verified: Networks that its verification has trained.
        """
        search = self._limited(self._search_left(n_ended), 0.0) if self.searching else 0.0
        rounds = rounds_beyond(self.config, 0 if search else n_verified)
        seconds = search + self._verification_left(rounds)
        self._guess = seconds + self.cost.start if seconds else 0.0
        return self._guess

    def left(self, standing: Progress, elapsed: float) -> float:
        """Return the seconds left after an epoch.

        Args:
            standing: The progress after the epoch, each epoch's once and in order.
            elapsed: Seconds since the run began to train.
        """
        self._take_in(standing)
        pace: float = (max(elapsed, 1e-3) / self._work) ** (self._work / (self._work + GUESS_SHARE * self._guess))
        n_left = standing.n_epochs - 1 - standing.epoch
        cohort = n_left * self._epoch(standing)
        if standing.stage == "search":
            more = self._search_left(standing.n_finished, self._n_in_cohort, standing.n_until_level)
            verification = self._verification_left(rounds_beyond(self.config, 0))
            return self._limited(pace * (cohort + more), elapsed) + pace * verification
        if standing.n_to_search:
            search = self._limited(pace * self._search_left(self.config.n_trials - standing.n_to_search), elapsed)
            rounds = rounds_beyond(self.config, standing.n_finished + self._n_in_cohort)
            return search + pace * (cohort + self._verification_left(rounds))
        planned = standing.n_networks - standing.n_finished - self._n_in_cohort
        rounds = [*([planned] if planned > 0 else []), *rounds_after(self._rounds, self.config)]
        return pace * (cohort + self._verification_left(rounds))

    def _take_in(self, standing: Progress) -> None:
        """Count the work of an epoch, and what pruning saved of it."""
        if (standing.stage, standing.n_finished) != self._cohort:
            if standing.stage != self._cohort[0]:
                self._rounds.clear()
            self._work += self.cost.cohort if self._work else self.cost.start + self.cost.cohort
            self._cohort, self._n_in_cohort = (standing.stage, standing.n_finished), standing.n_training
            if standing.stage == "verification" and standing.n_networks != self._n_planned:
                self._n_planned = standing.n_networks
                self._rounds.append(standing.n_networks - standing.n_finished)
        self._work += self._epoch(standing)
        if standing.stage == "search":
            self._trained += standing.n_training
            self._possible += self._n_in_cohort

    def _epoch(self, standing: Progress) -> float:
        """Return what an epoch of the present cohort costs."""
        if standing.stage == "verification":
            return self.verifying.epoch + standing.n_training * self.verifying.network_epoch
        return self.cost.epoch + math.sqrt(standing.n_training * self._n_in_cohort) * self.cost.network_epoch

    def _search_left(self, n_ended: int, n_in_cohort: int = 0, until_level: int | None = None) -> float:
        """Return what the search costs after its present cohort."""
        n_epochs = self.config.training.epochs
        guess = GUESS_NETWORKS * n_epochs
        survival = (self._trained + SURVIVAL * guess) / (self._possible + guess) if self.config.pruning.enabled else 1.0
        n_networks = networks_expected(self.config, n_ended, until_level)
        return search_seconds(self.cost, n_ended + n_in_cohort, n_networks, self.n_cohort, n_epochs, survival)

    def _verification_left(self, rounds: Sequence[int]) -> float:
        return verification_seconds(self.verifying, rounds, self.n_cohort, self.config.training.epochs)

    def _limited(self, seconds: float, elapsed: float) -> float:
        """Return the seconds of a search that its timeout leaves."""
        timeout = self.config.budget.timeout
        return seconds if timeout is None else min(seconds, max(0.0, timeout - self.seconds_spent - elapsed))
