"""Growth of a study's cost with its networks, on a default MNIST study.

    python -m benchmarks.growth [--trials 1000] [--seed 0] [--output docs/growth.png]

Measured after each cohort: seconds since the study began, processor seconds of the process, and epochs trained, summed
over networks. Other programs disturb processor seconds less than seconds. A pruned network costs less than a complete
one, so the cost can only be linear in networks if the epochs are. The figure shows all three against networks, each as
a share of its last value. Drawing needs an installed Chromium.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import plotly.graph_objects as go

from fewest.quiet import quiet_libraries

quiet_libraries()

from fewest.dashboards.colours import FAINT  # noqa: E402
from fewest.dashboards.pictures import write_pictures  # noqa: E402
from fewest.dashboards.style import depth_colour, finish  # noqa: E402
from fewest.search import loop  # noqa: E402  # after the libraries were told to be quiet
from fewest.search.data.loading import load_for  # noqa: E402
from fewest.search.listener import Listener, Progress  # noqa: E402
from fewest.search.settings.files import load  # noqa: E402
from fewest.search.study.opening import open_study  # noqa: E402
from fewest.search.training.engines import ENGINES  # noqa: E402
from fewest.storage.trials.cohort_storage import optuna_storage  # noqa: E402


class Point(NamedTuple):
    """The study's cost after a number of networks; epochs are summed over networks."""

    networks: int
    seconds: float
    processor: float
    epochs: int


def measured(n_trials: int, seed: int) -> list[Point]:
    """Run the study without verification, and print a row for each cohort."""
    budget = [f"budget.trials={n_trials}", f"budget.patience={n_trials}"]
    config = load("mnist", [*budget, f"seed={seed}"])
    data, _ = load_for(config)
    print("| networks | seconds | processor seconds | epochs trained |\n|---|---|---|---|")
    points, epochs = [Point(0, 0.0, 0.0, 0)], 0
    with tempfile.TemporaryDirectory() as folder:
        study = open_study(optuna_storage(f"sqlite:///{Path(folder) / 'study.db'}"), config, data)
        started, processor = time.perf_counter(), time.process_time()

        def count(progress: Progress) -> None:
            nonlocal epochs
            epochs += progress.n_training

        def note() -> None:
            seconds = time.perf_counter() - started, time.process_time() - processor
            points.append(Point(study.n_told, *seconds, epochs))
            print("| {} | {:.1f} | {:.1f} | {} |".format(*points[-1]), flush=True)

        loop.search(study, ENGINES[config.engine](), Listener(count, note, lambda line: None, lambda: False))
        study.__exit__(None, None, None)
    return points


def drawn(points: Sequence[Point]) -> go.Figure:
    """Draw all three against networks, each as a share of its last, with a straight line to the last point."""
    last = points[-1]
    networks = [point.networks for point in points]
    lines = {
        f"seconds, of {last.seconds:,.0f}": [point.seconds / last.seconds for point in points],
        f"processor seconds, of {last.processor:,.0f}": [point.processor / last.processor for point in points],
        f"epochs trained, of {last.epochs:,}": [point.epochs / last.epochs for point in points],
    }
    figure = go.Figure()
    figure.add_scatter(
        x=[0, last.networks], y=[0, 1], mode="lines", name="linear", line={"dash": "dash", "color": FAINT}
    )
    for (name, shares), depth in zip(lines.items(), (1, 3, 2), strict=True):
        figure.add_scatter(x=networks, y=shares, mode="lines+markers", name=name, line={"color": depth_colour(depth)})
    figure.update_xaxes(title={"text": "networks"})
    figure.update_yaxes(title={"text": "share of the whole study"}, tickformat=".0%")
    return finish(figure, "Cost of a study against its networks", "Time and epochs, each as a share of its last value")


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/growth.png"))
    given = parser.parse_args()
    write_pictures({given.output: drawn(measured(given.trials, given.seed))})


if __name__ == "__main__":
    main()
