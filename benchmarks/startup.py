"""Start times of the quick commands, beside `python -c pass`: medians of whole processes, run in turn.

Usage: `python -m benchmarks.startup [--runs 5]`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "fewest --help": ("-m", "fewest", "--help"),
    "fewest studies": ("-m", "fewest", "studies"),
    "fewest answer digits": ("-m", "fewest", "answer", "digits"),
}


def seconds(arguments: tuple[str, ...], url: str) -> float:
    """Return the wall-clock seconds of one process."""
    started = time.perf_counter()
    environment = {**os.environ, "FEWEST_STORAGE": url}
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    return time.perf_counter() - started


def main() -> None:
    """Create a study of 120 trials, then time every command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'studies.db'}"
        seconds(("-m", "fewest", "run", "digits", "--quiet", "--set", "training.epochs=3"), url)
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(runs + 1):
            for name, arguments in COMMANDS.items():
                taken[name].append(seconds(arguments, url))
    print("| command | seconds | more than `python -c pass` |\n|---|---|---|")
    base = statistics.median(taken["python -c pass"][1:])
    for name, values in taken.items():
        median = statistics.median(values[1:])
        print(f"| `{name}` | {median:.2f} | {median - base:.2f} |")


if __name__ == "__main__":
    main()
