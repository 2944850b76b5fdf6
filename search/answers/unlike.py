"""What studies do not share: settings that differ, in words, and remarks on data, split, test set and targets."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fewest.search.answers.wording import short_percent
from fewest.search.settings.config import shown
from fewest.search.settings.files import command_on, flattened
from fewest.search.settings.stored import OurStudy

__all__ = ["WORDS", "SettingRow", "remarks", "unlike_settings"]

WORDS: Mapping[str, str] = {
    "data.name": "data set",
    "data.validation": "choice of validation samples",
    "data.validation_share": "share of validation samples",
    "data.label": "column of labels",
    "data.ignore": "columns left out",
    "data.test": "test rows",
    "data.group": "column of groups",
    "data.order": "column of times",
    "data.rows": "sample of rows",
    "data.metric": "accuracy means",
    "training.protocol": "protocol",
    "training.activation": "activation",
    "training.epochs": "epochs at most",
    "training.batch_size": "batch size",
    "training.learning_rate": "learning rate",
    "training.schedule": "schedule of the learning rate",
    "training.warmup": "share of warm-up",
    "training.patience": "epochs without improvement that end a training",
    "space.max_depth": "hidden layers at most",
    "space.min_width": "least width of a layer",
    "space.max_width": "largest width of a layer",
    "space.architectures": "architectures listed",
    "seed": "seed",
    "engine": "engine",
    "pruning.enabled": "pruning",
    "pruning.risk": "accepted risk of a false prune",
    "budget.trials": "networks of the search",
    "budget.timeout": "seconds of training at most",
    "budget.patience": "networks without improvement that end the search",
    "budget.targets": "target accuracies",
    "budget.verification_seeds": "seeds a candidate at most",
    "budget.goal": "goal",
}
"""Words for every setting that may affect an answer, in the order in which differences are listed."""


class SettingRow(NamedTuple):
    """A setting that differs.

    Attributes:
        words: What the setting is.
        values: Its value in each study, in words.
    """

    words: str
    values: tuple[str, ...]


def unlike_settings(studies: Sequence[OurStudy]) -> list[SettingRow]:
    """List the settings that differ between studies, in words. A file that has only moved is no difference."""
    settings = [dict(flattened(study.config.settings())) for study in studies]
    same_data = len({study.data.fingerprint for study in studies}) == 1
    rows = []
    for name, words in WORDS.items():
        values = [each.get(name) for each in settings]
        if any(value != values[0] for value in values) and not (name == "data.name" and same_data):
            rows.append(SettingRow(words, tuple(map(_in_words, values))))
    return rows


def remarks(
    studies: Mapping[str, OurStudy], verified: Mapping[str, bool], storages: Mapping[str, str]
) -> Iterator[str]:
    """Yield sentences on what the studies do not share with the first, and on what is missing.

    Args:
        studies: The studies by label, the first one first.
        verified: Whether a study has verified networks, by label.
        storages: The option of a command that names a study's storage, by label.
    """
    (first, base), *others = studies.items()
    for label, study in studies.items():
        if not verified[label]:
            command = command_on("verify", study.config.name, storages[label])
            yield f"{shown(label)} is not verified yet, so it has no answers; `{command}` verifies it."
    for label, study in others:
        yield from _not_shared(f"{shown(first)} and {shown(label)}", base, study)
    targets = sorted({target for study in studies.values() for target in study.accuracies})
    for label, study in studies.items():
        missing = [target for target in targets if target not in study.accuracies]
        if missing:
            named = ", ".join(short_percent(target) for target in missing)
            options = "".join(f" --target {target:g}" for target in missing)
            command = command_on("verify", study.config.name, f"{options}{storages[label]}")
            yield f"{shown(label)} was not verified for {named}: its intervals there may be wide. `{command}` does it."


def _not_shared(both: str, base: OurStudy, study: OurStudy) -> Iterator[str]:
    if study.data.fingerprint != base.data.fingerprint:
        yield f"{both} do not share their samples: a difference between them may come from the data."
        return
    if study.config.data.metric != base.config.data.metric:
        yield f"{both} mean different things by accuracy: their targets are not the same."
    if _test_rows(study) != _test_rows(base):
        yield f"{both} do not share their test samples: a difference between them may come from those."
    if study.data.verifies_on_whole != base.data.verifies_on_whole:
        yield f"{both} verify unlike networks: only those of one of them train on the validation samples, too."
    elif not study.data.verifies_on_whole and _split(study) != _split(base):
        yield (
            f"{both} split training and validation samples differently. That alone may move accuracies by 0.001: "
            "compare studies of one `seed`."
        )


def _test_rows(study: OurStudy) -> tuple[Any, ...]:
    """Return what decides the test rows."""
    data = study.config.data
    return study.data.n_test, data.test, data.group, data.order, data.rows


def _split(study: OurStudy) -> tuple[Any, ...]:
    """Return what decides the split of training and validation samples; the last samples of a file need no seed."""
    data = study.config.data
    return data.validation, data.validation_share, study.config.seed if data.validation == "stratified" else None


def _in_words(value: Any) -> str:
    """Write a setting's value for people.

    >>> _in_words(True), _in_words(None), _in_words([0.9, 0.95]), _in_words([]), _in_words([[12, 8]]), _in_words("relu")
    ('on', 'none', '0.9, 0.95', 'none', '12-8', 'relu')
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == []:
        return "none"
    if isinstance(value, list):
        return ", ".join("-".join(map(str, part)) if isinstance(part, list) else _in_words(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
