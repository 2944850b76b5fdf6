"""Who follows a search: what it is told, when it may stop or leave, and the two errors that say it did.

Imports nothing heavy, so that every room may know it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from fewest.storage.errors import FewestError

__all__ = ["LeftToOthersError", "Listener", "Progress", "SearchInterruptedError", "wait"]


class SearchInterruptedError(FewestError):
    """The search was asked to stop and did, at the end of an epoch; its trials wait to be continued."""

    exit_status = 130


class LeftToOthersError(FewestError):
    """What is left of the study is other workers', and the listener had something better to do than to wait."""


class Progress(NamedTuple):
    """Where a search or a verification stands, after an epoch.

    Attributes:
        stage: Which of the two.
        n_finished: Networks that have ended, pruned and failed ones included.
        n_networks: Networks in all: the budget, or what verification has planned so far.
        n_training: Networks training now.
        epoch: The epoch just ended, counted from 0.
        n_epochs: The protocol's epochs.
        n_pruned: Of the finished ones.
        n_failed: Of the finished ones.
        front: Size and validation accuracy of each member of the front, smallest first.
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


class Listener(NamedTuple):
    """Who follows a search.

    Attributes:
        on_progress: Called after every epoch.
        on_cohort: Called after every cohort's trials are told; what refreshes figures goes here.
        echo: Takes the monitor's lines.
        should_stop: Asked after every epoch; True ends the search there.
        should_leave: Asked while there is nothing to do but to wait for other workers; True leaves them to it.
        poll_seconds: How long to wait for them at a time.
    """

    on_progress: Callable[[Progress], None]
    on_cohort: Callable[[], None]
    echo: Callable[[str], None]
    should_stop: Callable[[], bool]
    should_leave: Callable[[], bool] = lambda: False
    poll_seconds: float = 1.0


def wait(listener: Listener) -> None:
    """Give other workers a moment to end what they do, or to be found gone.

    Raises:
        SearchInterruptedError: `listener.should_stop` said so.
        LeftToOthersError: `listener.should_leave` said so.
    """
    if listener.should_stop():
        raise SearchInterruptedError("Interrupted.")
    if listener.should_leave():
        raise LeftToOthersError("Other workers have the rest.")
    time.sleep(listener.poll_seconds)
