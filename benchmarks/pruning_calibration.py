"""Calibration of the pruning rule: observed against configured false prunes, in a figure.

    python -m benchmarks.pruning_calibration [--replays 20] [--output docs/pruning-calibration.png]

A false prune is a trial that was pruned and would have entered the front of those complete before it. The rate is
their share among all trials that would have entered, with a 95 % interval (Clopper-Pearson). Replays as in
`benchmarks/pruning.py`. The rule was chosen on these recordings, but nothing else in it was fitted to them.
"""

import argparse
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.pruning import Ours, replays
from benchmarks.replay import Recording, score
from fewest.dashboards.pictures import write_pictures
from fewest.dashboards.style import finish

RISKS = (0.005, 0.01, 0.02, 0.05, 0.1)
COLOURS = {"mnist": "#0072B2", "digits": "#E69F00"}


def main() -> None:
    """Print a table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replays", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("docs/pruning-calibration.png"))
    given = parser.parse_args()
    table, figure = Table("study", "configured", "observed", "95 % interval", "of"), go.Figure()
    line = [0, max(RISKS)]
    figure.add_scatter(x=line, y=line, mode="lines", name="as configured", line={"dash": "dot", "color": "#888888"})
    for study, colour in COLOURS.items():
        observed = [_false_prunes(study, risk, given.replays) for risk in RISKS]
        for risk, result in zip(RISKS, observed, strict=True):
            low, high = result.proportion_ci()
            table.add_row(study, f"{risk:.1%}", f"{result.statistic:.2%}", f"{low:.2%} - {high:.2%}", str(result.n))
        figure.add_scatter(**_points(observed), name=study, marker={"color": colour, "size": 9})
    Console().print(table)
    figure.update_xaxes(title="configured risk", tickformat=".1%", tickvals=RISKS)
    figure.update_yaxes(title="trials pruned falsely", tickformat=".0%")
    shown = "Share of trials pruned among those that would have entered the front, with 95 % intervals"
    write_pictures({given.output: finish(figure, "False prunes, observed against configured", shown)})


def _false_prunes(study: str, risk: float, n_replays: int) -> Any:  # SciPy does not name the class
    def make(recording: Recording) -> Ours:
        return Ours(recording, risk)

    scores = [score(recording, spent) for recording, spent in replays(study, n_replays, make)]
    return stats.binomtest(sum(s.entering_pruned for s in scores), sum(s.entering for s in scores))


def _points(observed: list[Any]) -> dict[str, Any]:
    rates = [result.statistic for result in observed]
    intervals = [result.proportion_ci() for result in observed]
    above = [ci.high - rate for ci, rate in zip(intervals, rates, strict=True)]
    below = [rate - ci.low for ci, rate in zip(intervals, rates, strict=True)]
    return {"x": RISKS, "y": rates, "mode": "markers+lines", "error_y": {"array": above, "arrayminus": below}}


if __name__ == "__main__":
    main()
