"""What depth and widths decide: the share of the variance of accuracy, and of size, that each explains.

Least squares predicts `-log10(1 - validation accuracy)` and `log2(size + 1)` of complete trials from the depth, one
column for each, and the width of each layer, `log2(width + 1)` and its square, 0 where there is no such layer. The
explained variance is dealt out as Lindeman, Merenda and Gold do: by what each of them adds, in the mean over all
orders in which they may be added. That is fair where they go together, as they do near a front. The rest is chance:
the seed, above all. The shares are scaled to the adjusted R^2, so that few trials do not look like much knowledge.

References:
    R. H. Lindeman, P. F. Merenda, R. Z. Gold (1980), Introduction to bivariate and multivariate analysis.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import plotly.graph_objects as go

from fewest.dashboards.colours import BLUE, ORANGE
from fewest.dashboards.style import finish, whole_percent
from fewest.search.answers.wording import plural
from fewest.search.settings.space import Architecture
from fewest.storage.trials.records import TrialRecord

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

__all__ = ["importance_info", "plot_importance", "shares"]

TRIALS_PER_COLUMN: Final = 3
"""Fewest complete trials for each column of the regression."""
_LEAST_ERROR: Final = 1e-4
"""Stands for an accuracy of 100 %."""


class Importance(NamedTuple):
    """What depth, or the width of one layer, explains."""

    name: str
    of_accuracy: float
    """Share of the variance of validation accuracy, in 0..1."""
    of_size: float
    """Share of the variance of the number of neurons, in 0..1."""


@dataclass(frozen=True)
class ImportanceInfo:
    """What the figure shows.

    Attributes:
        n_trials: Complete trials that count.
        needed: Fewest of them for an estimate.
        importances: Depth, then each layer; empty where there are too few trials or nothing varies.
    """

    n_trials: int
    needed: int
    importances: tuple[Importance, ...]

    @property
    def finding(self) -> str:
        """Say what accuracy and size depend on most."""
        if not self.importances:
            return f"Importance needs {plural(self.needed, 'complete trial')}, there are {self.n_trials:,}"
        accuracy = max(self.importances, key=lambda one: one.of_accuracy)
        size = max(self.importances, key=lambda one: one.of_size)
        of_accuracy, of_size = whole_percent(accuracy.of_accuracy), whole_percent(size.of_size)
        if accuracy is size:
            share = f"({of_accuracy} and {of_size})"
            return f"Validation accuracy and the number of neurons vary most with the {accuracy.name} {share}"
        return (
            f"Validation accuracy varies most with the {accuracy.name} ({of_accuracy}), "
            f"the number of neurons with the {size.name} ({of_size})"
        )


def importance_info(trials: Sequence[TrialRecord]) -> ImportanceInfo:
    """Gather what the figure shows of a study.

    Args:
        trials: The study's trials, in any order; complete ones with widths, size and accuracy count.
    """
    import numpy as np

    known = [
        (widths, count, accuracy)
        for widths, count, accuracy in (_values(trial) for trial in trials)
        if widths is not None and count is not None and accuracy is not None
    ]
    columns = _columns([widths for widths, _, _ in known])
    needed = TRIALS_PER_COLUMN * max(1, sum(column.shape[1] for column in columns.values())) + 1
    if len(known) < needed or not columns:
        return ImportanceInfo(len(known), needed, ())
    errors = np.array([-math.log10(max(1.0 - accuracy, _LEAST_ERROR)) for _, _, accuracy in known])
    sizes = np.array([math.log2(count + 1) for _, count, _ in known])
    of_accuracy, of_size = shares(columns, errors), shares(columns, sizes)
    found = (Importance(name, of_accuracy[name], of_size[name]) for name in columns)
    return ImportanceInfo(len(known), needed, tuple(found))


def shares(columns: Mapping[str, "Floats"], values: "Floats") -> dict[str, float]:
    """Deal the explained variance of values out to groups of columns.

    Args:
        columns: For each name, float64, (trials, columns of that name).
        values: float64, (trials,), finite.

    Returns:
        Each name's share of the variance, at least 0 but for rounding. They sum to the adjusted R^2, or to 0 where
        that is negative or nothing varies.
    """
    import numpy as np

    names, n_trials = list(columns), len(values)
    matrix = np.hstack([columns[name] for name in names])
    matrix = (matrix - matrix.mean(axis=0)) / np.maximum(matrix.std(axis=0), 1e-12)
    centred = values - values.mean()
    total = float(centred @ centred)
    places = np.cumsum([0, *(columns[name].shape[1] for name in names)])
    gram, products = matrix.T @ matrix, matrix.T @ centred

    def explained(chosen: Sequence[int]) -> float:
        if not chosen:
            return 0.0
        own = np.concatenate([np.arange(places[group], places[group + 1]) for group in chosen])
        return float(products[own] @ np.linalg.pinv(gram[np.ix_(own, own)], hermitian=True) @ products[own]) / total

    if total <= 1e-12 * n_trials:
        return dict.fromkeys(names, 0.0)
    known = {
        chosen: explained(chosen)
        for count in range(len(names) + 1)
        for chosen in itertools.combinations(range(len(names)), count)
    }
    everything = known[tuple(range(len(names)))]
    n_left = n_trials - matrix.shape[1] - 1
    adjusted = max(0.0, 1 - (1 - everything) * (n_trials - 1) / n_left) if n_left > 0 else 0.0
    scale = adjusted / everything if everything > 0 else 0.0
    return {name: scale * _mean_gain(group, len(names), known) for group, name in enumerate(names)}


def plot_importance(trials: Sequence[TrialRecord]) -> go.Figure:
    """Draw `importance_info`, which takes the same arguments."""
    info = importance_info(trials)
    figure = go.Figure()
    shown = "Share of the variance over complete trials that depth and each layer's width explain; the rest is chance"
    if not info.importances:
        return finish(figure, info.finding, shown, empty="Too few trials are complete yet.")
    for name, colour, explained in (
        ("of validation accuracy", BLUE, [one.of_accuracy for one in info.importances]),
        ("of the number of neurons", ORANGE, [one.of_size for one in info.importances]),
    ):
        figure.add_bar(
            x=[100 * share for share in explained],
            y=[one.name for one in info.importances],
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"width": 0}},
            text=[whole_percent(share) for share in explained],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    largest = max(max(one.of_accuracy, one.of_size) for one in info.importances)
    figure.update_xaxes(
        title={"text": "share of the variance"},
        ticksuffix="\N{NO-BREAK SPACE}%",
        range=[0, min(112, 120 * largest + 2)],
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_layout(barmode="group", bargap=0.3, legend={"traceorder": "normal"})
    return finish(figure, info.finding, shown)


def _values(trial: TrialRecord) -> tuple[Architecture | None, int | None, float | None]:
    accuracy = trial.validation_accuracy if trial.state == "complete" else None
    return trial.widths, trial.neurons, accuracy if accuracy is not None and math.isfinite(accuracy) else None


def _columns(architectures: Sequence[Architecture]) -> dict[str, "Floats"]:
    """Describe architectures by columns; what does not vary is left out.

    Returns:
        For "depth" and each layer, float64, (architectures, columns).
    """
    import numpy as np

    depths = sorted({len(widths) for widths in architectures})
    columns: dict[str, Floats] = {}
    if len(depths) > 1:
        columns["depth"] = np.array([[float(len(widths) == depth) for depth in depths[1:]] for widths in architectures])
    for layer in range(max(depths, default=0)):
        width = np.array([math.log2(widths[layer] + 1) if layer < len(widths) else 0.0 for widths in architectures])
        if width.std() > 0:
            columns[f"width of layer {layer + 1}"] = np.column_stack([width, width**2])
    return columns


def _mean_gain(group: int, n_groups: int, explained: Mapping[tuple[int, ...], float]) -> float:
    """Return what a group adds to R^2, in the mean over all orders of the groups."""
    others = [other for other in range(n_groups) if other != group]
    gain = 0.0
    for count in range(n_groups):
        weight = math.factorial(count) * math.factorial(n_groups - count - 1) / math.factorial(n_groups)
        for before in itertools.combinations(others, count):
            gain += weight * (explained[tuple(sorted((*before, group)))] - explained[before])
    return gain
