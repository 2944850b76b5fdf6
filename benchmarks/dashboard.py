"""The dashboard while a study writes to the same SQLite file, and its first views of large studies.

    python -m benchmarks.dashboard readers [--study mnist] [--readers 200] [--pause 10] [--trials 80] [--turns 4]
    python -m benchmarks.dashboard views [--trials 1000 5000 20000]

`readers`: the same study (same seed, no verification) is searched in pairs without and with readers. Readers are
open pages: each asks for the study as optuna-dashboard's page does, waits `--pause` seconds and asks for what is new.
They run in a process of their own at the lowest priority, as readers of a real dashboard run on other machines; 0
seconds of pause is a flood. Every answer but 200 is a failed request; a failed write ends the study with an error, and
the trials that were told are counted. The last line is the verdict, and the exit status is 1 if it is not good.

`views`: seconds and bytes of the first and the second answer of a fresh dashboard for what each page asks for, and of
the report, on studies of random trials with 15 epochs each, one in seven complete, 400 verified networks, and the
figures that a running study keeps.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median, quantiles

from fewest.quiet import quiet_libraries

quiet_libraries()

import optuna  # noqa: E402
from optuna.study import StudyDirection  # noqa: E402
from optuna.trial import FrozenTrial, TrialState, create_trial  # noqa: E402

from benchmarks.open_pages import Readings, asked  # noqa: E402
from fewest.dashboards.report import draw_figures  # noqa: E402
from fewest.dashboards.report_of_study import report_of  # noqa: E402
from fewest.dashboards.saved import SavedName, save_figures  # noqa: E402
from fewest.search.data.loading import load_for  # noqa: E402
from fewest.search.listener import Listener  # noqa: E402
from fewest.search.loop import search  # noqa: E402  # after the libraries were told to be quiet
from fewest.search.settings.files import load  # noqa: E402
from fewest.search.settings.space import Architecture, n_neurons, n_parameters, parameters_of  # noqa: E402
from fewest.search.study.opening import open_study  # noqa: E402
from fewest.search.study.sampler import distributions  # noqa: E402
from fewest.search.training.engines import ENGINES  # noqa: E402
from fewest.storage.trials.cohort_storage import optuna_storage  # noqa: E402
from fewest.storage.trials.curves import write_curves  # noqa: E402
from fewest.storage.trials.records import CurvePoint, VerifiedNetwork  # noqa: E402
from fewest.storage.trials.results import write_results  # noqa: E402
from fewest.storage.trials.studies import read_study, read_trials  # noqa: E402

N_EPOCHS = 15

MOST_SLOWDOWN = 0.05


@contextmanager
def dashboard(url: str) -> Iterator[tuple[int, int]]:
    """Start `fewest dashboard`; yields its port and its process id."""
    command = [sys.executable, "-m", "fewest", "dashboard", "--port", "0", "--storage", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        try:
            line = started.stderr.readline()
            yield int(line.split("/ ")[0].rpartition(":")[2]), started.pid
        finally:
            started.terminate()


@contextmanager
def readers(url: str, name: str, n_readers: int, pause: float) -> Iterator[Readings]:
    """Read a study with so many pages; the readings are complete after the context."""
    readings = Readings()
    with dashboard(url) as (port, process):
        command = [sys.executable, "-m", "benchmarks.open_pages", str(port), name, str(n_readers), str(pause)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
            assert started.stdout is not None
            started.stdout.readline()
            before = processor_seconds(process)
            yield readings
            readings.processor_seconds = processor_seconds(process) - before
            seen = json.loads(started.communicate()[0])
    readings.seconds.extend(seen["seconds"])
    readings.failed.extend(seen["failed"])


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used so far; Linux alone tells it."""
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def searched(url: str, study_file: str, name: str, n_trials: int) -> float:
    """Search a study to its end; return seconds."""
    config = load(study_file, [f"budget.trials={n_trials}", f"budget.patience={n_trials}", ("name", name)])
    data, _ = load_for(config)
    silent = Listener(lambda progress: None, lambda: None, lambda line: None, lambda: False)
    began = time.perf_counter()
    with open_study(optuna_storage(url), config, data) as study:
        search(study, ENGINES[config.engine](), silent)
        told = sum(trial.state in ("complete", "pruned") for trial in study.trials())
    seconds = time.perf_counter() - began
    if told != n_trials:
        raise RuntimeError(f"{told} of {n_trials} trials were told.")
    return seconds


def compare_readers(study_file: str, n_readers: int, pause: float, n_trials: int, turns: int) -> bool:
    """Print a row for each search, then the verdict; return whether it is good."""
    print(f"{n_readers} readers, each {pause:g} s between an answer and its next question, on {n_trials} networks.\n")
    print(
        "| pair | readers | study, s | dashboard, s of a core | requests | failed | median answer, s | 95 % within, s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    seconds: dict[int, list[float]] = {0: [], n_readers: []}
    n_requests, failed, dashboard_seconds = 0, set(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder, 'studies.db')}"
        searched(url, study_file, "warm-up", min(n_trials, 40))
        for pair in range(turns):
            # Each goes first in every second pair: a machine that becomes slower is no slowdown by readers.
            for n in sorted(seconds, reverse=pair % 2 == 1):
                name = f"study-{pair}-{n}"
                with readers(url, name, n, pause) if n else nullcontext(Readings()) as readings:
                    took = searched(url, study_file, name, n_trials)
                seconds[n].append(took)
                n_requests += len(readings.seconds) + len(readings.failed)
                failed |= set(readings.failed)
                dashboard_seconds += readings.processor_seconds
                print(f"| {pair} | {n} | {took:.1f} | {_answers(readings)} |", flush=True)
    shares = [together / alone - 1 for together, alone in zip(seconds[n_readers], seconds[0], strict=True)]
    slowdown = sum(seconds[n_readers]) / sum(seconds[0]) - 1
    good = slowdown < MOST_SLOWDOWN and not failed
    print(f"\n{n_requests:,} requests, failed: {', '.join(sorted(failed)) or 'none'}.")
    print(f"The dashboard took {dashboard_seconds / sum(seconds[n_readers]):.1%} of a core.")
    print(f"All {2 * turns * n_trials:,} networks were written.")
    print(f"Slowed by {slowdown:+.1%}, pairs by {min(shares):+.1%} to {max(shares):+.1%}.")
    print(f"It must be below {MOST_SLOWDOWN:.0%}. Verdict: {'good' if good else 'NOT GOOD'}.")
    return good


def _answers(readings: Readings) -> str:
    """Write what readers saw as cells."""
    took = readings.seconds
    if len(took) < 2:
        return " | | | |"
    n_requests, n_failed = len(took) + len(readings.failed), len(readings.failed)
    spread = f"{median(took):.3f} | {quantiles(took, n=20)[-1]:.3f}"
    return f"{readings.processor_seconds:.2f} | {n_requests} | {n_failed} | {spread}"


def made_study(url: str, n_trials: int) -> None:
    """Make a study of random trials."""
    rng, config = random.Random(0), load("mnist", [f"budget.trials={n_trials}"])
    data = {"name": "mnist", "input_shape": [28, 28], "n_classes": 10, "fingerprint": "f" * 64}
    samples = {"n_training": 51_000, "n_validation": 9_000, "n_test": 10_000}
    storage = optuna_storage(url)
    storage.create_whole_study(
        "made",
        [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE],
        [made_trial(rng, number) for number in range(n_trials)],
        attributes={"settings": config.settings(), "data": {**data, **samples}, "environment": {"fewest": "0"}},
        metric_names=["neurons", "validation_accuracy"],
    )
    key = read_study(storage.engine, "made").study_id
    trials = read_trials(storage.engine, key)
    write_curves(
        storage.engine,
        {trial.trial_id: [made_point(rng, epoch) for epoch in range(trial.epochs or 0)] for trial in trials},
    )
    verified = [
        VerifiedNetwork((width,), seed, accuracy_of(rng, (width,)), 0.9, N_EPOCHS, 0.5)
        for width, seed in itertools.product(range(1, 21), range(20))
    ]
    write_results(storage.engine, key, verified)
    figures = draw_figures(report_of("made", url))
    kept: tuple[SavedName, ...] = ("front", "curves", "hypervolume", "intervals")
    save_figures(optuna.load_study(study_name="made", storage=storage), {name: figures[name] for name in kept})
    storage.close()


def made_trial(rng: random.Random, number: int) -> FrozenTrial:
    """Make a trial that ended: one in seven complete, the others pruned."""
    widths = tuple(rng.randint(1, 128) for _ in range(rng.randint(0, 3)))
    dimensions, params = distributions(load("mnist").space.search_space()), parameters_of(widths)
    complete = number % 7 == 0
    facts = {
        "widths": list(widths),
        "neurons": n_neurons(widths),
        "parameters": n_parameters(widths, 784, 10),
        "seed": rng.getrandbits(40),
        "cohort": number - number % 32,
        "epochs": N_EPOCHS if complete else rng.randint(1, N_EPOCHS - 1),
        "best_epoch": 0,
        "seconds": 0.5,
    }
    return create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        values=[float(n_neurons(widths)), accuracy_of(rng, widths)] if complete else None,
        params=params,
        distributions={name: dimensions[name] for name in params},
        user_attrs=facts if complete else {**facts, "reason": "at epoch 3 accuracy 0.8; 0.9 is the least"},
    )


def accuracy_of(rng: random.Random, widths: Architecture) -> float:
    """Make up an accuracy: more neurons, more accurate."""
    return 0.98 - 0.3 / (1 + min(widths, default=4)) + rng.gauss(0, 0.003)


def made_point(rng: random.Random, epoch: int) -> CurvePoint:
    """Make up an epoch."""
    accuracy = 0.95 - 0.5 / (epoch + 1) + rng.gauss(0, 0.01)
    return CurvePoint(epoch, 1 - accuracy, accuracy, 1 - accuracy, accuracy)


PAGES = {
    "list of studies": "/api/studies",
    "study": "/api/studies/1",
    "importance": "/api/studies/1/param_importances",
    "report": "/report/made",
    "CSV": "/csv/1",
}


def measure_views(sizes: list[int]) -> None:
    """Print a row for each page and size of study."""
    print("| trials | page | first answer, s | second answer, s | MB |\n|---|---|---|---|---|")
    for n_trials in sizes:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder, 'studies.db')}"
            made_study(url, n_trials)
            for page, path in PAGES.items():
                with dashboard(url) as (port, _):
                    first, second = timed(port, path), timed(port, path)
                print(
                    f"| {n_trials:,} | {page} | {first[0]:.2f} | {second[0]:.2f} | {first[1] / 1e6:.2f} |", flush=True
                )


def timed(port: int, path: str) -> tuple[float, int]:
    """Return the seconds and bytes of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    status, body = asked(connection, path)
    connection.close()
    if status != 200:
        raise RuntimeError(f"{path} must be answered with 200, got {status}.")
    return time.perf_counter() - began, len(body)


def main() -> None:
    """Run one of the two measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    reading = commands.add_parser("readers")
    reading.add_argument("--study", default="mnist", help="A shipped study, or a study file.")
    reading.add_argument("--readers", type=int, default=200)
    reading.add_argument("--pause", type=float, default=10.0)
    reading.add_argument("--trials", type=int, default=80)
    reading.add_argument("--turns", type=int, default=4)
    viewing = commands.add_parser("views")
    viewing.add_argument("--trials", type=int, nargs="+", default=[1000, 5000, 20_000])
    given = parser.parse_args()
    if given.command == "readers":
        sys.exit(0 if compare_readers(given.study, given.readers, given.pause, given.trials, given.turns) else 1)
    else:
        measure_views(given.trials)


if __name__ == "__main__":
    main()
