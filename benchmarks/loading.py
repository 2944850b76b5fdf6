"""Time and memory of loading a table and a folder of images, beside the libraries that read them, alone.

A CSV and a Parquet file of 50 mixed columns: 34 numbers, some with gaps, 6 whole numbers, 5 categories, 2 of yes and
no, 2 dates and the label. pandas with pyarrow reads them into a data frame; ours ends with arrays that train:
columns converted, one-hot inputs, both splits, the fingerprint. PNGs of 28 x 28 in ten classes: Pillow decodes them
into one array. Every measurement is a fresh process, and both take turns. Imports are not timed.
Processor seconds tell more where other work shares the cores.

Usage: `python -m benchmarks.loading [--rows 1000000] [--images 60000] [--runs 3]`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LIMITS = {"table": (1.5, 3.0), "images": (1.2, None)}
"""At most so many times the other's seconds, and so many times the bytes of the arrays that training needs."""


def write_table(path: Path, n_rows: int) -> None:
    """Write 50 mixed columns as CSV or Parquet; the same for both."""
    import pyarrow as arrow
    from pyarrow import csv, parquet

    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {f"number {i}": rng.normal(size=n_rows).round(5) for i in range(30)}
    for i in range(4):
        columns[f"gaps {i}"] = arrow.array(rng.normal(size=n_rows).round(3), mask=rng.random(n_rows) < 0.05)
    columns |= {f"count {i}": rng.integers(0, 1000, n_rows) for i in range(6)}
    colours = np.array(["red", "green", "blue", "yellow", "black"])
    columns |= {f"colour {i}": colours[rng.integers(0, 5, n_rows)] for i in range(5)}
    columns |= {f"yes {i}": rng.random(n_rows) < 0.5 for i in range(2)}
    columns |= {f"day {i}": (18_000 + rng.integers(0, 1000, n_rows)).astype("datetime64[D]") for i in range(2)}
    columns["kind"] = np.array(["a", "b", "c"])[rng.integers(0, 3, n_rows)]
    table = arrow.table(columns)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)


def write_images(folder: Path, n_images: int) -> None:
    """Write grey PNGs of 28 x 28 in ten classes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
    for index in range(n_images):
        pixels = (rng.random((28, 28)) * rng.integers(0, 2, (28, 1)) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / str(index % 10) / f"{index:06d}.png")


def measure(what: str, path: Path) -> dict[str, float]:
    """Load once in this process: seconds, of the processor too, bytes at the peak above those of imports, of arrays."""
    run = {"fewest": ours, "pandas": pandas_alone, "Pillow": pillow_alone}[what]()
    Path("/proc/self/clear_refs").write_text("5")  # The peak until now, that of imports, is forgotten.
    before = resident("VmRSS")
    started, started_cpu = time.perf_counter(), time.process_time()
    n_bytes = run(path)
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    return {"seconds": seconds, "cpu": cpu, "peak": resident("VmHWM") - before, "arrays": n_bytes}


def resident(which: str) -> int:
    """Return bytes of memory of this process: `VmRSS` for now, `VmHWM` for its peak; Linux alone says so."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{which}:"))


def ours() -> Callable[[Path], int]:
    """Import what loading imports; return a function that loads and says how many bytes training needs."""
    import pandas  # noqa: F401
    import PIL.Image  # noqa: F401
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401
    import sklearn.utils.extmath  # noqa: F401

    from fewest.search.data.loading import load

    def run(path: Path) -> int:
        data, sealed = load(str(path), validation="stratified", validation_share=0.2, seed=0)
        arrays = (data.x_train, data.y_train, data.x_validation, data.y_validation, *sealed.unseal())
        return sum(array.nbytes for array in arrays)

    return run


def pandas_alone() -> Callable[[Path], int]:
    """Return a function that reads a table into a data frame by Arrow."""
    import pandas
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    def run(path: Path) -> int:
        frame = pandas.read_csv(path, engine="pyarrow") if path.suffix == ".csv" else pandas.read_parquet(path)
        return int(frame.memory_usage().sum())

    return run


def pillow_alone() -> Callable[[Path], int]:
    """Return a function that decodes all images into one array."""
    from PIL import Image

    def run(path: Path) -> int:
        arrays = []
        for name in sorted(path.glob("*/*.png")):
            with Image.open(name) as image:
                arrays.append(np.asarray(image))
        return np.stack(arrays).nbytes

    return run


def compare(path: Path, other: str, limits: tuple[float, float | None], runs: int) -> None:
    """Print a line for each of two loaders, and whether ours keeps the limits."""
    taken: dict[str, list[dict[str, float]]] = {other: [], "fewest": []}
    for _ in range(runs):
        for what, results in taken.items():
            command = [sys.executable, "-m", "benchmarks.loading", "--measure", what, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
    seconds, cpu = (
        {what: statistics.median(result[which] for result in results) for what, results in taken.items()}
        for which in ("seconds", "cpu")
    )
    for what, results in taken.items():
        peak = max(result["peak"] for result in results)
        times, share = seconds[what] / seconds[other], peak / taken["fewest"][0]["arrays"]
        kept = times <= limits[0] and (limits[1] is None or share <= limits[1])
        verdict = "" if what == other else "yes" if kept else "no"
        print(
            f"| {path.name} | {what} | {seconds[what]:.2f} | {times:.2f} | {cpu[what]:.2f} | {peak / 1e6:.0f} "
            f"| {share:.1f} | {verdict} |"
        )


def main() -> None:
    """Write the data, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("LOADER", "PATH"), help="measure one loader in this process")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], Path(options.measure[1]))))
        return
    print("| data | loader | seconds | times | processor | peak MB | arrays | within limits |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("table.csv", "table.parquet"):
            write_table(path := Path(folder) / name, options.rows)
            compare(path, "pandas", LIMITS["table"], options.runs)
        write_images(path := Path(folder) / "images", options.images)
        compare(path, "Pillow", LIMITS["images"], options.runs)


if __name__ == "__main__":
    main()
