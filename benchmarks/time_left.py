"""How far the time left is off: what `fewest run` says, against what then passes.

    python -m benchmarks.time_left digits "iris.csv --label species" --repeats 3

Each study runs in a process and a storage of its own. A line of its progress says a time left; the ratio is that time
over the time that really passed until the process ended.
"""

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

SAID = re.compile(r"(?:about (\d+(?:\.\d+)?) (s|min|h)) (?:left|on this machine)")

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)


def said(line: str) -> float | None:
    """Return the seconds that a line of progress says are left; None if it says nothing of it.

    >>> said("search: 8 of 40 networks, 8 training, epoch 1 of 30; about 2 min left"), said("Label: y.")
    (120.0, None)
    """
    found = SAID.search(line)
    return float(found[1]) * UNITS[found[2]] if found else None


def followed(study: str) -> Iterator[tuple[float, float]]:
    """Run a study; yield the time since its first guess and the seconds that it said were left, then its end and 0."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fewest", "run", *shlex.split(study), "--storage", f"sqlite:///{folder}/s.db"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stderr
        started = None
        for line in process.stderr:
            left = said(line)
            if left is not None:
                started = started or time.monotonic()
                yield time.monotonic() - started, left
        process.wait()
        yield time.monotonic() - (started or time.monotonic()), 0.0


def row(study: str) -> str:
    """Run a study once; return the ratio of what was said to what passed, at each share of the run."""
    *seen, (end, _) = followed(study)
    ratios = []
    for share in SHARES:
        at, left = min(seen, key=lambda point: abs(point[0] - share * end))
        ratios.append(f"{left / max(end - at, 1e-9):.2f}")
    return " | ".join([study, f"{end:.0f} s", *ratios])


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", help="what follows `fewest run`")
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    print(" | ".join(["study", "took", *(f"at {share:.0%}" for share in SHARES)]))
    for study in arguments.studies:
        for _ in range(arguments.repeats):
            print(row(study), flush=True)


if __name__ == "__main__":
    main()
