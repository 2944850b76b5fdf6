"""Plotly figures as PNG files for the documents, drawn by an installed Chromium."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import plotly.graph_objects as go

from fewest.storage.files.atomic import replacing

__all__ = ["save_png"]


def save_png(figure: go.Figure, path: Path, *, width: int = 900, height: int = 480) -> None:
    """Write a figure as a PNG of `width` by `height` pixels, at twice the density.

    Raises:
        SystemExit: No Chromium is installed.
    """
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise SystemExit("Drawing a PNG needs Chromium.")
    figure.update_layout(width=width, height=height)
    with tempfile.TemporaryDirectory() as folder, replacing(path, suffix=".png") as partial:
        page = Path(folder, "figure.html")
        figure.write_html(page, config={"displayModeBar": False})
        page.write_text(page.read_text("utf-8").replace("<body>", '<body style="margin: 0">'), "utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=2"]
        shot = [f"--window-size={width},{height}", "--virtual-time-budget=10000", f"--screenshot={partial}"]
        subprocess.run([browser, *options, *shot, page.as_uri()], check=True, capture_output=True, timeout=120)
