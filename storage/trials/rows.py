"""Rows of Optuna's tables, as values: what `fewest.storage.trials.cohort_storage` inserts for a trial.

Imports Optuna; import this module only where Optuna is used anyway.
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
    """Give the time as Optuna stores it: UTC, without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)


def utc(local: datetime | None) -> datetime | None:
    """Turn a local time that does not say so into UTC that does not either, as Optuna stores it."""
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def local(utc: datetime | None) -> datetime | None:
    """Turn back what `utc` made."""
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def trial_row(study_id: int, number: int, template: FrozenTrial | None) -> Row:
    """Make the row of a trial: its number in the study, and what its template says; None is a running trial."""
    return {
        "study_id": study_id,
        "number": number,
        "state": TrialState.RUNNING if template is None else template.state,
        "datetime_start": now() if template is None else utc(template.datetime_start),
        "datetime_complete": None if template is None else utc(template.datetime_complete),
    }


def param_row(trial_id: int, name: str, value: Any, distribution: BaseDistribution) -> Row:
    """Make the row of a parameter, whose value is as users see it."""
    return {
        "trial_id": trial_id,
        "param_name": name,
        "param_value": distribution.to_internal_repr(value),
        "distribution_json": distribution_to_json(distribution),
    }


def external(value: Any, distribution: str) -> Any:
    """Read a parameter's value as users see it; as it is stored where its distribution makes no sense of it."""
    try:
        return json_to_distribution(distribution).to_external_repr(value)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return value


def fixed(text: str) -> dict[str, Any]:
    """Read the parameters that `study.enqueue_trial` fixed; what is no table of them stands under its own text."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    return values if isinstance(values, dict) else {text: None}


def value_rows(trial_id: int, values: Sequence[float]) -> list[Row]:
    """Make a row for each objective's value."""
    rows = []
    for objective, value in enumerate(values):
        stored, kind = optuna_private.value_parts(value)
        rows.append({"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind})
    return rows


def described(attributes: Mapping[str, Any]) -> list[Row]:
    """Make a row for each attribute, whose owner is still to be added."""
    return [{"key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def attribute_rows(trial_id: int, attributes: Mapping[str, Any]) -> list[Row]:
    """Make a row for each attribute of a trial."""
    return [{"trial_id": trial_id, **row} for row in described(attributes)]


def intermediate_rows(trial_id: int, values: Mapping[int, float]) -> list[Row]:
    """Make a row for each of a trial's intermediate values, by step."""
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
