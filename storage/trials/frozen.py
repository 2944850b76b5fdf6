"""Optuna's frozen trials, read with one query for each of its tables.

Optuna reads an object for each row and each distribution, which takes seconds for thousands of trials. This module
imports Optuna, so import it only where Optuna is used anyway.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Container
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection

from fewest.storage.database import optuna_private
from fewest.storage.trials.rows import local

__all__ = ["read_frozen_trials"]

MOST_LISTED: Final = 500
"""Most trials that a query lists by their ids."""

_TABLES = optuna_private.tables()


def read_frozen_trials(
    connection: Connection, study_id: int, states: Container[TrialState] | None, listed: Collection[int], after: int
) -> list[FrozenTrial]:
    """Read trials of a study, by id.

    Args:
        connection: A connection in a transaction.
        study_id: The study's key.
        states: States of the trials to read; None for any.
        listed: Ids of trials to read.
        after: Id after which all trials are read, too.

    Raises:
        KeyError: The study does not exist.
    """
    studies, trials = _TABLES.studies, _TABLES.trials
    if connection.scalar(sa.select(studies.c.study_id).where(studies.c.study_id == study_id)) is None:
        raise KeyError(f"There is no study of id {study_id}.")
    wanted: sa.ColumnElement[bool] = (trials.c.trial_id > after) | trials.c.trial_id.in_(listed)
    if len(listed) > MOST_LISTED:  # A database refuses too long lists.
        wanted = trials.c.trial_id > min(after, min(listed) - 1)
    own = (trials.c.study_id == study_id) & wanted
    known = [
        row
        for row in connection.execute(sa.select(trials).where(own).order_by(trials.c.trial_id))
        if (row.trial_id > after or row.trial_id in listed) and (states is None or row.state in states)
    ]
    if not known:
        return []
    params = _rows_of(connection, own, _TABLES.params, "param_name", "param_value", "distribution_json")
    values = _rows_of(connection, own, _TABLES.values, "objective", "value", "value_type")
    user_attributes = _rows_of(connection, own, _TABLES.user_attributes, "key", "value_json")
    system_attributes = _rows_of(connection, own, _TABLES.system_attributes, "key", "value_json")
    steps = _rows_of(
        connection, own, _TABLES.intermediate_values, "step", "intermediate_value", "intermediate_value_type"
    )
    return [
        FrozenTrial(
            number=row.number,
            state=row.state,
            value=None,
            values=[optuna_private.value_of(*parts) for _, *parts in sorted(values[key])] or None,
            datetime_start=local(row.datetime_start),
            datetime_complete=local(row.datetime_complete),
            params={name: _distribution(text).to_external_repr(value) for name, value, text in params[key]},
            distributions={name: _distribution(text) for name, _, text in params[key]},
            user_attrs={name: json.loads(text) for name, text in user_attributes[key]},
            system_attrs={name: json.loads(text) for name, text in system_attributes[key]},
            intermediate_values={step: optuna_private.intermediate_value_of(*parts) for step, *parts in steps[key]},
            trial_id=key,
        )
        for row in known
        for key in [row.trial_id]
    ]


def _rows_of(
    connection: Connection, own: sa.ColumnElement[bool], table: sa.Table, *columns: str
) -> dict[int, list[tuple[Any, ...]]]:
    """Read some columns of a table, by trial id, each trial's rows in the order in which they were made."""
    trials = _TABLES.trials
    query = sa.select(table.c.trial_id, *(table.c[name] for name in columns))
    query = query.join(trials, trials.c.trial_id == table.c.trial_id).where(own).order_by(*table.primary_key)
    rows: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for trial_id, *parts in connection.execute(query):
        rows[trial_id].append(tuple(parts))
    return rows


@lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    """Parse a distribution; trials share it, as none ever changes."""
    return json_to_distribution(text)
