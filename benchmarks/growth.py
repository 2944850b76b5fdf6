"""How the cost of one study grows with its networks, on a default MNIST study.

    python -m benchmarks.growth [--trials 1000] [--seed 0] [--output docs/growth.svg]

Measured after each cohort: seconds since the study began, processor seconds of the process, and epochs trained, summed
over networks. Other programs disturb processor seconds less. A pruned network costs less than a complete one, so cost
can be linear in networks only as far as epochs are. All three are drawn against networks, each as a share of its last
value.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from fewest.quiet import quiet_libraries
from fewest.storage.files.atomic import write_whole

quiet_libraries()

from fewest.search import loop  # noqa: E402  # after the libraries were told to be quiet
from fewest.search.data.datasets import load_for  # noqa: E402
from fewest.search.listener import Listener, Progress  # noqa: E402
from fewest.search.settings.files import load  # noqa: E402
from fewest.search.study.opening import open_study  # noqa: E402
from fewest.search.training.engines import ENGINES  # noqa: E402
from fewest.storage.trials.cohort_storage import optuna_storage  # noqa: E402

WIDTH, HEIGHT, MARGIN = 640, 400, 60
BLUE, GREEN, ORANGE = "#1f6fb4", "#2f9e57", "#d9822b"


class Point(NamedTuple):
    """Where the study stood after so many networks; epochs are summed over networks."""

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
        study.__exit__()
    return points


def drawn(points: Sequence[Point]) -> str:
    """Return an SVG of all three against networks, with a straight line to the last point."""
    last = points[-1]

    def line(share: Callable[[Point], float], color: str) -> str:
        places = " ".join(f"{x(p.networks / last.networks):.1f},{y(share(p)):.1f}" for p in points)
        return f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2"/>'

    labels = [
        *(
            _text(x(p.networks / last.networks), y(0) + 20, str(p.networks), "middle")
            for p in points
            if p.networks >= last.networks / 15  # The first ones have no room.
        ),
        _text(x(0.5), y(0) + 42, "networks", "middle"),
        _text(x(0.04), y(0.95), f"seconds, of {last.seconds:.0f}", "start", BLUE),
        _text(x(0.04), y(0.89), f"processor seconds, of {last.processor:.0f}", "start", GREEN),
        _text(x(0.04), y(0.83), f"epochs trained, of {last.epochs}", "start", ORANGE),
    ]
    places = [(x(p.networks / last.networks), y(p.seconds / last.seconds)) for p in points]
    dots = [f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{BLUE}"/>' for left, top in places]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<path d="M{x(0)} {y(1)}V{y(0)}H{x(1)}" fill="none" stroke="#444"/>',
            f'<path d="M{x(0)} {y(0)}L{x(1)} {y(1)}" stroke="#bbb" stroke-dasharray="4"/>',
            line(lambda p: p.epochs / last.epochs, ORANGE),
            line(lambda p: p.processor / last.processor, GREEN),
            line(lambda p: p.seconds / last.seconds, BLUE),
            *dots,
            *labels,
            "</svg>\n",
        ]
    )


def x(share: float) -> float:
    """Return the pixels from the left for a share of the networks."""
    return MARGIN + share * (WIDTH - 2 * MARGIN)


def y(share: float) -> float:
    """Return the pixels from the top for a share of the seconds or the epochs."""
    return HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)


def _text(left: float, top: float, text: str, anchor: str, color: str = "#222") -> str:
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" font-size="14" fill="{color}">{text}</text>'


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs/growth.svg"))
    given = parser.parse_args()
    write_whole(given.output, drawn(measured(given.trials, given.seed)).encode())


if __name__ == "__main__":
    main()
