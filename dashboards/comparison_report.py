"""A comparison as one HTML file that opens offline: the template `comparison.html`, filled in."""

from datetime import datetime

from plotly.offline import get_plotlyjs

from fewest.dashboards.comparison import plot_comparison
from fewest.dashboards.comparison_text import ERROR_NOTE, cell, depth_words
from fewest.dashboards.pages import page_environment
from fewest.dashboards.style import short_percent
from fewest.search.answers.comparison import Comparison
from fewest.search.answers.verdicts import headline, verdicts
from fewest.search.answers.wording import WORDING

__all__ = ["render_comparison"]


def render_comparison(comparison: Comparison, generated: datetime | None = None) -> str:
    """Return the comparison as HTML.

    Args:
        comparison: The studies side by side.
        generated: When the file is made, with its time zone; None leaves it out.
    """
    environment = page_environment()
    environment.filters |= {"depth_words": depth_words, "short_percent": short_percent, "verdicts": verdicts}
    return environment.get_template("comparison.html").render(
        comparison=comparison,
        headline=headline(comparison),
        generated=generated,
        wording=WORDING,
        cell=cell,
        error_note=ERROR_NOTE,
        figure=_drawn(comparison),
        plotly=get_plotlyjs(),
    )


def _drawn(comparison: Comparison) -> str:
    """Draw the figure as HTML, without its title: the page's first sentence says it."""
    drawing = plot_comparison(comparison)
    drawing.update_layout(title=None, margin={"t": 32})
    config = {"displaylogo": False, "responsive": True, "showSendToCloud": False, "plotlyServerURL": ""}
    height = f"{drawing.layout.template.layout.height}px"
    return str(drawing.to_html(full_html=False, include_plotlyjs=False, config=config, default_height=height))
