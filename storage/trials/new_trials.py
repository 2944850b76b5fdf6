"""New trials of a study with all that their templates have, written in a transaction that the caller opens.

It imports Optuna, so import this module only where Optuna is used anyway.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, check_distribution_compatibility, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection

from fewest.storage.database import optuna_private
from fewest.storage.trials import rows as rows_of

__all__ = ["Distributions", "NewTrial", "insert_trials", "last_trial"]

_tables = optuna_private.tables()
_trials, _params = _tables.trials, _tables.params

Distributions: TypeAlias = dict[tuple[int, str], BaseDistribution]
"""The distribution that a study's parameter has in the storage, by study id and name; those read so far."""


class NewTrial(NamedTuple):
    """A trial that was just written."""

    trial_id: int
    number: int
    started: datetime | None
    """Naive UTC; None for a waiting trial."""


def last_trial(connection: Connection, study_id: int) -> tuple[int, int]:
    """Return a study's number of trials, and the id of its last one, -1 for none.

    A trial's number is the count of trials before it, so the last trial's number makes counting unnecessary.
    """
    own = sa.select(_trials.c.number, _trials.c.trial_id).where(_trials.c.study_id == study_id)
    last = connection.execute(own.order_by(_trials.c.trial_id.desc()).limit(1)).one_or_none()
    return (0, -1) if last is None else (last.number + 1, last.trial_id)


def insert_trials(
    connection: Connection,
    study_id: int,
    templates: Sequence[FrozenTrial | None],
    known: Distributions,
    *,
    n_trials: int = 0,
    last_id: int = -1,
) -> list[NewTrial]:
    """Write new trials into a study, which nobody else adds trials to meanwhile.

    Args:
        connection: A connection in the transaction.
        study_id: The study's key.
        templates: As for `CohortStorage.create_trials`.
        known: Distributions read so far, to which those read now are added.
        n_trials: Number of trials that the study has.
        last_id: Id of the last one.

    Raises:
        ValueError: A parameter's distribution is incompatible with its distribution elsewhere in the study.
    """
    if not templates:
        return []
    rows = [rows_of.trial_row(study_id, n_trials + i, template) for i, template in enumerate(templates)]
    connection.execute(sa.insert(_trials), rows)
    created = connection.execute(
        sa.select(_trials.c.trial_id, _trials.c.number)
        .where(_trials.c.study_id == study_id, _trials.c.trial_id > last_id)
        .order_by(_trials.c.number)
    ).all()
    new = [NewTrial(*ids, row["datetime_start"]) for ids, row in zip(created, rows, strict=True)]
    filled = {trial.trial_id: template for trial, template in zip(new, templates, strict=True) if template is not None}
    for template in filled.values():
        for name, distribution in template.distributions.items():
            _require_compatible(connection, study_id, name, distribution, known)
    _fill(connection, filled)
    return new


def _fill(connection: Connection, templates: Mapping[int, FrozenTrial]) -> None:
    """Write the parameters, values and attributes of new trials, by trial id."""
    params: list[rows_of.Row] = []
    values: list[rows_of.Row] = []
    user_attributes: list[rows_of.Row] = []
    system_attributes: list[rows_of.Row] = []
    intermediate_values: list[rows_of.Row] = []
    for trial_id, template in templates.items():
        for name, value in template.params.items():
            params.append(rows_of.param_row(trial_id, name, value, template.distributions[name]))
        values += rows_of.value_rows(trial_id, template.values or ())
        user_attributes += rows_of.attribute_rows(trial_id, template.user_attrs)
        system_attributes += rows_of.attribute_rows(trial_id, template.system_attrs)
        intermediate_values += rows_of.intermediate_rows(trial_id, template.intermediate_values)
    for table, rows in (
        (_params, params),
        (_tables.values, values),
        (_tables.user_attributes, user_attributes),
        (_tables.system_attributes, system_attributes),
        (_tables.intermediate_values, intermediate_values),
    ):
        if rows:
            connection.execute(sa.insert(table), rows)


def _require_compatible(
    connection: Connection, study_id: int, name: str, distribution: BaseDistribution, known: Distributions
) -> None:
    """Require that a parameter keeps its kind in a study, failed trials aside; read once for each parameter."""
    before = known.get((study_id, name))
    if before is None:
        stored = connection.scalar(
            sa.select(_params.c.distribution_json)
            .join(_trials, _trials.c.trial_id == _params.c.trial_id)
            .where(
                _trials.c.study_id == study_id,
                _params.c.param_name == name,
                _trials.c.state != TrialState.FAIL,  # It may have failed for this very parameter.
            )
            .limit(1)
        )
        before = distribution if stored is None else json_to_distribution(stored)
        if stored is not None:
            known[study_id, name] = before
    check_distribution_compatibility(before, distribution)
