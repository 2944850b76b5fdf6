"""The end of trials: state, values and attributes, written in a transaction that the caller opens.

It imports Optuna, so import this module only where Optuna is used anyway.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from optuna.trial import TrialState
from sqlalchemy import Connection

from fewest.storage.database import optuna_private
from fewest.storage.database.sql import upsert
from fewest.storage.database.tables import leases
from fewest.storage.trials import rows as rows_of
from fewest.storage.trials.fences import lost_trials

__all__ = ["FinishedTrial", "finish", "require_finished", "write_attributes"]

_tables = optuna_private.tables()
_trials, _values, _user_attributes = _tables.trials, _tables.values, _tables.user_attributes


class FinishedTrial(NamedTuple):
    """The end of a trial."""

    trial_id: int
    state: TrialState
    """COMPLETE, PRUNED or FAIL."""
    values: Sequence[float] | None = None
    """One value for each objective, none NaN; of complete trials only."""
    attributes: Mapping[str, Any] = {}
    """User attributes to set with it: JSON values by key."""


def finish(
    connection: Connection, finished: Sequence[FinishedTrial], fences: Mapping[int, int] | None
) -> frozenset[int]:
    """End trials and release their leases; arguments and result as for `CohortStorage.finish_trials`."""
    asked = {trial.trial_id for trial in finished}
    lost = lost_trials(connection, asked, fences)
    open_trials = set(
        connection.scalars(
            sa.select(_trials.c.trial_id)
            .where(
                _trials.c.trial_id.in_(asked - lost),
                _trials.c.state.in_([TrialState.RUNNING, TrialState.WAITING]),
            )
            .order_by(_trials.c.trial_id)
            .with_for_update()
        )
    )
    connection.execute(sa.delete(leases).where(leases.c.trial_id.in_(asked - lost)))
    ending = [trial for trial in finished if trial.trial_id in open_trials]
    if not ending:
        return frozenset(asked)
    values = [row for trial in ending for row in rows_of.value_rows(trial.trial_id, trial.values or ())]
    if values:
        connection.execute(upsert(connection, _values, ("trial_id", "objective")), values)
    write_attributes(connection, {trial.trial_id: trial.attributes for trial in ending})
    connection.execute(
        sa.update(_trials)
        .where(_trials.c.trial_id == sa.bindparam("ended"))
        .values(state=sa.bindparam("new_state"), datetime_complete=rows_of.now()),
        [{"ended": trial.trial_id, "new_state": trial.state} for trial in ending],
    )
    return frozenset(asked - open_trials)


def write_attributes(connection: Connection, attributes: Mapping[int, Mapping[str, Any]]) -> None:
    """Write user attributes of trials: for each trial id, JSON values by key."""
    rows = [row for trial_id, values in attributes.items() for row in rows_of.attribute_rows(trial_id, values)]
    if rows:
        connection.execute(upsert(connection, _user_attributes, ("trial_id", "key")), rows)


def require_finished(trial: FinishedTrial) -> None:
    """Require that this can be the end of a trial.

    Raises:
        ValueError: A value is NaN, or a trial that is not complete has values.
    """
    if not trial.state.is_finished():
        raise ValueError(f"A finished trial must be complete, pruned or failed, got {trial.state.name}.")
    if (trial.values is not None) != (trial.state == TrialState.COMPLETE):
        raise ValueError(f"A trial has values if and only if it is complete, got {trial!r}.")
    if any(value != value for value in trial.values or ()):
        raise ValueError(f"A trial's values must be numbers, got {trial!r}.")
