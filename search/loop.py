"""The search itself: ask for a cohort, train it, tell its trials, until the study's budget is spent."""

from collections.abc import Sequence

from fewest.search.keeper import Keeper
from fewest.search.listener import Listener, wait
from fewest.search.settings.seeds import search_order
from fewest.search.study.study import Ending, OpenStudy
from fewest.search.study.ticket import Ticket
from fewest.search.training.interface import Engine
from fewest.search.watch import StudyWatch

__all__ = ["search"]


def search(study: OpenStudy, engine: Engine, listener: Listener, keeper: Keeper | None = None) -> Ending:
    """Train networks until the study's budget is spent or its front has levelled off, and nobody trains any more.

    Args:
        study: Gives trials out and takes what became of them.
        engine: Trains them.
        listener: Follows, and may stop the search.
        keeper: Keeps the networks on the front, in the end only those; None keeps none.

    Returns:
        Why the search ended.

    Raises:
        SearchInterruptedError: `listener.should_stop` said so; the study can be continued.
        LeftToOthersError: `listener.should_leave` said so; others still train.
    """
    config = study.config
    n = engine.cohort_size(study.data, config.training, config.space.search_space())
    while True:
        if tickets := study.ask(n):
            _train(study, engine, tickets, listener, keeper)
            listener.on_cohort()
        elif study.others_train():
            wait(listener)
        else:
            if keeper is not None:
                keeper.drop_dominated()
            return study.ending()


def _train(
    study: OpenStudy, engine: Engine, tickets: Sequence[Ticket], listener: Listener, keeper: Keeper | None
) -> None:
    watch = StudyWatch(study, tickets, listener)
    try:
        outcomes = engine.train(
            [ticket.network for ticket in tickets],
            study.data,
            study.config.training,
            order=search_order(study.config.seed),
            watcher=watch,
        )
        if keeper is not None:  # Optuna lets nothing be added to a trial that was told.
            keeper.keep_front(tickets, outcomes, watch.front)
    except BaseException:
        study.release(tickets)
        raise
    study.tell(tickets, outcomes)
    watch.checkpoints.remove()
