"""The search itself: ask a cohort, train it, tell its trials, until the study's budget is spent."""

import time
from collections.abc import Sequence
from typing import Literal, TypeAlias

from search.data import SearchData
from search.engines import ENGINES, Engine
from search.keeping import Keeper
from search.study import OpenStudy, Ticket
from search.watch import Listener, SearchInterruptedError, StudyWatch
from storage.trials import read_trials

__all__ = ["Ending", "search"]

Ending: TypeAlias = Literal["trials", "timeout"]
"""Which budget ended a search."""

POLL_SECONDS = 1.0
"""How often a worker with nothing to do looks again while others still train."""


def search(study: OpenStudy, data: SearchData, listener: Listener, keeper: Keeper | None = None) -> Ending:
    """Trains networks until the study's budget is spent.

    Args:
        study: Where trials come from and go to.
        data: What they train on.
        listener: Who follows.
        keeper: Keeps the networks on the front; None keeps none.

    Returns:
        Which budget was spent.

    Raises:
        SearchInterruptedError: `listener.should_stop` said so; the study can be continued.
    """
    config = study.config
    engine = ENGINES[config.engine]()
    n = engine.cohort_size(data, config.training, config.space.search_space())
    while True:
        trials = read_trials(study.database, study.study_id)
        spent = sum(trial.seconds or 0.0 for trial in trials)
        if config.budget.timeout is not None and spent >= config.budget.timeout:
            return "timeout"
        if tickets := study.ask(n):
            _train(study, engine, tickets, data, listener, keeper)
            listener.on_cohort()
        elif study.others_train():
            _wait(listener)
        else:
            return "trials"


def _wait(listener: Listener) -> None:
    """Gives other workers a moment to end their trials, or to be found gone."""
    if listener.should_stop():
        raise SearchInterruptedError("Interrupted.")
    time.sleep(POLL_SECONDS)


def _train(
    study: OpenStudy,
    engine: Engine,
    tickets: Sequence[Ticket],
    data: SearchData,
    listener: Listener,
    keeper: Keeper | None,
) -> None:
    watch = StudyWatch(study, tickets, listener)
    try:
        outcomes = engine.train(
            [ticket.network for ticket in tickets],
            data,
            study.config.training,
            batch_seed=study.config.seed,
            watcher=watch,
        )
        if keeper is not None:  # Optuna lets nothing be added to a trial that was told.
            keeper.keep_front(tickets, outcomes, watch.before)
    except BaseException:
        study.release(tickets)
        raise
    study.tell(tickets, outcomes)
    study.checkpoints(tickets).remove()
