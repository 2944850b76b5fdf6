"""What a study in the storage says of itself, checked: the one gate from stored attributes to typed records.

Other programs keep studies in the same database, and anybody may overwrite an attribute. So a study is ours, foreign or
damaged, and what a trial says of itself counts only where it can be true.

The storage's name is the study's name. Its settings hold one too, but that is the name the study was created under:
Optuna copies attributes as they are, and a study may be renamed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fewest.search.settings.config import SettingsError, StudyConfig
from fewest.search.settings.space import Architecture, SearchSpace, n_neurons, n_parameters
from fewest.storage.errors import MisuseError
from fewest.storage.trials.records import StudyRecord, TrialRecord

__all__ = [
    "DamagedStudyError",
    "DataDescription",
    "ForeignStudyError",
    "OurStudy",
    "checked_config",
    "our_study",
    "plausible",
    "stored_config",
    "trouble_with",
]

_MARKS = {"settings": "budget", "data": "fingerprint", "environment": "fewest"}
"""Attributes that fewest gives a study, and what each of them holds in every study of ours."""

_ANY_NAME = "study"
"""Stands in where settings are checked whose name is the storage's, which may be any text."""


class ForeignStudyError(MisuseError):
    """Another program made the study."""


class DamagedStudyError(MisuseError):
    """The study is ours, and something that decides its networks cannot be read any more.

    Attributes:
        reason: What must hold, and what arrived.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"Study '{name}' is damaged: {reason} Put the attribute back from a backup, or upgrade fewest if a newer "
            "one made the study."
        )


class DataDescription(BaseModel):
    """The data a study was made on.

    Attributes:
        name: What the data set, or its file, was called.
        fingerprint: SHA-256 of the training arrays: the identity of the data, wherever they lie.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    name: str
    n_classes: int = Field(ge=2)
    input_shape: list[int]
    n_training: int = Field(ge=0)
    n_validation: int = Field(ge=0)
    n_test: int = Field(ge=0)
    fingerprint: str

    def n_parameters(self, architecture: Architecture) -> int:
        """Count the weights and biases of an architecture on these data."""
        return n_parameters(architecture, math.prod(self.input_shape), self.n_classes)


@dataclass(frozen=True, slots=True)
class OurStudy:
    """A study that fewest made and can work with.

    Attributes:
        record: As the storage has it.
        config: Its settings, under the storage's name.
        data: What it was made on.
        environment: Versions and machine; they decide nothing, so what is no text is left out.
    """

    record: StudyRecord
    config: StudyConfig
    data: DataDescription
    environment: Mapping[str, str]

    def plausible(self, trial: TrialRecord) -> TrialRecord:
        """Leave out of a trial of this study what cannot be; see `plausible`."""
        return plausible(trial, self.config.space.search_space(), self.data.n_parameters)


def our_study(record: StudyRecord) -> OurStudy:
    """Read a study's attributes.

    Raises:
        ForeignStudyError: Another program made it.
        DamagedStudyError: An attribute that decides its networks is not what fewest wrote.
    """
    config = stored_config(record.name, record.attributes)
    try:
        data = DataDescription.model_validate(record.attributes.get("data"))
    except ValidationError as error:
        raise DamagedStudyError(record.name, _sentence(error)) from None
    environment = record.attributes.get("environment")
    texts = environment.items() if isinstance(environment, Mapping) else ()
    return OurStudy(record, config, data, {name: text for name, text in texts if isinstance(text, str)})


def trouble_with(record: StudyRecord) -> str | None:
    """Say why a study cannot be worked with, in a few words; None if it can.

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
    """The settings a study was created with, its budget as last extended, under the name that the storage has.

    Args:
        name: The study's in the storage. Optuna allows any text, also one that `--name` would refuse.
        attributes: Its user attributes.

    Raises:
        ForeignStudyError: The study is not one of ours.
        DamagedStudyError: It is, and its settings cannot be read.
    """
    if not _is_ours(attributes):
        has = "has other `settings`" if "settings" in attributes else "has no settings"
        raise ForeignStudyError(f"Study '{name}' was not made by fewest: it {has}. Choose another.")
    settings = attributes.get("settings")
    if not isinstance(settings, Mapping):
        raise DamagedStudyError(name, f"`settings` must be a table of settings, got {_short(settings)}.")
    try:
        return checked_config(settings, name)
    except SettingsError as error:
        raise DamagedStudyError(name, f"its `settings` cannot be read: {error}") from None


def checked_config(settings: Mapping[str, Any], name: str) -> StudyConfig:
    """Check settings whose name is one that the storage has already, which is taken as it is.

    Raises:
        SettingsError: Another setting is wrong.
    """
    return StudyConfig.of({**settings, "name": _ANY_NAME}).model_copy(update={"name": name})


def plausible(
    trial: TrialRecord, space: SearchSpace, count_parameters: Callable[[Architecture], int] | None = None
) -> TrialRecord:
    """Leave out of a trial what cannot be: widths outside the space, sizes that are not theirs, no share as accuracy.

    Args:
        trial: As its attributes describe it, which anybody may write while it runs.
        space: The study's.
        count_parameters: Counts an architecture's parameters; None takes the trial's word for them.

    Returns:
        The same trial where all of it can be.
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


def _is_ours(attributes: Mapping[str, Any]) -> bool:
    """Say whether any attribute is as fewest writes it: all are unlikely to be overwritten at once."""
    values = ((attributes.get(name), mark) for name, mark in _MARKS.items())
    return any(isinstance(value, Mapping) and mark in value for value, mark in values)


def _sentence(error: ValidationError) -> str:
    """Say what is wrong first with a data description."""
    problem = error.errors()[0]
    name = ".".join(["data", *map(str, problem["loc"])])
    if problem["type"] == "missing":
        return f"`{name}` must be there."
    return f"`{name}` {problem['msg'].replace('Input should be', 'must be')}, got {_short(problem['input'])}."


def _short(value: Any, length: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}..."
