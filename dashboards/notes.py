"""Notes for optuna-dashboard, in Markdown: what a study asks and has found, and what a network on its front is."""

from collections.abc import Sequence
from typing import Any

from fewest.dashboards.served_report import report_path
from fewest.search.answers.answer import Answer, TargetAnswer
from fewest.search.answers.sentences import statements
from fewest.search.answers.summary import FrontMember, Summary
from fewest.search.answers.wording import accuracy_words, enumerated, plural, short_percent
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import command_on
from fewest.search.settings.space import Architecture
from fewest.storage.trials.records import VerifiedNetwork

__all__ = ["VERIFIED_KEYS", "in_words", "study_note", "trial_note", "verified_attributes"]

VERIFIED_KEYS = ("verified_accuracy", "verified_sd", "verified_min", "verified_max", "verified_seeds")
"""The attributes of `verified_attributes`."""


def study_note(summary: Summary, config: StudyConfig, verified: Sequence[VerifiedNetwork]) -> str:
    """Write a study's note: its question, the answer so far, its settings, and the commands that go on from here.

    Args:
        summary: The study's answer.
        config: The study's settings.
        verified: Networks scored on the test set; empty before verification.
    """
    found = statements(summary, verified) or [_unverified(summary, target) for target in summary.targets]
    return "\n\n".join(
        [
            "# How many neurons?",
            _question(summary, config),
            f"## The answer so far\n\n{_bullets(found)}",
            _progress(summary, config, verified),
            f"[The report]({report_path(summary.study)}) has all figures. `fewest dashboard` serves it.",
            f"## Settings\n\n{_bullets(_settings(config))}",
            "## To go on from here\n\nEach command takes `--storage URL` where the storage is not `fewest.db`.",
            "```\n" + "\n".join(_commands(summary, config)) + "\n```",
        ]
    )


def trial_note(member: FrontMember, study: str) -> str:
    """Write the note of a trial on the front.

    Args:
        member: The trial's network.
        study: Name of the study.
    """
    bound = f"with {plural(member.neurons, 'neuron')} or fewer" if member.neurons else "without hidden neurons"
    lines = [
        f"**{in_words(member.widths)}** ({plural(member.parameters, 'parameter')}).",
        f"On the front: {_percent(member.validation_accuracy)} of validation samples right, the best so far {bound}.",
        _tested(member),
        f"`{command_on('export', study, f' --trial {member.trial} --output network.keras')}` writes it to a file.",
    ]
    return "\n\n".join(lines)


def verified_attributes(member: FrontMember) -> dict[str, Any]:
    """Return the test accuracy of a front member's architecture as attributes of its trial; none before verification.

    Accuracies are shares in 0..1; `verified_accuracy` is their mean over `verified_seeds` networks.
    """
    tested = member.test_accuracy
    if tested is None:
        return {}
    spread = (tested.mean, tested.sd, tested.min, tested.max)
    return dict(zip(VERIFIED_KEYS, (*(round(accuracy, 6) for accuracy in spread), tested.seeds), strict=True))


def in_words(widths: Architecture) -> str:
    """Put an architecture into words.

    >>> in_words(()), in_words((1,)), in_words((12, 8))
    ('Softmax alone, no hidden neurons', '1 neuron in one layer', '20 neurons in 2 layers of 12 and 8')
    """
    if not widths:
        return "Softmax alone, no hidden neurons"
    neurons = plural(sum(widths), "neuron")
    if len(widths) == 1:
        return f"{neurons} in one layer"
    return f"{neurons} in {len(widths)} layers of {enumerated(map(str, widths))}"


def _question(summary: Summary, config: StudyConfig) -> str:
    asked = [asked if isinstance(asked, str) else short_percent(asked) for asked in config.budget.targets]
    accuracy = "a balanced accuracy" if summary.metric == "balanced_accuracy" else "an accuracy"
    return (
        f"How many hidden neurons does a network need to reach {accuracy} of {enumerated(asked)} on "
        f"`{summary.dataset}`, with its {summary.classes:,} classes?"
    )


def _unverified(summary: Summary, target: TargetAnswer) -> str:
    opening = f"{accuracy_words('Validation accuracy', summary.metric)} of at least {short_percent(target.accuracy)}"
    member = summary.smallest_on_validation(target.accuracy)
    if member is None:
        return f"{opening}: no network has reached it yet"
    return (
        f"{opening}: {plural(member.neurons, 'neuron')} in trial {member.trial} "
        f"({in_words(member.widths)}), in one training, not yet verified"
    )


def _progress(summary: Summary, config: StudyConfig, verified: Sequence[VerifiedNetwork]) -> str:
    counts = summary.trials
    ended = counts.complete + counts.pruned + counts.failed
    return (
        f"{ended:,} of {plural(config.n_trials, 'network')} of the search have ended "
        f"({counts.complete:,} complete, {counts.pruned:,} pruned, {counts.failed:,} failed). "
        f"Verification has trained {plural(len(verified), 'network')}."
    )


def _tested(member: FrontMember) -> str:
    tested = member.test_accuracy
    if tested is None:
        return "Not verified: its test accuracy is not known."
    if tested.seeds == 1:
        return f"Verified from one seed on the test set: {_percent(tested.mean)} right."
    return (
        f"Verified from {tested.seeds} seeds on the test set: {_percent(tested.mean)} right on average, "
        f"from {_percent(tested.min)} to {_percent(tested.max)}, "
        f"with a standard deviation of {100 * tested.sd:.2f} points."
    )


def _settings(config: StudyConfig) -> list[str]:
    return [_space(config), _training(config), _pruning(config), _budget(config), _seed(config)]


def _space(config: StudyConfig) -> str:
    space = config.space
    if space.architectures is not None:
        return (
            f"Only {plural(len(space.architectures), 'listed architecture')}, activation {config.training.activation}"
        )
    if space.max_depth == 0:
        return "Networks without hidden layers"
    layers = "hidden layer" if space.max_depth == 1 else "hidden layers"
    return (
        f"Networks with at most {space.max_depth} {layers} of {space.min_width:,} to {space.max_width:,} neurons, "
        f"activation {config.training.activation}"
    )


def _training(config: StudyConfig) -> str:
    training = config.training
    rate = f"a constant learning rate of {training.learning_rate:g}"
    if training.schedule == "one_cycle":
        rate = f"a learning rate that rises to {training.learning_rate:g} and falls to 0"
    patience = training.patience
    stop = "" if patience is None else f", ended after {plural(patience, 'epoch')} without improvement"
    return f"{plural(training.epochs, 'epoch')} in batches of {training.batch_size:,}, {rate}{stop}"


def _pruning(config: StudyConfig) -> str:
    if not config.pruning.enabled:
        return "No network is pruned"
    risk = short_percent(config.pruning.risk)
    return f"A network is pruned once it can no longer reach the front, at an accepted risk of {risk}"


def _budget(config: StudyConfig) -> str:
    budget = config.budget
    limits = [plural(config.n_trials, "network")]
    if budget.timeout is not None:
        limits.append(f"{budget.timeout:g} seconds of training")
    if budget.patience is not None:
        limits.append(f"{plural(budget.patience, 'network')} without improvement of the front")
    seeds = budget.verification_seeds
    check = f"verification from at most {plural(seeds, 'seed')} each" if seeds else "no verification"
    return f"The search ends after {' or '.join(limits)}; {check}"


def _seed(config: StudyConfig) -> str:
    share = short_percent(config.data.validation_share)
    return f"Seed {config.seed}; {share} of the training samples are for validation"


def _commands(summary: Summary, config: StudyConfig) -> list[str]:
    name, budget = summary.study, config.budget
    more_seeds = f" --seeds {2 * max(budget.verification_seeds, 10)}"
    answered = [target.accuracy for target in summary.targets if isinstance(target.overall["typical"], Answer)]
    file = f" --target {answered[-1]:g} --output network.keras" if answered else ""
    return [
        command_on("answer", name),
        command_on("report", name),
        command_on("resume", name, f" --trials {2 * budget.trials}"),
        command_on("verify", name, more_seeds),
        *([command_on("export", name, file)] if file else []),
    ]


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}." for sentence in sentences)


def _percent(accuracy: float) -> str:
    return f"{100 * accuracy:.2f} %"
