"""A thousand simulated workers against one PostgreSQL server, to find its limit.

    python -m benchmarks.many_workers [--workers 10 100 1000] [--epoch-seconds 2.5] [--cohort 16] [--seconds 30]

Every simulated worker has a lease of its own, beats every 7.5 s as real ones do, and works through cohorts: it creates
their trials, writes their curves after each of 15 epochs, and tells them. Two things are left out: the training, and
what a worker reads and computes on its own machine. The workers share a few processes and their connections, as they
would behind a pooler: `--processes` times `--threads` connections.

Prints the lateness of stored heartbeats (a lease is 30 s), transactions a second, the share of the due work that was
done, and the server's connections.
"""

import argparse
import heapq
import itertools
import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from benchmarks.storage_throughput import databases
from fewest.search.settings.space import SearchSpace
from fewest.search.study.sampler import distributions
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import write_curves
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.leases import LEASE_SECONDS, Leases
from fewest.storage.trials.records import CurvePoint

BEAT_SECONDS = LEASE_SECONDS / 4
N_EPOCHS = 15
DIMENSIONS = distributions(SearchSpace(max_depth=3, min_width=1, max_width=128))
TEMPLATE = create_trial(
    state=TrialState.RUNNING,
    params={"depth": 1, "width_1": 16},
    distributions={name: DIMENSIONS[name] for name in ("depth", "width_1")},
    user_attrs={"cohort": 0, "widths": [16], "neurons": 16, "parameters": 12730, "seed": 1},
)


@dataclass
class Worker:
    """The state of one simulated worker."""

    leases: Leases
    study_id: int
    trials: list[int] = field(default_factory=list)
    epoch: int = 0


def work(worker: Worker, storage: CohortStorage, n: int) -> str:
    """Yield the next transaction of a worker's cohort, and its name."""
    if not worker.trials:
        worker.trials = storage.create_trials(worker.study_id, [TEMPLATE] * n, leases=worker.leases)
        worker.epoch = 0
        return "ask"
    if worker.epoch < N_EPOCHS:
        point = CurvePoint(worker.epoch, 0.1, 0.9, 0.1, 0.9)
        write_curves(storage.engine, {key: [point] for key in worker.trials}, fences=worker.leases.fences())
        worker.epoch += 1
        return "epoch"
    facts = {"epochs": N_EPOCHS, "best_epoch": N_EPOCHS - 1, "seconds": 0.1}
    ended = [FinishedTrial(key, TrialState.COMPLETE, [16.0, 0.9], facts) for key in worker.trials]
    storage.finish_trials(ended, leases=worker.leases)
    worker.trials = []
    return "tell"


def simulate(
    url: str, studies: list[int], n_workers: int, n_threads: int, cohort: int, epoch_seconds: float, seconds: float
) -> Any:
    """Run some of the workers; return the heartbeats' lateness in seconds, and counts of the transactions done."""
    storage = CohortStorage(url)
    storage.engine.pool._pool.maxsize = n_threads  # type: ignore[attr-defined]  # SQLAlchemy's, and private
    workers = [Worker(Leases(storage.engine), study) for study in itertools.islice(itertools.cycle(studies), n_workers)]
    begun = time.monotonic()
    due: list[tuple[float, int, str]] = []
    for index in range(n_workers):
        due.append((begun + random.uniform(0, BEAT_SECONDS), index, "beat"))
        due.append((begun + random.uniform(0, epoch_seconds), index, "work"))
    heapq.heapify(due)
    late: list[float] = []
    done: Counter[str] = Counter()
    lock = threading.Lock()

    def serve() -> None:
        while True:
            with lock:
                at, index, what = heapq.heappop(due)
            if at > begun + seconds:
                return
            time.sleep(max(0.0, at - time.monotonic()))
            if time.monotonic() > begun + seconds:
                return
            worker = workers[index]
            if what == "beat":
                worker.leases.beat()
            else:
                name = work(worker, storage, cohort)
            ended = time.monotonic()
            with lock:
                done[what if what == "beat" else name] += 1
                if what == "beat":
                    late.append(ended - at)
                # The next beat is due a period after this one was stored, the next epoch when it is trained.
                heapq.heappush(due, (ended + (BEAT_SECONDS if what == "beat" else epoch_seconds), index, what))

    threads = [threading.Thread(target=serve) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return late, done


def _process(results: Any, *arguments: Any) -> None:
    results.put(simulate(*arguments))


def _samples(engine: sa.Engine, stop: threading.Event) -> Iterator[int]:
    while not stop.wait(1.0):
        with engine.connect() as connection:
            counted = connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL")
            yield int(counted.scalar_one())


def main() -> None:
    """Print a row for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--studies", type=int, default=1)
    parser.add_argument("--epoch-seconds", type=float, default=2.5)
    parser.add_argument("--cohort", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=16)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    fork = multiprocessing.get_context("fork")
    print(
        "| workers | studies | beats late: median | 99 % | longest, s | transactions/s | of those due | connections |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with databases() as make:
        for n_workers in given.workers:
            url = make("postgresql")
            storage = CohortStorage(url)
            directions = [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
            studies = [storage.create_new_study(directions, f"s{i}") for i in range(given.studies)]
            storage.engine.dispose()
            results: Any = fork.Queue()
            share = n_workers // given.processes
            arguments = (results, url, studies, share, given.threads, given.cohort, given.epoch_seconds, given.seconds)
            processes = [fork.Process(target=_process, args=arguments) for _ in range(given.processes)]
            for process in processes:
                process.start()
            stop, seen = threading.Event(), list[int]()
            sampler = threading.Thread(target=lambda: seen.extend(_samples(storage.engine, stop)))  # noqa: B023
            sampler.start()
            found = [results.get(timeout=10 * given.seconds + 120) for _ in processes]
            stop.set()
            for process in processes:
                process.join()
            sampler.join()
            storage.engine.dispose()
            late = sorted(itertools.chain.from_iterable(late for late, _ in found))
            done: Counter[str] = sum((done for _, done in found), Counter())
            due = n_workers * given.seconds * (1 / BEAT_SECONDS + 1 / given.epoch_seconds)
            cuts = quantiles(late, n=100)
            print(
                f"| {n_workers} | {given.studies} | {cuts[49]:.2f} | {cuts[98]:.2f} | {late[-1]:.1f} "
                f"| {done.total() / given.seconds:.0f} | {done.total() / due:.0%} | {max(seen)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
