"""Figures as SVG and PNG files, drawn by an installed Chromium or Chrome through Kaleido.

Plotly draws in a browser alone. The browser is found on the path, or where `BROWSER_PATH` says. It loads nothing from
the network: Plotly's code comes from the installed package.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import plotly.graph_objects as go

from fewest.storage.errors import FewestError
from fewest.storage.extras import load
from fewest.storage.files.atomic import write_whole

__all__ = ["FORMATS", "PictureError", "require_folder", "write_pictures"]

FORMATS: Final = ("svg", "png")
WIDTH: Final = 900
"""In pixels."""
DENSITY: Final = 2
"""Dots of a PNG for each pixel, each way."""


class PictureError(FewestError, OSError):
    """Figures cannot be drawn as pictures here, or not be written there."""


def require_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written, before anything is drawn.

    Raises:
        PictureError: It, or the nearest folder above it that exists, is no folder or may not be written.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        reason = "it may not be written" if existing.is_dir() else f"'{existing}' is no folder"
        raise _not_there(folder, reason)


def write_pictures(figures: Mapping[Path, go.Figure]) -> None:
    """Write figures as pictures, each file whole or not at all.

    Args:
        figures: By file; its ending is one of `FORMATS`.

    Raises:
        PictureError: Kaleido or a browser is missing, the browser fails, or a file cannot be written.
    """
    kaleido = load("kaleido", "figures", PictureError, what="Drawing pictures")
    for path, drawn in _drawn(kaleido, figures).items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, drawn)
        except OSError as error:
            raise _not_there(path.parent, error.strerror or str(error)) from error


def _not_there(folder: Path, reason: str) -> PictureError:
    return PictureError(
        f"Pictures must go to a folder that can be written, got '{folder}' ({reason}). Name another with `--output`."
    )


def _drawn(kaleido: Any, figures: Mapping[Path, go.Figure]) -> dict[Path, bytes]:
    """Draw figures with one browser; what goes wrong with it is said once, by us."""
    for library in ("choreographer", "kaleido"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    from choreographer.errors import (
        BrowserClosedError,
        BrowserFailedError,
        ChromeNotFoundError,
        DevtoolsProtocolError,
    )

    try:
        return asyncio.run(_draw_with_browser(kaleido, figures))
    except ChromeNotFoundError:
        raise PictureError(
            "Drawing pictures needs Chromium or Chrome, and none was found. Install one, e.g. "
            "`apt install chromium`, or set BROWSER_PATH to it."
        ) from None
    except (BrowserClosedError, BrowserFailedError, DevtoolsProtocolError, OSError) as error:
        raise PictureError(
            f"Drawing pictures needs a Chromium or Chrome that works, got {type(error).__name__} from the one found. "
            "Try again, or set BROWSER_PATH to another."
        ) from error


async def _draw_with_browser(kaleido: Any, figures: Mapping[Path, go.Figure]) -> dict[Path, bytes]:
    drawn = {}
    async with kaleido.Kaleido(mathjax=False) as browser:
        for path, figure in figures.items():
            form = path.suffix.removeprefix(".")
            height = figure.layout.height or figure.layout.template.layout.height
            scale = DENSITY if form == "png" else 1
            options = {"format": form, "width": WIDTH, "height": height, "scale": scale}
            drawn[path] = await browser.calc_fig(figure, opts=options)
    return drawn
