"""The search itself: ask for a cohort, train it, tell its trials, until the study's budget is spent."""

from collections.abc import Callable, Sequence

from fewest.search.keeper import Keeper
from fewest.search.listener import Listener, wait
from fewest.search.settings.seeds import search_order
from fewest.search.study.stopping import Ending
from fewest.search.study.study import OpenStudy
from fewest.search.study.ticket import Ticket
from fewest.search.training.interface import Engine
from fewest.search.watch import StudyWatch

__all__ = ["search"]


def search(
    study: OpenStudy,
    engine: Engine,
    listener: Listener,
    keeper: Keeper | None = None,
    first_answer: Callable[[], bool] | None = None,
    *,
    beyond_bracket: bool = True,
) -> Ending:
    """Train networks until the budget is spent or the front has levelled off, and no other worker trains.

    Args:
        study: The open study, which gives trials out and stores their outcomes.
        engine: Engine that trains the cohorts.
        listener: Functions that follow the search and may end it.
        keeper: Keeper of the networks on the front; None keeps no network.
        first_answer: Function that verifies what the bracket has shown. It is called between cohorts once the bracket
            has ended, until it returns True; False means that another worker verifies. The search does not end before.
            None verifies nothing.
        beyond_bracket: Whether to go on after ladder and bracket.

    Returns:
        The reason for the search's end.

    Raises:
        SearchInterruptedError: `listener.should_stop` returned True; the study can be continued.
        LeftToOthersError: `listener.should_leave` returned True; other workers still train.
    """
    n = engine.cohort_size(study.data, study.config.training, study.config.space.search_space())
    while True:
        is_due = first_answer is not None and study.bracketed() is not None
        if first_answer is not None and is_due and first_answer():
            first_answer, is_due = None, False
        if tickets := study.ask(n, beyond_bracket=beyond_bracket):
            _train(study, engine, tickets, listener, keeper)
            listener.on_cohort()
        elif is_due or study.others_train():
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
        if keeper is not None:  # Before `tell`: Optuna adds no artifact to a finished trial.
            keeper.keep_front(tickets, outcomes, watch.front)
    except Exception:  # After a KeyboardInterrupt a transaction may be open; leaving frees the trials.
        study.release(tickets)
        raise
    study.tell(tickets, outcomes)
    watch.checkpoints.remove()
