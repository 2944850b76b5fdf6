"""Optuna's RDBStorage, with bulk operations on a cohort, and waiting trials that are claimed only once.

Optuna uses it like any storage: `optuna.create_study(storage=CohortStorage(url))` wraps it in Optuna's cache. The
bulk operations bypass that cache. This is safe: the cache rereads every unfinished and every newer trial. One case
needs care: before `Trial.suggest_*` on a trial created in bulk, call `study.get_trials()` once.

It imports Optuna, so import this module only where Optuna is used anyway.
"""

import copy
import functools
import weakref
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import sqlalchemy as sa
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection
from sqlalchemy.orm import scoped_session, sessionmaker

from fewest.storage import DEFAULT_URL
from fewest.storage.database import optuna_private
from fewest.storage.database.database import is_writable, open_database
from fewest.storage.database.dialects import dialect_of
from fewest.storage.database.driver_errors import clear_errors
from fewest.storage.database.sql import insert_new
from fewest.storage.database.tables import leases as leases_table
from fewest.storage.database.transactions import reading, write
from fewest.storage.trials import rows as rows_of
from fewest.storage.trials.curves import insert_curves
from fewest.storage.trials.fences import lost_trials
from fewest.storage.trials.finished_trials import FinishedTrial, finish, require_finished, write_attributes
from fewest.storage.trials.frozen import read_frozen_trials
from fewest.storage.trials.leases import Leases
from fewest.storage.trials.new_trials import Distributions, NewTrial, insert_trials, last_trial
from fewest.storage.trials.records import CurvePoint

__all__ = ["CohortStorage", "Request", "optuna_storage"]

_tables = optuna_private.tables()
_studies, _trials = _tables.studies, _tables.trials

Templates: TypeAlias = Sequence[FrozenTrial | None]


class Request(NamedTuple):
    """Parameters requested for a trial; their values are unchecked."""

    parameters: Mapping[str, Any]
    """Parameters that the trial has, by name."""
    fixed: Mapping[str, Any]
    """Values that `study.enqueue_trial` fixed for parameters that it may not have yet."""


def _clearly(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a storage's method, so that it raises `StorageError` for a failing database."""

    @functools.wraps(method)
    def call(self: "CohortStorage", *arguments: Any, **named: Any) -> Any:
        with clear_errors(self.engine.url):
            return method(self, *arguments, **named)

    return call


def _inherited_clearly(cls: type["CohortStorage"]) -> type["CohortStorage"]:
    """Wrap every operation of Optuna's storages, and those that Optuna's cache calls, in `_clearly`."""
    names = [name for name in dir(BaseStorage) if not name.startswith("_")]
    for name in (*names, *optuna_private.CACHED_METHODS):
        setattr(cls, name, _clearly(getattr(cls, name)))
    return cls


@_inherited_clearly
class CohortStorage(RDBStorage):
    """An RDBStorage on SQLite or PostgreSQL, opened by `fewest.storage.database.database`.

    Args:
        url: The storage's URL, as for `open_database`.
        read_only: Whether to open an existing storage for reading only; if false, missing tables are created.

    Raises:
        MisuseError: As for `open_database`.
        NotFoundError: As for `open_database`.
        StorageError: As for `open_database`, and from every bulk operation when the database fails.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        # RDBStorage.__init__ would create an engine of its own, and its tables in many transactions. Its
        # attributes are set here instead.
        self.engine = open_database(url, create=not read_only)
        self.read_only = read_only
        self.url = self.engine.url.render_as_string(hide_password=False)
        self.engine_kwargs: dict[str, Any] = {}
        self.skip_compatibility_check = False
        self.heartbeat_interval = None
        self.grace_period = None
        self.heartbeat_stale_trial_callback = None
        self.failed_trial_callback = None
        self.scoped_session = scoped_session(sessionmaker(bind=self.engine))
        self._distributions: Distributions = {}
        # Drivers warn of connections that nobody closed.
        weakref.finalize(self, self.engine.dispose)

    @cached_property
    def _version_manager(self) -> optuna_private.VersionManager:  # type: ignore[override]  # Made when first asked for.
        # Only `optuna storage upgrade` asks for it, and it loads Alembic.
        return optuna_private.version_manager(self.url, self.engine, self.scoped_session)

    def __getstate__(self) -> dict[Any, Any]:
        return {"url": self.url, "read_only": self.read_only}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        self.__init__(state["url"], read_only=state["read_only"])  # type: ignore[misc]  # Opening is all there is to restore.

    def close(self) -> None:
        """Finish: bring a SQLite file up to date, empty its log, and close all connections."""
        self.remove_session()
        dialect_of(self.engine).fold_log(self.engine, empty=True)
        self.engine.dispose()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set a trial's state and values as Optuna does; a waiting trial starts running once only, on SQLite too."""
        with self._write_lock():
            return super().set_trial_state_values(trial_id, state, values)

    def delete_study(self, study_id: int) -> None:
        """Delete a study as Optuna does."""
        # SQLite reuses the ids of deleted studies; the new study's parameters may differ in kind.
        self._distributions.clear()
        super().delete_study(study_id)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        [(trial_id, number, started)] = self._create_in_transaction(study_id, [template_trial], None)
        if template_trial is None:
            return FrozenTrial(
                number=number,
                state=TrialState.RUNNING,
                value=None,
                datetime_start=rows_of.local(started),
                datetime_complete=None,
                params={},
                distributions={},
                user_attrs={},
                system_attrs={},
                intermediate_values={},
                trial_id=trial_id,
            )
        frozen = copy.deepcopy(template_trial)
        frozen.number = number
        frozen.datetime_start = rows_of.local(started)
        optuna_private.set_trial_id(frozen, trial_id)
        return frozen

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        with reading(self.engine) as connection:
            return read_frozen_trials(connection, study_id, states, included_trial_ids, trial_id_greater_than)

    def create_whole_study(
        self,
        name: str,
        directions: Sequence[StudyDirection],
        templates: Sequence[FrozenTrial],
        *,
        attributes: Mapping[str, Any],
        metric_names: Sequence[str],
    ) -> int:
        """Create a complete study in one transaction, so that no process sees part of one.

        Args:
            name: The study's name.
            directions: The directions of its objectives, in order.
            templates: Its first trials, as for `create_trials`.
            attributes: Its user attributes: JSON values by key.
            metric_names: The names of its objectives, in order.

        Returns:
            The study's id.

        Raises:
            optuna.exceptions.DuplicatedStudyError: A study of that name exists; nothing was changed.
        """

        def work(connection: Connection) -> int:
            insertion = insert_new(connection, _studies).returning(_studies.c.study_id)
            study_id = connection.scalar(insertion, {"study_name": name})
            if study_id is None:
                raise DuplicatedStudyError(f"There is a study {name!r} already.")
            named_metrics = {optuna_private.METRIC_NAMES: list(metric_names)}
            objectives = [{"objective": n, "direction": direction} for n, direction in enumerate(directions)]
            for table, rows in (
                (_tables.directions, objectives),
                (_tables.study_user_attributes, rows_of.described(attributes)),
                (_tables.study_system_attributes, rows_of.described(named_metrics)),
            ):
                connection.execute(sa.insert(table), [{"study_id": study_id, **row} for row in rows])
            insert_trials(connection, study_id, templates, self._distributions)
            return int(study_id)

        study_id = write(self.engine, work, idempotent=False)
        dialect_of(self.engine).fold_log(self.engine)
        return study_id

    def create_trials(
        self,
        study_id: int,
        templates: Templates | Callable[[Connection, int], Templates],
        *,
        leases: Leases | None = None,
    ) -> list[int]:
        """Create several trials in one transaction.

        Args:
            study_id: The study's key.
            templates: Trials from `optuna.trial.create_trial(state=..., params=..., ...)`; None for an empty running
                trial. Or a function that returns them. It is called with the connection and the study's number of
                trials, which no other process can change meanwhile. It is called again if the transaction is repeated.
            leases: Leases of the worker that will train them; takes the lease of each running trial in the same
                transaction. None takes no leases.

        Returns:
            The new trials' ids, in the order of their templates and numbers.

        Raises:
            KeyError: The study does not exist.
            ValueError: A parameter's distribution is incompatible with its distribution elsewhere in the study.
        """
        return [trial.trial_id for trial in self._create_in_transaction(study_id, templates, leases)]

    def claim_waiting(self, study_id: int, n_trials: int, *, leases: Leases | None = None) -> list[int]:
        """Start waiting trials, oldest first; each is handed to one caller only.

        Args:
            study_id: The study's key.
            n_trials: Largest number of trials to start.
            leases: Leases of the calling worker; takes the trials' leases in the same transaction. None takes none.

        Returns:
            The ids of the started trials, which now belong to the caller.
        """

        def work(connection: Connection) -> tuple[list[int], dict[int, int]]:
            waiting = (
                sa.select(_trials.c.trial_id)
                .where(_trials.c.study_id == study_id, _trials.c.state == TrialState.WAITING)
                .order_by(_trials.c.trial_id)
                .limit(n_trials)
                .with_for_update(skip_locked=True)
            )
            claimed = list(connection.scalars(waiting))
            if claimed:
                connection.execute(
                    sa.update(_trials)
                    .where(_trials.c.trial_id.in_(claimed))
                    .values(state=TrialState.RUNNING, datetime_start=rows_of.now())
                )
            return claimed, {} if leases is None else leases.insert(connection, claimed)

        claimed, fences = write(self.engine, work, idempotent=False)
        if leases is not None:
            leases.note(fences)
        return claimed

    def return_trials(self, trial_ids: Sequence[int], *, leases: Leases | None = None) -> frozenset[int]:
        """Set running trials back to waiting in one transaction; `claim_waiting` can start them again.

        Args:
            trial_ids: The trials' ids.
            leases: Leases of the worker that holds the trials; None checks no leases.

        Returns:
            The ids of trials not set back: taken by another worker, ended, or deleted.
        """
        fences = None if leases is None else leases.fences()

        def work(connection: Connection) -> frozenset[int]:
            kept = set(trial_ids) - lost_trials(connection, trial_ids, fences)
            running = (_trials.c.trial_id.in_(kept)) & (_trials.c.state == TrialState.RUNNING)
            query = sa.select(_trials.c.trial_id).where(running).order_by(_trials.c.trial_id)
            returned = set(connection.scalars(query.with_for_update()))
            to_waiting = sa.update(_trials).where(_trials.c.trial_id.in_(returned))
            connection.execute(to_waiting.values(state=TrialState.WAITING, datetime_start=None))
            # The row stays, since its fence must never be used again.
            released = sa.update(leases_table).where(leases_table.c.trial_id.in_(returned))
            connection.execute(released.values(worker_id=None))
            return frozenset(trial_ids) - returned

        refused = write(self.engine, work) if trial_ids else frozenset()
        if leases is not None:
            leases.forget(trial_ids)
        return refused

    def requests(self, trial_ids: Sequence[int]) -> dict[int, Request]:
        """Read the requests of trials, by trial id; text that is not JSON is kept as it is."""
        asked = {trial_id: Request({}, {}) for trial_id in trial_ids}
        params, attributes = _tables.params.c, _tables.system_attributes.c
        has = sa.select(params.trial_id, params.param_name, params.param_value, params.distribution_json)
        fixes = sa.select(attributes.trial_id, attributes.value_json).where(
            attributes.trial_id.in_(asked), attributes.key == optuna_private.FIXED_PARAMS
        )
        with reading(self.engine) as connection:
            for trial_id, name, value, distribution in connection.execute(has.where(params.trial_id.in_(asked))):
                asked[trial_id].parameters[name] = rows_of.external(value, distribution)  # type: ignore[index]
            for trial_id, text in connection.execute(fixes):
                asked[trial_id] = asked[trial_id]._replace(fixed=rows_of.fixed(text))
        return asked

    def set_attributes(
        self, attributes: Mapping[int, Mapping[str, Any]], *, leases: Leases | None = None
    ) -> frozenset[int]:
        """Set user attributes of several unfinished trials in one transaction.

        Args:
            attributes: For each trial id, JSON values by key.
            leases: Leases of the worker that trains the trials; None checks no leases.

        Returns:
            The ids of trials without new attributes: taken by another worker, told by another program, or deleted.
            Always empty without `leases`.

        Raises:
            KeyError: A trial does not exist, and `leases` is None.
            optuna.exceptions.UpdateFinishedTrialError: A trial is finished, and `leases` is None; nothing was set.
        """
        fences = None if leases is None else leases.fences()

        def work(connection: Connection) -> frozenset[int]:
            lost = frozenset() if fences is None else lost_trials(connection, attributes, fences)
            if fences is not None:
                lost |= self._ended(connection, attributes)
            kept = {trial_id: values for trial_id, values in attributes.items() if trial_id not in lost}
            self._require_unfinished(connection, kept)
            write_attributes(connection, kept)
            return lost

        return write(self.engine, work) if any(attributes.values()) else frozenset()

    def finish_trials(
        self,
        finished: Sequence[FinishedTrial],
        *,
        points: Mapping[int, Sequence[CurvePoint]] | None = None,
        leases: Leases | None = None,
    ) -> frozenset[int]:
        """End several trials in one transaction and release their leases.

        Args:
            finished: The end of each trial.
            points: Epochs to write in the same transaction, as for `write_curves`; also of trials that go on.
            leases: Leases of the worker that holds the trials; None checks no leases.

        Returns:
            The ids of trials not written: taken by another worker, ended already, or deleted.

        Raises:
            ValueError: A value is NaN, or a trial that is not complete has values.
        """
        for trial in finished:
            require_finished(trial)
        fences = None if leases is None else leases.fences()

        def work(connection: Connection) -> frozenset[int]:
            refused = insert_curves(connection, points, fences) if points else frozenset()
            return refused | finish(connection, finished, fences)

        refused = write(self.engine, work) if finished or points else frozenset()
        dialect_of(self.engine).fold_log(self.engine)
        if leases is not None:
            leases.forget({trial.trial_id for trial in finished} | refused)
        return refused

    def _create_in_transaction(
        self,
        study_id: int,
        templates: Templates | Callable[[Connection, int], Templates],
        leases: Leases | None,
    ) -> list[NewTrial]:

        def work(connection: Connection) -> tuple[list[NewTrial], dict[int, int]]:
            # Numbers are counted, so no other process may create trials in this study meanwhile.
            study = sa.select(_studies.c.study_id).where(_studies.c.study_id == study_id).with_for_update()
            if connection.scalar(study) is None:
                raise KeyError(f"There is no study of id {study_id}.")
            n_trials, last_id = last_trial(connection, study_id)
            wanted = templates(connection, n_trials) if callable(templates) else templates
            if not wanted:
                return [], {}
            created = insert_trials(
                connection, study_id, wanted, self._distributions, n_trials=n_trials, last_id=last_id
            )
            return created, {} if leases is None else leases.insert(connection, _running(created, wanted))

        created, fences = write(self.engine, work, idempotent=False)
        if leases is not None:
            leases.note(fences)
        return created

    def _ended(self, connection: Connection, trial_ids: Mapping[int, Any]) -> frozenset[int]:
        """Return the ids of the trials that have ended."""
        unfinished = [TrialState.RUNNING, TrialState.WAITING]
        query = sa.select(_trials.c.trial_id).where(_trials.c.trial_id.in_(trial_ids))
        ended = query.where(_trials.c.state.not_in(unfinished)).order_by(_trials.c.trial_id)
        return frozenset(connection.scalars(ended))

    def _require_unfinished(self, connection: Connection, trial_ids: Mapping[int, Any]) -> None:
        """Make sure that all these trials stay unfinished until the transaction ends."""
        rows = connection.execute(
            sa.select(_trials.c.trial_id, _trials.c.state)
            .where(_trials.c.trial_id.in_(trial_ids))
            .order_by(_trials.c.trial_id)
            .with_for_update()
        ).all()
        if len(rows) < len(trial_ids):
            raise KeyError(f"There must be trials of all these ids: {sorted(trial_ids)}.")
        for trial_id, state in rows:
            self.check_trial_is_updatable(trial_id, state)

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        """Let the next session of this thread hold SQLite's write lock from its start."""
        try:
            dialect_of(self.engine).begin_writing(self.scoped_session().connection())
        except BaseException:
            self.scoped_session.remove()
            raise
        yield


def _running(created: Sequence[NewTrial], templates: Templates) -> list[int]:
    return [
        trial.trial_id
        for trial, template in zip(created, templates, strict=True)
        if template is None or template.state == TrialState.RUNNING
    ]


def optuna_storage(url: str = DEFAULT_URL, *, create: bool = True) -> "CohortStorage":
    """Open a storage for `optuna.create_study(storage=...)`, with our tables ready beside Optuna's.

    Args:
        url: The storage's URL, as for `open_database`.
        create: Whether the storage may be created. If false, it must exist. In both cases our tables are
            migrated, unless this user may only read it.

    Raises:
        MisuseError: As for `open_database`.
        NotFoundError: As for `open_database`.
        StorageError: As for `open_database`.
    """
    if create:
        return CohortStorage(url)
    open_database(url, create=False).dispose()
    return CohortStorage(url, read_only=not is_writable(url))
