"""Studies and trials read from Optuna's tables without importing Optuna, which is slow.

Nothing here writes. Databases written by Optuna alone are read as well.
"""

import json
import math
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, TypeVar, cast, get_args

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage.database.sql import has_table
from fewest.storage.database.tables import (
    results,
    studies,
    study_user_attributes,
    trial_user_attributes,
    trial_values,
    trials,
)
from fewest.storage.database.transactions import reading
from fewest.storage.database.urls import shown
from fewest.storage.errors import NotFoundError, no_studies
from fewest.storage.trials.records import StudyRecord, TrialRecord, TrialState

__all__ = ["read_name", "read_studies", "read_study", "read_trial_ids", "read_trials"]

ACCURACY_OBJECTIVE = 1
"""Position of the validation accuracy among a trial's values; the size is at 0."""

_STATES: tuple[TrialState, ...] = get_args(TrialState)
_ATTRIBUTES = (
    "widths",
    "neurons",
    "parameters",
    "seed",
    "epochs",
    "best_epoch",
    "seconds",
    "reason",
    "cohort",
    "worker",
)
_N_NAMES_SHOWN = 10

_MOST = 2**53
"""Counts and seeds are below this, so that every JSON reader keeps them exact."""

Value = TypeVar("Value")


def read_studies(source: Database | Connection) -> list[StudyRecord]:
    """Read all studies, oldest first.

    Args:
        source: The database, or a connection in a transaction.

    Raises:
        StorageError: The database cannot be read.
    """
    with reading(source) as connection:
        return _studies(connection, sa.true())


def read_study(source: Database | Connection, name: str) -> StudyRecord:
    """Read one study.

    Args:
        source: The database, or a connection in a transaction.
        name: The study's name.

    Raises:
        NotFoundError: No study has that name; the message lists the names.
        StorageError: The database cannot be read.
    """
    with reading(source) as connection:
        found = _studies(connection, studies.c.study_name == name)
        if found:
            return found[0]
        names = list(connection.scalars(sa.select(studies.c.study_name).order_by(studies.c.study_id)))
        place = shown(connection.engine.url)
    raise NotFoundError(unknown_study(name, names, place)) if names else no_studies(place)


def read_name(source: Database | Connection, study_id: int) -> str | None:
    """Read a study's present name; None if the study was deleted."""
    with reading(source) as connection:
        name: str | None = connection.scalar(sa.select(studies.c.study_name).where(studies.c.study_id == study_id))
    return name


def read_trial_ids(source: Database | Connection, study_id: int) -> set[int]:
    """Read the keys of all present trials of a study."""
    with reading(source) as connection:
        return set(connection.scalars(sa.select(trials.c.trial_id).where(trials.c.study_id == study_id)))


def unknown_study(name: str, names: list[str], place: str) -> str:
    """Return the message for a study that does not exist.

    >>> unknown_study("mnits", ["mnist", "digits"], "fewest.db")
    "There is no study 'mnits' in fewest.db. Did you mean 'mnist'? It has 'mnist', 'digits'."
    """
    near = get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    more = f" and {len(names) - _N_NAMES_SHOWN} more" if len(names) > _N_NAMES_SHOWN else ""
    return f"There is no study {name!r} in {place}.{hint} It has {', '.join(map(repr, names[:_N_NAMES_SHOWN]))}{more}."


def read_trials(
    source: Database | Connection, study_id: int, *, since: int = 0, also: Collection[int] = ()
) -> list[TrialRecord]:
    """Read all trials of a study, by number.

    Values that a trial's attributes lack, or hold in another form or range than ours, are None.

    Args:
        source: The storage's database, or a connection in a transaction.
        study_id: The study's key.
        since: The lowest trial id to read; older trials have lower ids.
        also: Ids of older trials to read as well.

    Returns:
        The trials; `started` and `completed` are in UTC, with their time zone.

    Raises:
        StorageError: The database cannot be read.
    """
    attributes = trial_user_attributes

    def wanted(column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        return (column >= since) | column.in_(also) if also else column >= since

    own = (trials.c.study_id == study_id) & wanted(trials.c.trial_id)
    with reading(source) as connection:
        rows = connection.execute(
            sa.select(
                trials.c.trial_id,
                trials.c.number,
                trials.c.state,
                trials.c.datetime_start,
                trials.c.datetime_complete,
            )
            .where(own)
            .order_by(trials.c.number)
        ).all()
        described: dict[int, dict[str, Any]] = {}
        for trial_id, key, value_json in connection.execute(
            sa.select(attributes.c.trial_id, attributes.c.key, attributes.c.value_json)
            .join(trials, trials.c.trial_id == attributes.c.trial_id)
            .where(own, wanted(attributes.c.trial_id), attributes.c.key.in_(_ATTRIBUTES))
        ):
            described.setdefault(trial_id, {})[key] = _value(value_json)
        accuracies: dict[int, float | None] = dict(
            connection.execute(
                sa.select(trial_values.c.trial_id, trial_values.c.value)
                .join(trials, trials.c.trial_id == trial_values.c.trial_id)
                .where(
                    own,
                    trials.c.state == "COMPLETE",
                    wanted(trial_values.c.trial_id),
                    trial_values.c.objective == ACCURACY_OBJECTIVE,
                )
            ).all()
        )
    return [
        _trial(trial_id, number, state, started, completed, described.get(trial_id, {}), accuracies.get(trial_id))
        for trial_id, number, state, started, completed in rows
    ]


def _studies(connection: Connection, condition: sa.ColumnElement[bool]) -> list[StudyRecord]:
    """Read the studies that meet a condition, in four queries whatever their number."""
    names = connection.execute(
        sa.select(studies.c.study_id, studies.c.study_name).where(condition).order_by(studies.c.study_id)
    ).all()
    attributes: dict[int, dict[str, Any]] = {study_id: {} for study_id, _ in names}
    counts: dict[int, dict[TrialState, int]] = {study_id: dict.fromkeys(_STATES, 0) for study_id, _ in names}
    for study_id, key, value_json in connection.execute(
        sa.select(study_user_attributes.c.study_id, study_user_attributes.c.key, study_user_attributes.c.value_json)
        .join(studies, studies.c.study_id == study_user_attributes.c.study_id)
        .where(condition)
        .order_by(study_user_attributes.c.key)
    ):
        attributes[study_id][key] = _value(value_json)
    for study_id, state, n_trials in connection.execute(
        sa.select(trials.c.study_id, trials.c.state, sa.func.count())
        .join(studies, studies.c.study_id == trials.c.study_id)
        .where(condition)
        .group_by(trials.c.study_id, trials.c.state)
    ):
        counts[study_id][_state(state)] = n_trials
    verified = _n_verified(connection, condition)
    return [
        StudyRecord(study_id, name, attributes[study_id], counts[study_id], verified.get(study_id, 0))
        for study_id, name in names
    ]


def _n_verified(connection: Connection, condition: sa.ColumnElement[bool]) -> dict[int, int]:
    """Count the verified networks of the studies that meet a condition; studies without any are left out."""
    if not has_table(connection, results):
        return {}
    counted = (
        sa.select(results.c.study_id, sa.func.count())
        .join(studies, studies.c.study_id == results.c.study_id)
        .where(condition)
        .group_by(results.c.study_id)
    )
    return {study_id: count for study_id, count in connection.execute(counted)}  # noqa: C416  # Rows are no pairs.


def _value(text: str) -> Any:
    """Parse an attribute's JSON; other text, which another program wrote, is returned as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _trial(
    trial_id: int,
    number: int,
    state: str,
    started: datetime | None,
    completed: datetime | None,
    attributes: dict[str, Any],
    accuracy: float | None,
) -> TrialRecord:
    return TrialRecord(
        trial_id=trial_id,
        number=number,
        state=_state(state),
        widths=_only_if(_is_widths, attributes.get("widths"), tuple),
        neurons=_only_if(_is_count, attributes.get("neurons"), int),
        parameters=_only_if(_is_count, attributes.get("parameters"), int),
        seed=_only_if(_is_count, attributes.get("seed"), int),
        epochs=_only_if(_is_count, attributes.get("epochs"), int),
        best_epoch=_only_if(_is_count, attributes.get("best_epoch"), int),
        seconds=_only_if(_is_duration, attributes.get("seconds"), float),
        validation_accuracy=accuracy,
        reason=_only_if(_is_text, attributes.get("reason"), str),
        started=started and started.replace(tzinfo=UTC),
        completed=completed and completed.replace(tzinfo=UTC),
        cohort=_only_if(_is_count, attributes.get("cohort"), int),
        worker=_only_if(_is_text, attributes.get("worker"), str),
    )


def _state(stored: str) -> TrialState:
    return cast(TrialState, stored.lower())


def _only_if(holds: Callable[[Any], bool], value: Any, convert: Callable[[Any], Value]) -> Value | None:
    return convert(value) if holds(value) else None


def _is_count(value: Any) -> bool:
    """Say whether a value is a whole number from 0 up to the largest seed."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_duration(value: Any) -> bool:
    return (isinstance(value, float) or _is_count(value)) and 0 <= value < math.inf


def _is_widths(value: Any) -> bool:
    return isinstance(value, list) and all(_is_count(width) and width > 0 for width in value)
