"""Workers on a Dask cluster: one in each Dask worker process, replaced when it dies.

Dask only places and watches workers. The storage alone gives trials out and takes over those of a dead worker. So no
harm is done if Dask takes a living worker for dead.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fewest.dashboards.console import err
from fewest.dashboards.found import all_studies, stored_study
from fewest.job import Manner, Places, say_to
from fewest.signals import stoppable
from fewest.storage.database.urls import parse_url, shown
from fewest.storage.errors import FewestError, MisuseError
from fewest.storage.extras import require
from fewest.workers import help_until

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["ClusterError", "keep_placed", "serve_on_cluster"]

POLL_SECONDS = 0.5
"""Seconds between two looks: by the command at the list of Dask workers, by a worker at its signal to stop."""

CONNECT_SECONDS = 10
"""Seconds to wait for the scheduler."""


class ClusterError(FewestError, OSError):
    """The cluster cannot be used."""


def serve_on_cluster(
    scheduler: str,
    n_workers: int,
    names: Sequence[str],
    url: str,
    *,
    wait: bool,
    places: Places,
    connect_seconds: float = CONNECT_SECONDS,
) -> None:
    """Keep workers on a Dask cluster until no study has work left, or the user stops the command.

    Args:
        scheduler: Address of the Dask scheduler, such as `tcp://host:8786`.
        n_workers: Number of workers to keep; a cluster with fewer processes gets one worker a process.
        names: Names of the studies to train for; empty for all.
        url: URL of the storage, as the cluster reaches it.
        wait: Whether to wait for the next study when all are finished.
        places: Places of artifacts and checkpoints, as the cluster reaches them.
        connect_seconds: Seconds to wait for the scheduler.

    Raises:
        MisuseError: Several machines cannot share the storage, or there is no such study.
        ClusterError: There is no such scheduler, or `distributed` is not installed.
        SearchInterruptedError: The user stopped the command; the workers have left.
    """
    if parse_url(url).drivername == "sqlite":
        raise MisuseError(
            f"A cluster's workers must share a PostgreSQL storage, got the file {shown(parse_url(url))}. "
            "On one machine, start `fewest worker` several times instead."
        )
    require("distributed", "cluster", ClusterError, what="A cluster")
    if not wait:
        all_studies(url)
        for name in names:
            stored_study(name, url)
    from distributed import Client

    from fewest.search.listener import SearchInterruptedError

    say = say_to(err())
    try:
        client = Client(scheduler, timeout=connect_seconds, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"There must be a Dask scheduler at {scheduler!r}, got: {error}. Check its address."
        ) from error
    task = partial(_help, names=tuple(names), url=url, wait=wait, places=places)
    with client, stoppable(say) as should_stop:
        keep_placed(client, n_workers, task, should_stop, say)
        if should_stop():
            raise SearchInterruptedError("Interrupted; nothing is lost. The workers have left the cluster.")


def keep_placed(
    client: "Client",
    n_workers: int,
    task: Callable[[str], str],
    should_stop: Callable[[], bool],
    say: Callable[[str], None],
    *,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Keep a task running on each of `n_workers` Dask workers until one task returns, for nothing is left to do.

    Args:
        client: Dask client of the cluster.
        n_workers: Number of Dask workers to use; fewer while the cluster has fewer.
        task: Function to run on a Dask worker. It takes the name of the `distributed.Event` that asks it to end, and
            returns an account of its work.
        should_stop: Function asked every `poll_seconds`; True ends the tasks.
        say: Function that prints a line for each beginning and end of a task.
        poll_seconds: Seconds between two looks at the cluster.

    Raises:
        Exception: A task raised it; the other tasks are asked to end.
    """
    from distributed import Event

    stop = Event(f"fewest-{uuid.uuid4().hex}", client=client)
    tasks: dict[str, Future[str]] = {}
    ending = False
    try:
        while tasks or not ending:
            living = client.nthreads().keys()
            for address in [address for address, future in tasks.items() if future.done() or address not in living]:
                ended = _ended(tasks.pop(address), address, say)
                ending = ending or ended
            if should_stop() and not ending:
                ending = True
                stop.set()
            free = [] if ending else sorted(living - tasks.keys())[: n_workers - len(tasks)]
            for address in free:
                # Pinned, so that each worker has its own process; this loop replaces a worker that is lost.
                tasks[address] = client.submit(task, stop.name, workers=[address], pure=False)
                say(f"A worker begins on {address}; {len(tasks)} of {n_workers}.")
            time.sleep(poll_seconds)
    finally:
        stop.set()


def _ended(future: "Future[str]", address: str, say: Callable[[str], None]) -> bool:
    """Print the result of a task. Return whether it came to its end; if not, it must be submitted again."""
    from distributed import KilledWorker

    if future.status == "finished":
        say(f"{address}: {future.result()}")
        return True
    error = future.exception() if future.status == "error" else None
    if error is not None and not isinstance(error, KilledWorker):
        raise error
    future.cancel()
    say(f"The worker on {address} is gone; its trials pass to the others.")
    return False


def _help(stop: str, names: Sequence[str], url: str, wait: bool, places: Places) -> str:
    """Work in a thread of a Dask worker until the event named `stop` is set or no work is left."""
    from distributed import Event

    from fewest.search.listener import SearchInterruptedError

    asked = _now_and_then(Event(stop).is_set)
    try:
        return help_until(asked, names, url, wait=wait, manner=Manner(quiet=True, places=places))
    except SearchInterruptedError as interrupted:
        return str(interrupted)


def _now_and_then(ask: Callable[[], bool]) -> Callable[[], bool]:
    """Cache the last answer for a while: an epoch may be shorter than a question to the scheduler."""
    answer, asked_at = False, float("-inf")

    def cached() -> bool:
        nonlocal answer, asked_at
        if time.monotonic() - asked_at >= POLL_SECONDS:
            answer, asked_at = ask(), time.monotonic()
        return answer

    return cached
