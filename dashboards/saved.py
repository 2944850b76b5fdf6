"""Figures and the answers so far kept inside a study, where optuna-dashboard shows them beside its trials.

Each is saved under a name of its own and replaces what was saved under it before. optuna-dashboard hides
learning curves of studies with several objectives, so they need to be a figure.
"""

from collections.abc import Sequence
from typing import Final

import optuna
import plotly.graph_objects as go

__all__ = ["save_answers", "save_curves_figure", "save_front_figure"]

FRONT_ID: Final = "fewest-front"
CURVES_ID: Final = "fewest-learning-curves"
ANSWERS: Final = "## Fewest hidden neurons"


def save_front_figure(study: optuna.Study, figure: go.Figure) -> None:
    """Keep a figure of the front in the study; see `fewest.dashboards.front.plot_front`."""
    _save(study, figure, FRONT_ID)


def save_curves_figure(study: optuna.Study, figure: go.Figure) -> None:
    """Keep a figure of the learning curves in the study; see `fewest.dashboards.curves.plot_curves`."""
    _save(study, figure, CURVES_ID)


def save_answers(study: optuna.Study, statements: Sequence[str]) -> None:
    """Keep the answers as the study's note, in place of former ones; a note that somebody has written stays."""
    from optuna_dashboard import get_note, save_note

    note = "\n".join([ANSWERS, "", *(f"- {statement}." for statement in statements)])
    if statements and (before := get_note(study)) != note and (not before or before.startswith(ANSWERS)):
        save_note(study, note)


def _save(study: optuna.Study, figure: go.Figure, name: str) -> None:
    from optuna_dashboard import save_plotly_graph_object

    save_plotly_graph_object(study, figure, graph_object_id=name)
