"""The colours of all figures, on light paper and on dark.

They are Okabe & Ito's, which the colour-blind tell apart ("Color Universal Design", 2008). Most show on light and on
dark paper; greys and blues do not, so `DARK` has others for them.
"""

import json
from typing import Final

import plotly.graph_objects as go

__all__ = [
    "BLUE",
    "DARK",
    "FAINT",
    "FAINT_BLUE",
    "GREEN",
    "GREY",
    "GRID",
    "INK",
    "LEVEL",
    "MUTED",
    "ORANGE",
    "PAPER",
    "PINK",
    "SKY",
    "VEIL",
    "VERMILION",
    "in_the_dark",
]

BLUE: Final = "#0072B2"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
PINK: Final = "#CC79A7"
SKY: Final = "#56B4E9"
VERMILION: Final = "#D55E00"

INK: Final = "#1f2933"
MUTED: Final = "#5f6b78"
FAINT: Final = "#c3cad2"
FAINT_BLUE: Final = "#b7d3e8"
GRID: Final = "#edf0f3"
GREY: Final = "#4d4d4d"
LEVEL: Final = "#9aa5b1"
PAPER: Final = "#ffffff"
VEIL: Final = "rgba(255,255,255,0.7)"
"""Behind labels that lie over data."""

DARK: Final = {
    INK: "#e6eaee",
    MUTED: "#a9b4bf",
    FAINT: "#4a545f",
    FAINT_BLUE: "#2b4a61",
    GRID: "#262d34",
    GREY: "#b9bec4",
    LEVEL: "#6f7b87",
    PAPER: "#14181d",
    BLUE: "#3d98da",
    SKY: "#a5dbf8",
    VEIL: "rgba(20,24,29,0.7)",
}
"""What stands on dark paper for each colour that would not show well there; all other colours stay."""


def in_the_dark(figure: go.Figure) -> go.Figure:
    """Return the same figure on dark paper, with the colours of `DARK`."""
    text = figure.to_json()
    for light, dark in DARK.items():
        text = text.replace(json.dumps(light), json.dumps(dark))
    return go.Figure(json.loads(text))
