"""The sampler of architectures: around the front, sometimes anywhere, never twice while there are others.

Most proposals change a member of the present front a little: a width by a factor near one, a layer more or less. The
member is the one nearest to a size drawn log-uniformly: members crowd among large networks, which cost most. A quarter
is drawn from the whole space, depth uniformly and widths log-uniformly. Architectures that have a trial already,
running ones included, are passed over.

`propose` is pure and cheap, so a whole cohort is proposed in one call. `FrontSampler` wraps it as an
`optuna.samplers.BaseSampler`, for programs that ask the study for one trial at a time. `benchmarks/samplers.py`
compares it with Optuna's samplers.

Proposals depend on the study's seed, its number of trials, its front and the architectures tried, not on the time or
the worker. So an interrupted study goes on as if it had not been interrupted.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from fewest.search.answers.front import FrontPoint, pareto_front
from fewest.search.settings.seeds import foreign_seed, proposal_generator
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons, parameters_of, width_name
from fewest.search.study.request import is_whole, requested_architecture

__all__ = ["FrontSampler", "distributions", "propose"]

EXPLORE = 0.25
"""Share of the proposals drawn from the whole space. Of 0.1, 0.25 and 0.5, 0.25 found MNIST's answers soonest."""

SPREAD = 0.35
"""Standard deviation of the natural logarithm of a width's change."""

ATTEMPTS = 64
"""Most draws for a new architecture around the front, and then from the whole space alone.

After that, one that has a trial is accepted again, with another seed.
"""


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return the space as Optuna's distributions: `depth`, and one log-integer width for each possible layer."""
    width = IntDistribution(space.min_width, space.max_width, log=True)
    return {
        "depth": IntDistribution(0, space.max_depth),
        **{width_name(layer): width for layer in range(1, space.max_depth + 1)},
    }


def propose(
    space: SearchSpace,
    front: Sequence[Architecture],
    tried: Collection[Architecture],
    n: int,
    rng: np.random.Generator,
) -> list[Architecture]:
    """Propose the next `n` architectures.

    Args:
        space: Search space of the study.
        front: Architectures on the present front; may be empty.
        tried: Architectures that have a trial already.
        n: Number of architectures to propose.
        rng: Generator of every random choice.

    Returns:
        Architectures that differ from each other and from all tried, as far as twice `ATTEMPTS` draws each find such.
    """
    proposals: list[Architecture] = []
    for _ in range(n):
        for attempt in range(2 * ATTEMPTS):
            # Around a small front all may be tried already; then only the whole space has others.
            proposal = _draw(space, front if attempt < ATTEMPTS else (), rng)
            if proposal not in tried and proposal not in proposals:
                break
        proposals.append(proposal)
    return proposals


def _draw(space: SearchSpace, front: Sequence[Architecture], rng: np.random.Generator) -> Architecture:
    if not front or rng.random() < EXPLORE:
        depth = int(rng.integers(space.max_depth + 1))
        return tuple(_random_width(space, rng) for _ in range(depth))
    return _mutate(space, _parent(front, rng), rng)


def _parent(front: Sequence[Architecture], rng: np.random.Generator) -> Architecture:
    """Pick the member nearest to a size drawn log-uniformly, on the axis of the hypervolume."""
    positions = np.log2(1 + np.array([n_neurons(member) for member in front]))
    return front[int(np.abs(positions - rng.uniform(0.0, positions.max())).argmin())]


def _random_width(space: SearchSpace, rng: np.random.Generator) -> int:
    # Half a unit beyond either end, or rounding would draw the end widths half as often as their neighbours.
    low, high = math.log(space.min_width - 0.5), math.log(space.max_width + 0.5)
    return int(np.clip(round(math.exp(rng.uniform(low, high))), space.min_width, space.max_width))


def _mutate(space: SearchSpace, parent: Architecture, rng: np.random.Generator) -> Architecture:
    widths = [_near(width, space, rng) for width in parent]
    # At most three mutations in ten change the depth: such a step is large.
    change = rng.random()
    if change < 0.15 and len(widths) < space.max_depth:
        widths.insert(int(rng.integers(len(widths) + 1)), _random_width(space, rng))
    elif change > 0.85 and widths:
        widths.pop(int(rng.integers(len(widths))))
    return tuple(widths)


def _near(width: int, space: SearchSpace, rng: np.random.Generator) -> int:
    # A factor alone seldom moves a width of 1 past rounding; the added half unit helps.
    changed = width * math.exp(rng.normal(0.0, SPREAD)) + rng.uniform(-0.5, 0.5)
    return int(np.clip(round(changed), space.min_width, space.max_width))


class FrontSampler(BaseSampler):
    """An Optuna sampler around `propose`: for a cohort at a time or, through `study.ask()`, one trial at a time.

    It reads each ended trial once, so the cost of a proposal hardly grows with the study.

    Args:
        space: Search space of the study.
        seed: Seed of the study.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space, self._seed = space, seed
        self._dimensions = distributions(space)
        self._past = _Past()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the distributions of the whole space, whatever was tried."""
        return self._dimensions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Propose one architecture, as trial parameters; draw parameters outside our space at random."""
        known = study.get_trials(deepcopy=False)[: trial.number]
        ours = parameters_of(self.propose(known, 1)[0]) if "depth" in search_space else {}
        foreign = {
            name: self.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
            if name not in self._dimensions
        }
        return {**ours, **foreign}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw a parameter that is outside our space uniformly at random."""
        sampler = optuna.samplers.RandomSampler(seed=foreign_seed(self._seed, trial.number, param_name))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def propose(self, known: Sequence[FrozenTrial], n: int) -> list[Architecture]:
        """Propose the next `n` architectures.

        Args:
            known: All trials of the study so far, by number, those of earlier calls first.
            n: Number of architectures to propose.
        """
        if len(known) < self._past.n_trials:  # Fewer trials than before: this is another study.
            self._past = _Past()
        self._past.learn(known, self._space)
        front = [self._past.architectures[point.trial] for point in self._past.front]
        return propose(self._space, front, self._past.tried, n, proposal_generator(self._seed, len(known)))


@dataclass
class _Past:
    """The sampler's memory of a study's trials.

    Attributes:
        n_trials: Number of trials read.
        unfinished: Numbers of the trials that must be read again.
        tried: Architectures that have a trial.
        architectures: Architectures of the complete trials, by number.
        front: Front of the complete trials.
    """

    n_trials: int = 0
    unfinished: list[int] = field(default_factory=list)
    tried: set[Architecture] = field(default_factory=set)
    architectures: dict[int, Architecture] = field(default_factory=dict)
    front: list[FrontPoint] = field(default_factory=list)

    def learn(self, known: Sequence[FrozenTrial], space: SearchSpace) -> None:
        """Read the trials that are new or have changed since the last call."""
        trials = [known[number] for number in (*self.unfinished, *range(self.n_trials, len(known)))]
        self.n_trials = len(known)
        self.unfinished = [trial.number for trial in trials if not trial.state.is_finished()]
        points = []
        for trial in trials:
            architecture = _architecture_in(trial, space)
            if architecture is None:
                continue
            self.tried.add(architecture)
            if trial.state is TrialState.COMPLETE and all(map(math.isfinite, trial.values)):
                self.architectures[trial.number] = architecture
                points.append(FrontPoint(trial.number, int(trial.values[0]), trial.values[1]))
        self.front = pareto_front([*self.front, *points])


def _architecture_in(trial: FrozenTrial, space: SearchSpace) -> Architecture | None:
    """Return the architecture that a trial's parameters name; None if it is not in the space."""
    found = requested_architecture(trial.params, space)
    return None if isinstance(found, str) or not is_whole(trial.params) else found
