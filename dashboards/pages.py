"""Pages of HTML: the environment of their templates, and figures as templates take them.

Each page is one file that opens offline. `parts.html` has what pages share.
"""

import json
from typing import NamedTuple

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined

from fewest.dashboards.colours import DARK
from fewest.dashboards.style import finding_of

__all__ = ["Drawn", "drawn", "page_environment"]


class Drawn(NamedTuple):
    """A figure for a template."""

    finding: str
    """The sentence above it; may be empty where the page says it elsewhere."""
    json: str
    """For Plotly; safe within HTML, which `to_json` sees to."""
    height: int
    """In pixels."""


def page_environment() -> Environment:
    """Return the environment of the templates in this room: it escapes text, and refuses names that nobody gave."""
    environment = Environment(
        loader=PackageLoader("fewest.dashboards", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["dark"] = json.dumps(DARK)
    return environment


def drawn(figure: go.Figure) -> Drawn:
    """Take a figure's title apart from its drawing: as text of the page it wraps, and readers of screens read it."""
    finding, paper = finding_of(figure), "rgba(0,0,0,0)"
    figure.update_layout(title=None, margin={"t": 32}, paper_bgcolor=paper, plot_bgcolor=paper)
    height = figure.layout.height or figure.layout.template.layout.height
    return Drawn(finding, figure.to_json(), height)
