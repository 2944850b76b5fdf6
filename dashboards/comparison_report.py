"""A comparison as one HTML file that opens offline: the template `comparison.html`, filled in."""

from datetime import datetime

from plotly.offline import get_plotlyjs

from fewest.dashboards.comparison import plot_comparison
from fewest.dashboards.comparison_text import ERROR_NOTE, cell, depth_words, new_samples_cells
from fewest.dashboards.pages import drawn, page_environment
from fewest.dashboards.style import short_percent
from fewest.search.answers.comparison import Comparison
from fewest.search.answers.comparison_sentences import difference_sentences, headline
from fewest.search.answers.wording import WORDING

__all__ = ["render_comparison"]


def render_comparison(comparison: Comparison, generated: datetime | None = None) -> str:
    """Return the comparison as HTML.

    Args:
        comparison: The studies side by side.
        generated: When the file is made, with its time zone; None leaves it out.
    """
    environment = page_environment()
    environment.filters |= {"depth_words": depth_words, "short_percent": short_percent}
    return environment.get_template("comparison.html").render(
        comparison=comparison,
        headline=headline(comparison),
        sentences=[sentence for target in comparison.targets for sentence in difference_sentences(target)],
        generated=generated,
        wording=WORDING,
        neuron_headings=[f"neurons {words.adverb}" for words in WORDING.values()],
        cell=cell,
        new_samples_cells=new_samples_cells,
        error_note=ERROR_NOTE,
        fronts=drawn(plot_comparison(comparison))._replace(finding=""),  # The page's first sentence says it.
        plotly=get_plotlyjs(),
    )
