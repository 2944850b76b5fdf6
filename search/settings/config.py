"""Study files and their settings, checked when they are constructed, before anything is opened or trained.

A study file is TOML. Every setting has a dotted name (`training.epochs`) that errors and `--set` use alike.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails

from fewest.search.settings.protocol import Protocol
from fewest.search.settings.space import SearchSpace
from fewest.search.settings.targets import Asked, in_order, parsed
from fewest.storage.errors import MisuseError

__all__ = [
    "GOALS",
    "IN_MEMORY",
    "BudgetConfig",
    "DataConfig",
    "EngineName",
    "Goal",
    "Metric",
    "OutputConfig",
    "PruningConfig",
    "ReferenceConfig",
    "SettingsError",
    "SpaceConfig",
    "StudyConfig",
    "did_you_mean",
    "shown",
]

IN_MEMORY: Final = "data from Python"
"""Name of data that a program gave: no file has them."""

Accuracy: TypeAlias = Annotated[float, Field(gt=0, lt=1)]

EngineName: TypeAlias = Literal["population", "keras"]
"""The engines; `search.training.engines` has what each is."""

Metric: TypeAlias = Literal["accuracy", "balanced_accuracy"]
"""What an accuracy is: the share of right samples, or the mean of the classes' shares; see `search.data.metrics`."""
Goal: TypeAlias = Literal["answer", "front", "depths"]
"""What a study works for: answers over all depths, then a level front, then an answer for every depth as well."""

GOALS: tuple[Goal, ...] = get_args(Goal)
"""The goals, each of which includes those before it."""


class SettingsError(MisuseError):
    """A study file or an override has an invalid setting."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _storable(name: Any, info: ValidationInfo) -> Any:
    """Refuse characters that no database and no file name can hold, with a clearer message than Pydantic's."""
    if isinstance(name, str) and ("\0" in name or any("\ud800" <= character <= "\udfff" for character in name)):
        what = "column" if info.field_name in ("label", "ignore", "group", "order") else "file"
        raise ValueError(
            f"`data.{info.field_name}` must be UTF-8 without NUL, since the study keeps it, got {shown(name)}; "
            f"rename the {what}."
        )
    return name


def _share_or_path(test: Any, info: ValidationInfo) -> Any:
    """Refuse what is neither a share nor a path in one sentence; Pydantic would have one for each type."""
    if isinstance(test, str):
        return _storable(test, info)
    if isinstance(test, (int, float)) and 0 < test < 1:
        return float(test)
    raise ValueError(f"`data.test` must be a share above 0 and below 1, or the path of a table, got {test!r}.")


Storable: TypeAlias = Annotated[str, BeforeValidator(_storable)]


class DataConfig(_Settings):
    """The data set, and the split of its training set into training and validation samples."""

    name: Storable = Field(min_length=1)
    validation: Literal["stratified", "tail"] = "stratified"
    validation_share: float = Field(default=0.15, gt=0, lt=1)
    metric: Metric = "accuracy"
    """What is measured wherever an accuracy is: in search, pruning, verification and answer."""
    label: Storable | None = None
    """A table's column of labels; None for its last one."""
    ignore: tuple[Storable, ...] = ()
    """A table's columns that are no inputs."""
    test: Annotated[float | str, BeforeValidator(_share_or_path)] = 0.2
    """A table's test rows: a share of each class, or the path of another table."""
    group: Storable | None = None
    """A table's column of groups, each of which stays on one side of every split; no input."""
    order: Storable | None = None
    """A table's column of times: the last rows are the test, the end of the rest validates; no input."""
    rows: int | None = Field(default=None, ge=1)
    """Rows of a table, or samples of the training arrays, to draw a sample of; None takes all."""

    @model_validator(mode="after")
    def _one_way_to_split(self) -> "DataConfig":
        if self.group is not None and self.order is not None:
            raise ValueError("`data.group` and `data.order` exclude each other; give one of them.")
        if self.validation == "tail" and self.group is not None:
            raise ValueError("`data.validation` must be 'stratified' with `data.group`, got 'tail'.")
        return self


class SpaceConfig(_Settings):
    """The architectures to search."""

    max_depth: int = Field(default=3, ge=0, le=8)
    min_width: int = Field(default=1, ge=1)
    max_width: int = Field(default=128, ge=1, le=65_536)
    architectures: tuple[tuple[Annotated[int, Field(ge=1)], ...], ...] | None = None
    """The only architectures to train, in this order, without a search; None searches."""

    @model_validator(mode="after")
    def _widths_in_order(self) -> "SpaceConfig":
        if self.min_width > self.max_width:
            raise ValueError(
                f"`space.min_width` must be at most `space.max_width`, got {self.min_width} > {self.max_width}."
            )
        for architecture in self.architectures or ():
            if architecture not in self.search_space():
                raise ValueError(
                    f"`space.architectures` must lie within the space, got {list(architecture)} with at most "
                    f"{self.max_depth} layers of {self.min_width} to {self.max_width} units."
                )
        return self

    def search_space(self) -> SearchSpace:
        """Return the search space that these settings describe."""
        return SearchSpace(self.max_depth, self.min_width, self.max_width)


class PruningConfig(_Settings):
    """Whether trials are pruned, and at which risk."""

    enabled: bool = True
    risk: float = Field(default=0.01, gt=0, lt=0.5)
    """Accepted chance of pruning a trial that would have entered the front."""


class BudgetConfig(_Settings):
    """The totals that a study may spend, over all its runs and workers, and its target accuracies."""

    trials: int = Field(ge=1)
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds of training in all, summed over workers; None sets no limit."""
    patience: int | None = Field(default=100, ge=1)
    """Number of trials without improvement of the front after which the search ends; None never ends it so."""
    targets: tuple[Annotated[Asked, BeforeValidator(parsed)], ...] = Field(min_length=1)
    """Accuracies, and those relative to the best such as "best - 0.01"; each once, in order."""
    verification_seeds: int = Field(default=20, ge=0)
    """Most seeds for each candidate in verification; 0 skips verification."""
    goal: Goal = "front"
    """Where the study ends: with the answers, with a level front as well, or with an answer for every depth, too."""

    @model_validator(mode="after")
    def _targets_ascend(self) -> "BudgetConfig":
        object.__setattr__(self, "targets", in_order(self.targets))
        return self


class OutputConfig(_Settings):
    """Output during training."""

    monitor_every: int | None = Field(default=None, ge=1)
    """Number of epochs between two prints of each network's metrics; None prints none."""


class ReferenceConfig(_Settings):
    """Published figures for the listed architectures, to print beside ours."""

    source: str
    test_accuracy: tuple[Accuracy, ...]
    """Test accuracy of each of `space.architectures`, in order, in 0..1."""


class StudyConfig(_Settings):
    """All settings of a study.

    Raises:
        SettingsError: From `StudyConfig.of`, when a setting is unknown, missing or out of range.

    Example:
        >>> config = {"name": "mine", "data": {"name": "digits"}, "budget": {"trials": 9, "targets": [0.9, 0.8]}}
        >>> StudyConfig.of(config).budget.targets
        (0.8, 0.9)
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    seed: int = Field(default=0, ge=0, lt=2**32)
    engine: EngineName = "population"
    data: DataConfig
    space: SpaceConfig = SpaceConfig()
    training: Protocol = Protocol()
    pruning: PruningConfig = PruningConfig()
    budget: BudgetConfig
    output: OutputConfig = OutputConfig()
    reference: ReferenceConfig | None = None

    @model_validator(mode="after")
    def _a_figure_for_each_architecture(self) -> "StudyConfig":
        listed = self.space.architectures or ()
        if self.reference is not None and len(self.reference.test_accuracy) != len(listed):
            raise ValueError(
                f"`reference.test_accuracy` must have a figure for each of the {len(listed)} `space.architectures`, "
                f"got {len(self.reference.test_accuracy)}."
            )
        return self

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "StudyConfig":
        """Check settings given as nested tables; an error is one line."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise SettingsError(_one_line(error, settings)) from None

    @property
    def n_trials(self) -> int:
        """Number of trials in all: the budget, or fewer if the settings list the architectures."""
        fixed = self.space.architectures
        return self.budget.trials if fixed is None else min(self.budget.trials, len(fixed))

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON values, nested as in a study file."""
        return self.model_dump(mode="json")


_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def _one_line(error: ValidationError, settings: Mapping[str, Any]) -> str:
    """Describe the first wrong setting in a sentence, and count the others."""
    everything = [(problem["loc"], problem) for problem in error.errors()]
    # A wrong item makes Pydantic report its list as well: report the item alone.
    found = [one for loc, one in everything if not any(loc == other[:-1] for other, _ in everything)]
    first, more = found[0], len(found) - 1
    line = _sentence(first)
    return line if not more else f"{line} ({more} more after this one.)"


def _sentence(error: ErrorDetails) -> str:
    name = shown(".".join(str(part) for part in error["loc"] if not isinstance(part, int)))[1:-1]
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"Unknown setting `{name}`{did_you_mean(name, _known_settings()) or '.'}"
    if kind == "missing":
        return f"`{name}` must be given."
    if kind == "value_error":
        return str(context["error"])
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        return f"`{name}` must be {words} {context[key]}, got {error['input']!r}."
    if kind == "literal_error":
        return f"`{name}` must be one of {context['expected']}, got {error['input']!r}."
    requirement = error["msg"].replace("Input should be", "must be").replace("String should", "must")
    return f"`{name}` {requirement[0].lower()}{requirement[1:]}, got {error['input']!r}."


def _known_settings(model: type[BaseModel] = StudyConfig, prefix: str = "") -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += [f"{prefix}{name}", *_known_settings(kind, f"{prefix}{name}.")]
        else:
            names.append(f"{prefix}{name}")
    return names


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known name, or nothing if none is near."""
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"; did you mean '{nearest[0]}'?" if nearest else ""


def shown(text: str) -> str:
    r"""Quote a user's text on one line, with unprintable characters escaped.

    >>> print(shown("naïve 🎉"), shown("two\nlines"))
    'naïve 🎉' 'two\nlines'
    """
    return f"'{text}'" if text.isprintable() else repr(text)
