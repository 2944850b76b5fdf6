"""The search itself: ask a cohort, train it, tell its trials, until the study's budget is spent."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from fewest.search.data.samples import SearchData
from fewest.search.keeper import Keeper
from fewest.search.listener import Listener
from fewest.search.study.study import OpenStudy
from fewest.search.study.ticket import Ticket
from fewest.search.training.engines import ENGINES
from fewest.search.training.interface import Engine
from fewest.search.watch import StudyWatch, wait

__all__ = ["Ending", "search"]

Ending: TypeAlias = Literal["trials", "timeout", "plateau"]
"""What ended a search: a budget that is spent, or a front that no longer improves."""


def search(study: OpenStudy, data: SearchData, listener: Listener, keeper: Keeper | None = None) -> Ending:
    """Trains networks until the study's budget is spent or its front has levelled off, and nobody trains any more.

    Args:
        study: Where trials come from and go to.
        data: What they train on.
        listener: Who follows.
        keeper: Keeps the networks on the front, in the end only those; None keeps none.

    Returns:
        Why it ended.

    Raises:
        SearchInterruptedError: `listener.should_stop` said so; the study can be continued.
        LeftToOthersError: `listener.should_leave` said so; others still train.
    """
    config = study.config
    engine = ENGINES[config.engine]()
    n = engine.cohort_size(data, config.training, config.space.search_space())
    while True:
        study.past.refresh()
        if timed_out := _is_timeout_spent(study):
            study.return_orphans()
        elif tickets := study.ask(n, new=not study.levelled_off()):
            _train(study, engine, tickets, data, listener, keeper)
            listener.on_cohort()
            continue
        if not study.others_train():
            if keeper is not None:
                keeper.drop_dominated()
            return "timeout" if timed_out else _ending(study)
        wait(listener)


def _is_timeout_spent(study: OpenStudy) -> bool:
    timeout = study.config.budget.timeout
    return timeout is not None and study.past.seconds >= timeout


def _ending(study: OpenStudy) -> Ending:
    return "trials" if len(study.past.ended) >= study.config.n_trials else "plateau"


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
            keeper.keep_front(tickets, outcomes, watch.past.front)
    except BaseException:
        study.release(tickets)
        raise
    study.tell(tickets, outcomes)
    study.checkpoints(tickets).remove()
