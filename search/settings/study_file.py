"""A study's settings -> a study file with a comment on every line, which gives the same settings when it is read."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fewest.search.settings.config import StudyConfig, shown

__all__ = ["as_toml", "study_file"]

COMMENTS: Final = {
    "name": "its name in the storage",
    "seed": "decides every network and every choice of the search",
    "engine": 'or "keras": one network after another, slower',
    "data.validation": 'or "tail": the last rows of the training set',
    "data.validation_share": "of the training set; the test set stays sealed until verification",
    "data.label": "the column of the classes",
    "data.ignore": "columns that are no inputs",
    "data.test": "the test set: a share of each class, or the path of another table",
    "data.group": "rows of one group never stand on both sides of a split",
    "data.order": "the last rows are the test, the end of the others validates",
    "data.rows": "a sample of so many rows",
    "space.max_depth": "hidden layers at most; 0 is softmax alone",
    "space.min_width": "units of a hidden layer",
    "training.protocol": 'or "notebook": constant learning rate, early stopping',
    "training.batch_size": "rows in a step; larger ones are faster, and need more epochs",
    "training.epochs": "passes over the training rows",
    "training.learning_rate": "the highest, if the schedule is one_cycle",
    "training.schedule": 'or "constant"',
    "training.warmup": "share of the steps before the highest learning rate",
    "training.activation": 'or "tanh", "sigmoid"',
    "pruning.risk": "accepted chance of pruning a trial that would have entered the front",
    "budget.trials": "networks in all; a larger number later extends the study",
    "budget.patience": "the search ends when so many trials have not improved the front",
    "budget.targets": "test accuracies asked about",
    "budget.verification_seeds": "networks that a candidate is retrained as, at most; 0 skips verification",
}

OPTIONAL: Final = {
    "data.group": 'group = "COLUMN"',
    "data.order": 'order = "COLUMN"',
    "data.rows": "rows = 10000",
    "budget.timeout": "timeout = 3600",
    "training.patience": "patience = 10",
}
"""Settings that may have no value, as they would be written."""

OPTIONAL_COMMENTS: Final = {
    "budget.timeout": "seconds of training in all, summed over workers",
    "training.patience": "a network ends after so many epochs without a better validation accuracy",
}

_WIDTH = 110


OF_COLUMNS: Final = ("label", "ignore", "test", "group", "order")
"""Settings of `[data]` that only tables have."""


def study_file(config: StudyConfig, found: Sequence[str], command: str, *, of_table: bool) -> str:
    """Write a study file.

    Args:
        config: Settings to write.
        found: What a look at the data found, in sentences.
        command: The command that runs the file.
        of_table: Whether the data are a table.

    Returns:
        TOML that reads as the same settings.
    """
    intro = [
        f"# A study of {shown(config.data.name)}. Run it with",
        "#",
        f"#     {command}",
        "#",
    ]
    for sentence in found:
        intro += textwrap.wrap(
            sentence, _WIDTH, initial_indent="# - ", subsequent_indent="#   ", break_on_hyphens=False
        )
    settings = config.settings()
    if not of_table:
        settings["data"] = {name: value for name, value in settings["data"].items() if name not in OF_COLUMNS}
    plain = {name: value for name, value in settings.items() if not isinstance(value, Mapping)}
    lines = [*intro, "", *_lines(plain, "")]
    for section, values in settings.items():
        if isinstance(values, Mapping) and (written := list(_lines(values, f"{section}."))):
            lines += ["", f"[{section}]", *written]
    return "\n".join(lines) + "\n"


def as_toml(value: Any) -> str:
    """Write a JSON value as TOML. The two differ in surrogate pairs, and in DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _lines(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield a line for each setting; one without a value is a comment, or left out."""
    for name, value in values.items():
        dotted = f"{prefix}{name}"
        comment = OPTIONAL_COMMENTS.get(dotted) or COMMENTS.get(dotted)
        if value is not None:
            text = f"{name} = {as_toml(value)}"
        elif dotted in OPTIONAL:
            text = f"# {OPTIONAL[dotted]}"
        else:
            continue
        yield f"{text:<27} # {comment}" if comment else text
