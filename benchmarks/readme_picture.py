"""The README's pictures of a verified study: its answer's intervals, and accuracy against neurons by depth.

    python -m benchmarks.readme_picture mnist [--storage sqlite:///fewest.db] [--output docs]

Writes answer.png and front.png, and answer-dark.png and front-dark.png for dark pages. `fewest figures` draws the same.
"""

import argparse
from pathlib import Path

from fewest.dashboards.colours import in_the_dark
from fewest.dashboards.pictures import write_pictures
from fewest.dashboards.report_of_study import report_of
from fewest.figures_command import figures_alone
from fewest.storage import DEFAULT_URL

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = {"answer": "intervals", "front": "depth"}
"""Name of each file, and of its figure."""


def main() -> None:
    """Draw the pictures and write them to files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the study")
    parser.add_argument("--storage", default=DEFAULT_URL)
    parser.add_argument("--output", type=Path, default=DOCS, help="the folder")
    given = parser.parse_args()
    study = report_of(given.name, given.storage)
    if not study.verified:
        raise SystemExit(f"Study '{given.name}' must be verified to be drawn; `fewest verify {given.name}` does that.")
    figures = figures_alone(study)
    light = {given.output / f"{name}.png": figures[figure] for name, figure in PICTURES.items()}
    dark = {given.output / f"{name}-dark.png": in_the_dark(figures[figure]) for name, figure in PICTURES.items()}
    write_pictures(light | dark)
    for path in light | dark:
        print(path)


if __name__ == "__main__":
    main()
