"""`fewest figures`: every figure of a study as SVG and PNG files."""

import html
from pathlib import Path
from typing import TYPE_CHECKING

from fewest.dashboards.report_of_study import report_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from fewest.dashboards.report import ReportData

__all__ = ["figures_alone", "write_figures"]


def write_figures(name: str, url: str, folder: Path, *, dark: bool = False) -> list[Path]:
    """Write every figure of a study to a folder.

    Args:
        name: Name of the study.
        url: URL of the storage.
        folder: The folder, which is created if it is not there.
        dark: Whether to draw on dark paper.

    Returns:
        The files: `NAME.svg` and `NAME.png` for each figure, in the order of the report.

    Raises:
        MisuseError: There is no such study, or it is not ours.
        PictureError: No figure can be drawn here, or the folder cannot be written.
    """
    from fewest.dashboards.colours import in_the_dark
    from fewest.dashboards.pictures import FORMATS, require_folder, write_pictures

    figures = figures_alone(report_of(name, url))
    require_folder(folder)
    pictures = {
        folder / f"{figure}.{form}": in_the_dark(drawn) if dark else drawn
        for figure, drawn in figures.items()
        for form in FORMATS
    }
    write_pictures(pictures)
    return list(pictures)


def figures_alone(report: "ReportData") -> "dict[str, go.Figure]":
    """Draw every figure, by name, as it is seen without its report: the subtitle begins with the study's name."""
    from fewest.dashboards.report import draw_figures
    from fewest.dashboards.style import TITLE_COLUMNS, wrap_title

    figures = draw_figures(report)
    for figure in figures.values():
        shown = figure.layout.title.subtitle
        shown.text = f"{html.escape(report.answer.study)}: {shown.text[0].lower()}{shown.text[1:]}"
        wrap_title(figure, TITLE_COLUMNS)
    return figures
