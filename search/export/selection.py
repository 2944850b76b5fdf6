"""Which network of a study a request means: a trial's, or the answer to a target.

Pure, and quick to import: a wrong request is refused before anything is loaded or trained.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from fewest.search.answers.answer import Answer
from fewest.search.answers.front import pareto_front, points_of, smallest_reaching
from fewest.search.answers.intervals import answer_target
from fewest.search.answers.results import best_seeds, collect
from fewest.search.answers.wording import plural
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import command_on
from fewest.search.settings.space import Architecture, Network, describe
from fewest.search.settings.spelling import argument
from fewest.search.settings.targets import valued
from fewest.storage.errors import MisuseError, Spelled
from fewest.storage.trials.records import TrialRecord, VerifiedNetwork

__all__ = ["Choice", "Recorded", "network_for_target", "network_of_trial"]


class Recorded(NamedTuple):
    """Accuracies that a study measured for one network; None where it measured none."""

    validation: float | None = None
    test: float | None = None


class Choice(NamedTuple):
    """A network that a study has trained.

    Attributes:
        network: Its architecture and seed.
        trial: The trial that trained it; None if verification did.
        words: What it is, for people.
        recorded: What the study measured for it.
        caution: What to know about it beyond that; None if nothing.
    """

    network: Network
    trial: TrialRecord | None
    words: str
    recorded: Recorded
    caution: str | None = None


def network_of_trial(config: StudyConfig, trials: Sequence[TrialRecord], number: int) -> Choice:
    """Choose the network of a trial.

    Args:
        config: The study's settings.
        trials: All its trials.
        number: The trial's number, counted from 0.

    Raises:
        MisuseError: There is no such trial, or it is not complete.
    """
    trial = next((trial for trial in trials if trial.number == number), None)
    if trial is None:
        known = f"Its trials are 0 to {trials[-1].number}." if trials else "It has none yet."
        raise MisuseError(f"Study '{config.name}' has no trial {number}. {known}")
    if trial.state != "complete":
        front = [point.trial for point in pareto_front(points_of(trials))]
        listed = f" On the front are {', '.join(map(str, front))}." if front else ""
        raise MisuseError(
            f"The trial must be one that is complete, and {number} of study '{config.name}' is "
            f"{'failed' if trial.state == 'fail' else trial.state}.{listed}"
        )
    if trial.widths is None or trial.seed is None:
        raise MisuseError(f"Trial {number} of study '{config.name}' was not trained by fewest. Choose another trial.")
    if trial.validation_accuracy is None:
        raise MisuseError(
            f"Trial {number} of study '{config.name}' has no accuracy on record that can be. Choose another trial."
        )
    words = f"Trial {number}: {_described(trial.widths)}"
    return Choice(Network(trial.widths, trial.seed), trial, words, Recorded(trial.validation_accuracy))


def network_for_target(
    config: StudyConfig,
    trials: Sequence[TrialRecord],
    verified: Sequence[VerifiedNetwork],
    target: float,
    depth: int | None = None,
    best: float | None = None,
) -> Choice:
    """Choose the network that answers a target: the best of the typical answer's architecture, see `best_seeds`.

    Before verification, it is the smallest network that reached the target on validation samples in one training.

    Args:
        config: The study's settings.
        trials: All its trials.
        verified: Networks scored on the test set.
        target: Accuracy to reach, between 0 and 1.
        depth: Hidden layers the network must have; None for any.
        best: What relative targets are relative to; None where it is not known.

    Raises:
        MisuseError: There is no answer, or `target` is not one of those that the study was verified for.
    """
    if not 0 < target < 1:
        raise MisuseError(f"The target must be between 0 and 1, got {target:g}.")
    if not verified:
        return _smallest_on_validation(config, trials, target, depth)
    asked_for = [value.accuracy for value in valued(config.budget.targets, best)]
    if target not in asked_for:
        known = ", ".join(f"{asked:g}" for asked in asked_for)
        raise MisuseError(
            f"Study '{config.name}' was verified for {known}, not for {target:g}. ",
            Spelled(
                f"Search with `targets=[{target:g}]` first.",
                f"Run `{command_on('verify', config.name, f' --target {target:g}')}` first.",
            ),
        )
    answers = answer_target(collect(verified), target)
    if depth is not None and depth not in answers.by_depth:
        raise MisuseError(
            f"Study '{config.name}' has verified networks of {', '.join(map(str, answers.by_depth))} hidden layers, "
            f"not of {depth}."
        )
    answer = (answers.overall if depth is None else answers.by_depth[depth])["typical"]
    seed = best_seeds(verified).get(answer.widths) if isinstance(answer, Answer) else None
    if not isinstance(answer, Answer) or seed is None:
        raise MisuseError(
            f"Study '{config.name}' has no typical answer for {target:g}{_of_depth(depth)}: {answer}. "
            "Choose a trial with ",
            argument("trial"),
            ", or another target.",
        )
    scored = next(of for of in verified if (of.widths, of.seed) == (answer.widths, seed))
    validation = None if math.isnan(scored.validation_accuracy) else scored.validation_accuracy
    return Choice(
        Network(answer.widths, seed),
        None,
        f"Typical answer for {target:g}{_of_depth(depth)}: {_described(answer.widths)}, "
        f"the best of {answer.seeds} seeds by {'training loss' if validation is None else 'validation accuracy'}",
        Recorded(validation, scored.test_accuracy),
    )


def _smallest_on_validation(
    config: StudyConfig, trials: Sequence[TrialRecord], target: float, depth: int | None
) -> Choice:
    considered = {
        trial.number: trial
        for trial in trials
        if trial.widths is not None and (depth is None or len(trial.widths) == depth)
    }
    point = smallest_reaching(pareto_front(points_of(considered.values())), target)
    if point is None:
        raise MisuseError(
            f"Study '{config.name}' has found no network{_of_depth(depth)} that reaches {target:g} on validation "
            "samples. Search on with more ",
            argument("trials"),
            ", or choose another target.",
        )
    choice = network_of_trial(config, trials, point.trial)
    return choice._replace(
        caution=f"Not verified yet: {choice.words} is the smallest found{_of_depth(depth)} to reach {target:g} "
        f"on validation samples ({point.accuracy:.4f}), in one training."
    )


def _of_depth(depth: int | None) -> str:
    return "" if depth is None else f" with {plural(depth, 'hidden layer')}"


def _described(widths: Architecture) -> str:
    """Put an architecture into a sentence.

    >>> _described(()), _described((1,)), _described((12, 8))
    ('softmax alone', '1 neuron', '20 neurons in layers of 12-8')
    """
    if not widths:
        return "softmax alone"
    neurons = plural(sum(widths), "neuron")
    return neurons if len(widths) == 1 else f"{neurons} in layers of {describe(widths)}"
