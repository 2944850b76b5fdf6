"""The README's picture: a verified study's mean test accuracy against neurons, a line for each number of hidden layers.

    python -m benchmarks.readme_picture mnist [--storage sqlite:///fewest.db] [--output docs/front.png]

Needs an installed Chromium.
"""

import argparse
from pathlib import Path

from benchmarks.figure import save_png
from fewest.dashboards.depth import plot_depth
from fewest.read_commands import found
from fewest.storage import DEFAULT_URL

PICTURE = Path(__file__).parents[1] / "docs" / "front.png"


def main() -> None:
    """Draw the picture and write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the study")
    parser.add_argument("--storage", default=DEFAULT_URL)
    parser.add_argument("--output", type=Path, default=PICTURE)
    given = parser.parse_args()
    known = found(given.name, given.storage)
    if not known.verified:
        raise SystemExit(f"Study '{given.name}' must be verified to be drawn; `fewest verify {given.name}` does that.")
    figure = plot_depth(known.trials, known.verified, [target.accuracy for target in known.summary.targets])
    data_set = {"mnist": "MNIST"}.get(known.config.data.name, known.config.data.name)
    figure.update_layout(
        title=f"{data_set}: test accuracy against hidden neurons, means over seeds with 95 % intervals"
    )
    save_png(figure, given.output)
    print(given.output)


if __name__ == "__main__":
    main()
