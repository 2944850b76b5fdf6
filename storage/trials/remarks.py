"""Remarks: notes on a study and its trials, and attributes that ended trials get afterwards.

Remarks restate what the storage holds elsewhere, in the form that optuna-dashboard shows. Nothing reads them back to
decide anything. So no lease is checked: a worker that is late writes what is out of date, until the next remarks.

Optuna refuses new attributes of a finished trial, because programs keep finished trials in memory. Such a program shows
the trial without its remarks until it starts again.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy import Engine as Database

from fewest.storage.database.sql import upsert
from fewest.storage.database.tables import study_system_attributes, trial_user_attributes, trials
from fewest.storage.database.transactions import write
from fewest.storage.trials.studies import read_name

__all__ = ["BELOW", "Notes", "merged", "write_remarks"]

Notes: TypeAlias = Mapping[int | None, str]
"""Notes in Markdown by trial id; None stands for the study itself."""

BELOW = "\n\n---\n*fewest keeps the text above up to date. What you write below stays.*\n"
"""The end of our part of a note."""

_PART_CHARACTERS = 2045
"""The most characters in one attribute, as in optuna-dashboard."""

_KEY = re.compile(r"dashboard:(?:(?P<trial>\d+):)?note_(?:ver|str:(?P<part>\d+))")
"""The study's system attributes that hold notes: optuna-dashboard's `_note.py`."""

_Values: TypeAlias = dict[str, Any]


def write_remarks(
    database: Database,
    study_id: int,
    name: str,
    notes: Notes,
    attributes: Mapping[int, Mapping[str, Any]],
    *,
    keys: Collection[str],
) -> bool:
    """Make a study's remarks these and no others, in one transaction that writes only what differs.

    A note that somebody else wrote stays, below ours.

    Args:
        database: A storage opened with `create=True`.
        study_id: The study's key.
        name: The study's name.
        notes: Our part of each note.
        attributes: User attributes of ended trials: JSON values by key, by trial id.
        keys: All keys that remarks use in `attributes`; other trials lose theirs.

    Returns:
        False if the study was deleted or renamed; then nothing was written.

    Raises:
        StorageError: The database cannot be written.
    """

    def work(connection: Connection) -> bool:
        if read_name(connection, study_id) != name:
            return False
        _write_notes(connection, study_id, notes)
        _write_attributes(connection, study_id, attributes, keys)
        return True

    return write(database, work)


def merged(current: str, ours: str) -> str:
    r"""Put our part of a note above somebody else's, in place of our former part.

    Args:
        current: The note as it is.
        ours: Our part; empty to take it away.

    >>> merged(merged("mine", "13 neurons"), "12 neurons") == f"12 neurons{BELOW}mine"
    True
    >>> merged(f"12 neurons{BELOW}mine", ""), merged("mine", "")
    ('mine', 'mine')
    """
    _, mark, below = current.partition(BELOW)
    theirs = below if mark else current
    return f"{ours}{BELOW}{theirs}" if ours else theirs


def _write_notes(connection: Connection, study_id: int, notes: Notes) -> None:
    table = study_system_attributes
    rows = connection.execute(
        sa.select(table.c.key, table.c.value_json).where(
            table.c.study_id == study_id, table.c.key.like("dashboard:%note%")
        )
    )
    stored: dict[int | None, _Values] = {trial_id: {} for trial_id in notes}
    for key, text in rows:
        if match := _KEY.fullmatch(key):
            trial_id = int(match["trial"]) if match["trial"] else None
            stored.setdefault(trial_id, {})[key] = _value(text)
    for trial_id, values in sorted(stored.items(), key=lambda item: -1 if item[0] is None else item[0]):
        current = _body(values)
        body = merged(current, notes.get(trial_id, ""))
        if body != current:
            wanted = _note_values(trial_id, body, values)
            _replace(connection, table, {"study_id": study_id}, values, wanted)


def _body(values: _Values) -> str:
    """Join the parts of a note."""
    parts = ((match["part"], value) for key, value in values.items() if (match := _KEY.fullmatch(key)))
    numbered = sorted(((int(part), value) for part, value in parts if part is not None), key=itemgetter(0))
    return "".join(value for _, value in numbered if isinstance(value, str))


def _note_values(trial_id: int | None, body: str, before: _Values) -> _Values:
    """Return a note as attributes, with the next version."""
    prefix = "dashboard:" if trial_id is None else f"dashboard:{trial_id}:"
    starts = range(0, len(body), _PART_CHARACTERS)
    parts = {f"{prefix}note_str:{part}": body[start : start + _PART_CHARACTERS] for part, start in enumerate(starts)}
    version = before.get(f"{prefix}note_ver")
    return {f"{prefix}note_ver": version + 1 if isinstance(version, int) else 1, **parts}


def _write_attributes(
    connection: Connection, study_id: int, attributes: Mapping[int, Mapping[str, Any]], keys: Collection[str]
) -> None:
    table = trial_user_attributes
    rows = connection.execute(
        sa.select(table.c.trial_id, table.c.key, table.c.value_json)
        .join(trials, trials.c.trial_id == table.c.trial_id)
        .where(trials.c.study_id == study_id, table.c.key.in_(keys))
    )
    stored: dict[int, _Values] = {trial_id: {} for trial_id in attributes}
    for trial_id, key, text in rows:
        stored.setdefault(trial_id, {})[key] = _value(text)
    for trial_id, values in sorted(stored.items()):
        _replace(connection, table, {"trial_id": trial_id}, values, attributes.get(trial_id, {}))


def _replace(
    connection: Connection, table: sa.Table, owner: Mapping[str, int], before: _Values, wanted: Mapping[str, Any]
) -> None:
    """Make an owner's attributes `wanted` where they were `before`; attributes in neither stay."""
    [(column, key)] = owner.items()
    if gone := sorted(before.keys() - wanted.keys()):
        connection.execute(sa.delete(table).where(table.c[column] == key, table.c.key.in_(gone)))
    rows = list(_changed(before, wanted))
    if rows:
        connection.execute(upsert(connection, table, (column, "key")), [{**owner, **row} for row in rows])


def _value(text: str) -> Any:
    """Parse an attribute's JSON; other text counts as another value than ours."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _changed(before: _Values, wanted: Mapping[str, Any]) -> Iterator[_Values]:
    """Yield a row for each attribute that is new or has another value."""
    for key, value in wanted.items():
        if key not in before or before[key] != value:
            yield {"key": key, "value_json": json.dumps(value)}
