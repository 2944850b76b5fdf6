"""Figures kept inside a study, where optuna-dashboard shows them beside its trials.

Each is saved under a name of its own and replaces what was saved under it before. optuna-dashboard hides
learning curves of studies with several objectives, so they need to be a figure. It draws no hypervolume of them either.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import optuna
import plotly.graph_objects as go

from fewest.dashboards.style import wrap_title

__all__ = ["SavedName", "save_figures"]

SavedName: TypeAlias = Literal["intervals", "front", "curves", "hypervolume"]

TITLE_COLUMNS: Final = 60
"""Characters of a title that fit into half a page, which is what optuna-dashboard gives a figure."""

_IDS: Final[dict[SavedName, str]] = {
    "intervals": "fewest-intervals",
    "front": "fewest-front",
    "curves": "fewest-learning-curves",
    "hypervolume": "fewest-hypervolume",
}
"""Names under which optuna-dashboard keeps the figures."""


def save_figures(study: optuna.Study, figures: Mapping[SavedName, go.Figure]) -> None:
    """Keep figures in the study; those not given stay as they were saved last."""
    from optuna_dashboard import save_plotly_graph_object

    for name, figure in figures.items():
        wrap_title(figure, TITLE_COLUMNS)
        save_plotly_graph_object(study, figure, graph_object_id=_IDS[name])
