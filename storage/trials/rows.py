"""Rows of Optuna's tables as values, for `new_trials`, `finished_trials` and `cohort_storage` to insert.

It imports Optuna, so import this module only where Optuna is used anyway.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from fewest.storage.database import optuna_private

__all__ = [
    "Row",
    "attribute_rows",
    "described",
    "external",
    "fixed",
    "intermediate_rows",
    "local",
    "now",
    "param_row",
    "trial_row",
    "utc",
    "value_rows",
]

Row = dict[str, Any]


def now() -> datetime:
    """Return the present time as Optuna stores it: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def utc(local: datetime | None) -> datetime | None:
    """Convert a naive local time to naive UTC, as Optuna stores it."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def local(utc: datetime | None) -> datetime | None:
    """Convert naive UTC to a naive local time: the inverse of `utc`."""
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def trial_row(study_id: int, number: int, template: FrozenTrial | None) -> Row:
    """Create a trial's row from its number and its template; without a template the trial is running."""
    return {
        "study_id": study_id,
        "number": number,
        "state": TrialState.RUNNING if template is None else template.state,
        "datetime_start": now() if template is None else utc(template.datetime_start),
        "datetime_complete": None if template is None else utc(template.datetime_complete),
    }


def param_row(trial_id: int, name: str, value: Any, distribution: BaseDistribution) -> Row:
    """Create a parameter's row from its external value, the one that users see."""
    return {
        "trial_id": trial_id,
        "param_name": name,
        "param_value": distribution.to_internal_repr(value),
        "distribution_json": distribution_to_json(distribution),
    }


def external(value: Any, distribution: str) -> Any:
    """Return a parameter's external value; the stored one where its distribution cannot be applied."""
    try:
        return json_to_distribution(distribution).to_external_repr(value)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return value


def fixed(text: str) -> dict[str, Any]:
    """Parse the parameters that `study.enqueue_trial` fixed; text of another form becomes a key of its own."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    return values if isinstance(values, dict) else {text: None}


def value_rows(trial_id: int, values: Sequence[float]) -> list[Row]:
    """Create a row for each objective's value."""
    rows = []
    for objective, value in enumerate(values):
        stored, kind = optuna_private.value_parts(value)
        rows.append({"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind})
    return rows


def described(attributes: Mapping[str, Any]) -> list[Row]:
    """Create a row for each attribute, still without its owner."""
    return [{"key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def attribute_rows(trial_id: int, attributes: Mapping[str, Any]) -> list[Row]:
    """Create a row for each attribute of a trial."""
    return [{"trial_id": trial_id, **row} for row in described(attributes)]


def intermediate_rows(trial_id: int, values: Mapping[int, float]) -> list[Row]:
    """Create a row for each of a trial's intermediate values, by step."""
    rows = []
    for step, value in values.items():
        stored, kind = optuna_private.intermediate_value_parts(value)
        rows.append(
            {
                "trial_id": trial_id,
                "step": step,
                "intermediate_value": stored,
                "intermediate_value_type": kind,
            }
        )
    return rows
