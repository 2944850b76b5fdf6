"""The check of stored studies: the only module that turns stored attributes into typed records.

Other programs keep studies in the same database, and anybody may overwrite an attribute. So a study is ours, foreign or
damaged, and a trial's attributes count only if they are possible.

A study's name is the name in the storage. Its settings hold a name too, but only the one of its creation. Optuna copies
attributes unchanged, and a study may be renamed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fewest.search.settings.config import Metric, SettingsError, StudyConfig
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons, n_parameters
from fewest.search.settings.targets import valued
from fewest.storage.errors import MisuseError
from fewest.storage.trials.records import StudyRecord, TrialRecord

__all__ = [
    "Best",
    "DamagedStudyError",
    "DataDescription",
    "ForeignStudyError",
    "OurStudy",
    "checked_config",
    "our_study",
    "plausible",
    "shortened",
    "stored_best",
    "stored_config",
    "trouble_with",
]

_MARKS = {"settings": "budget", "data": "fingerprint", "environment": "fewest"}
"""Attributes that fewest gives a study, and a key that each of them holds in every study of ours."""

_ANY_NAME = "study"
"""Name that stands in while settings are checked: the name in the storage may be any text."""


class ForeignStudyError(MisuseError):
    """Another program made the study."""


class DamagedStudyError(MisuseError):
    """The study is ours, but an attribute that decides its networks cannot be read.

    Attributes:
        reason: The requirement, and the value found instead.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"Study '{name}' is damaged: {reason} Put the attribute back from a backup, or upgrade fewest if a newer "
            "one made the study."
        )


class DataDescription(BaseModel):
    """The data that a study was created with.

    Attributes:
        name: Name of the data set, or of its file.
        fingerprint: SHA-256 of the training arrays. It identifies the data, whatever their path.
        columns: What was found and made of a table's columns, in lines for the user.
        guessing: What each metric gives to guessing on the test set; empty in a study of an older version.
        notes: What was found of other data, in lines for the user.
        verifies_on_whole: Whether verified networks train on the validation samples, too. False where the protocol
            needs those to end a training, and in a study of an older version.
        test_counts: Test samples of each class where the metric weighs classes; else empty.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    name: str
    n_classes: int = Field(ge=2)
    input_shape: list[int]
    n_training: int = Field(ge=0)
    n_validation: int = Field(ge=0)
    n_test: int = Field(ge=0)
    fingerprint: str
    columns: list[str] = Field(default_factory=list)
    guessing: dict[Metric, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    verifies_on_whole: bool = False
    test_counts: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)

    def n_parameters(self, architecture: Architecture) -> int:
        """Count the trainable weights and biases of an architecture on these data."""
        return n_parameters(architecture, math.prod(self.input_shape), self.n_classes)


class Best(BaseModel):
    """What relative targets are relative to; stored once, when the search has ended.

    Attributes:
        accuracy: The best that the study's networks can do, in 0..1: `mean_rounded_down` of the seeds' test accuracies.
        widths: Hidden widths of the most accurate network on the front, which these seeds trained anew.
        seeds: Number of these seeds, without those that failed to train.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    accuracy: float = Field(ge=0, le=1)
    widths: list[Annotated[int, Field(ge=1)]]
    seeds: int = Field(ge=1)


@dataclass(frozen=True, slots=True)
class OurStudy:
    """A study that fewest made and can work with.

    Attributes:
        record: Record of the study in the storage.
        config: Settings of the study, with the name that the storage has.
        data: Description of its data.
        environment: Versions and machine. They affect no result, so an entry that is not text is left out.
        best: What relative targets are relative to; None before the search has ended.
    """

    record: StudyRecord
    config: StudyConfig
    data: DataDescription
    environment: Mapping[str, str]
    best: Best | None = None

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The targets as accuracies in 0..1, rising, without relative ones that have no value yet."""
        best = None if self.best is None else self.best.accuracy
        return tuple(target.accuracy for target in valued(self.config.budget.targets, best))

    def plausible(self, trial: TrialRecord) -> TrialRecord:
        """Remove impossible values from a trial of this study; see `plausible`."""
        return plausible(trial, self.config.space.search_space(), self.data.n_parameters)


def our_study(record: StudyRecord) -> OurStudy:
    """Read and check a study's attributes.

    Raises:
        ForeignStudyError: Another program made the study.
        DamagedStudyError: An attribute that decides its networks is not as fewest wrote it.
    """
    config = stored_config(record.name, record.attributes)
    try:
        data = DataDescription.model_validate(record.attributes.get("data"))
    except ValidationError as error:
        raise DamagedStudyError(record.name, _sentence(error)) from None
    environment = record.attributes.get("environment")
    texts = environment.items() if isinstance(environment, Mapping) else ()
    versions = {name: text for name, text in texts if isinstance(text, str)}
    return OurStudy(record, config, data, versions, stored_best(record))


def stored_best(record: StudyRecord) -> Best | None:
    """Read what a study's relative targets are relative to; None where it is not known yet.

    Raises:
        DamagedStudyError: The attribute is not as fewest wrote it.
    """
    best = record.attributes.get("best")
    try:
        return None if best is None else Best.model_validate(best)
    except ValidationError as error:
        raise DamagedStudyError(record.name, _sentence(error, "best")) from None


def trouble_with(record: StudyRecord) -> str | None:
    """Say in a few words why fewest cannot work with a study; None if it can.

    >>> trouble_with(StudyRecord(1, "theirs", {"data": "a path"}, {}))
    'not made by fewest'
    """
    try:
        our_study(record)
    except ForeignStudyError:
        return "not made by fewest"
    except DamagedStudyError as error:
        return f"damaged: {error.reason}"
    return None


def stored_config(name: str, attributes: Mapping[str, Any]) -> StudyConfig:
    """Read the settings that a study was created with, with its last budget and the name in the storage.

    Args:
        name: Name of the study in the storage. Optuna allows any text, even one that `--name` would refuse.
        attributes: User attributes of the study.

    Raises:
        ForeignStudyError: Another program made the study.
        DamagedStudyError: The study is ours, but its settings cannot be read.
    """
    if not _is_ours(attributes):
        has = "has other `settings`" if "settings" in attributes else "has no settings"
        raise ForeignStudyError(f"Study '{name}' was not made by fewest: it {has}. Choose another.")
    settings = attributes.get("settings")
    if not isinstance(settings, Mapping):
        raise DamagedStudyError(name, f"`settings` must be a table of settings, got {shortened(settings)}.")
    try:
        return checked_config(_present_settings(settings), name)
    except SettingsError as error:
        raise DamagedStudyError(name, f"its `settings` cannot be read: {error}") from None


def _present_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what older versions stored and always had the present meaning: a search for few neurons."""
    space = settings.get("space")
    if not isinstance(space, Mapping) or space.get("size") != "neurons":
        return dict(settings)
    return {**settings, "space": {name: value for name, value in space.items() if name != "size"}}


def checked_config(settings: Mapping[str, Any], name: str) -> StudyConfig:
    """Check settings, but take the name as it is: the storage has it already.

    Raises:
        SettingsError: A setting other than the name is wrong.
    """
    return StudyConfig.of({**settings, "name": _ANY_NAME}).model_copy(update={"name": name})


def plausible(
    trial: TrialRecord, space: SearchSpace, count_parameters: Callable[[Architecture], int] | None = None
) -> TrialRecord:
    """Remove impossible values from a trial.

    These are widths outside the space, sizes that do not fit the widths, and accuracies outside 0..1.

    Args:
        trial: Trial as its attributes describe it. Anybody may write attributes while it runs.
        space: Search space of the study.
        count_parameters: Function that counts an architecture's parameters; None trusts the trial's own number.

    Returns:
        The same trial if all its values are possible.
    """
    widths = trial.widths if trial.widths is not None and trial.widths in space else None
    neurons = None if widths is None else n_neurons(widths)
    parameters = None if widths is None else trial.parameters
    if widths is not None and count_parameters is not None:
        parameters = count_parameters(widths)
    accuracy = trial.validation_accuracy
    if accuracy is not None and not 0.0 <= accuracy <= 1.0:
        accuracy = None
    if (widths, neurons, parameters, accuracy) == (
        trial.widths,
        trial.neurons,
        trial.parameters,
        trial.validation_accuracy,
    ):
        return trial
    return replace(trial, widths=widths, neurons=neurons, parameters=parameters, validation_accuracy=accuracy)


def shortened(value: Any, length: int = 60) -> str:
    """Return a value that somebody else stored as text for an error: at most about `length` characters of it."""
    try:
        text = repr(value)
    except ValueError:  # A number of thousands of digits.
        text = "a number of thousands of digits"
    return text if len(text) <= length else f"{text[:length]}..."


def _is_ours(attributes: Mapping[str, Any]) -> bool:
    """Say whether any attribute is as fewest writes it: it is unlikely that all were overwritten."""
    values = ((attributes.get(name), mark) for name, mark in _MARKS.items())
    return any(isinstance(value, Mapping) and mark in value for value, mark in values)


def _sentence(error: ValidationError, attribute: str = "data") -> str:
    """Describe the first error of an attribute in a sentence."""
    problem = error.errors()[0]
    name = ".".join([attribute, *map(str, problem["loc"])])
    if problem["type"] == "missing":
        return f"`{name}` must be there."
    return f"`{name}` {problem['msg'].replace('Input should be', 'must be')}, got {shortened(problem['input'])}."
