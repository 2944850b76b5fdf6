"""The listener of a search: the progress it receives, its two ways to end the search, and the errors these raise.

This module imports nothing heavy, so every other module may import it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from fewest.storage.errors import FewestError

__all__ = ["LeftToOthersError", "Listener", "Progress", "SearchInterruptedError", "wait"]


class SearchInterruptedError(FewestError):
    """The search stopped at the end of an epoch, as it was asked to; its trials wait to be continued."""

    exit_status = 130


class LeftToOthersError(FewestError):
    """Only other workers still train for the study, and the listener chose to leave instead of waiting."""


class Progress(NamedTuple):
    """The progress of a search or a verification after an epoch.

    Attributes:
        stage: `search` or `verification`.
        n_finished: Networks that have ended, pruned and failed ones included.
        n_networks: Networks in all: the budget, or what verification has planned so far.
        n_training: Networks training now.
        epoch: The epoch just ended, counted from 0.
        n_epochs: Epochs of the protocol.
        n_pruned: Pruned networks among the finished ones.
        n_failed: Failed networks among the finished ones.
        front: Size and validation accuracy of each member of the front, smallest first.
        n_to_search: Networks that the search trains after this verification; 0 if it is over.
        n_until_level: Networks beyond the finished ones after which the search ends, if none improves the front; None
            where it does not end so, or nobody has worked it out.
        seconds_left: Seconds until the study is answered, about; None if nobody has worked it out.
    """

    stage: Literal["search", "verification"]
    n_finished: int
    n_networks: int
    n_training: int
    epoch: int
    n_epochs: int
    n_pruned: int = 0
    n_failed: int = 0
    front: Sequence[tuple[int, float]] = ()
    n_to_search: int = 0
    n_until_level: int | None = None
    seconds_left: float | None = None


class Listener(NamedTuple):
    """The functions that follow a search, and may end it.

    Attributes:
        on_progress: Function called after every epoch.
        on_cohort: Function called after the trials of a cohort are told, for example to refresh figures.
        echo: Function that prints a line of the monitor.
        should_stop: Function called after every epoch; True ends the search there.
        should_leave: Function called while only other workers train; True ends the wait for them.
        poll_seconds: Seconds of one wait for other workers.
    """

    on_progress: Callable[[Progress], None]
    on_cohort: Callable[[], None]
    echo: Callable[[str], None]
    should_stop: Callable[[], bool]
    should_leave: Callable[[], bool] = lambda: False
    poll_seconds: float = 1.0


def wait(listener: Listener) -> None:
    """Wait a moment for other workers to finish their trials, or for their leases to expire.

    Raises:
        SearchInterruptedError: `listener.should_stop` returned True.
        LeftToOthersError: `listener.should_leave` returned True.
    """
    if listener.should_stop():
        raise SearchInterruptedError("Interrupted.")
    if listener.should_leave():
        raise LeftToOthersError("Other workers have the rest.")
    time.sleep(listener.poll_seconds)
