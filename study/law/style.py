"""How the law's pictures look, and how they become files; the same colours as the report's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from medctx.jsonl import write_text

INK, FAINT = "#1b1e23", "#8a9099"
BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
COLOURS = (BLUE, VERMILLION, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito (2008), Color Universal Design; markers and labels say the same."""
MARKERS = "osD^vPX"
OF_PART = {"knowledge": (BLUE, "o"), "reading": (VERMILLION, "s")}

LOOK: dict[Any, object] = {  # matplotlib types the keys as one literal of all its settings
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "medctx",
}


@contextmanager
def look() -> Iterator[None]:
    """The context pictures are drawn and saved in."""
    with rc_context(LOOK):
        yield


def percentages(axis: Axis) -> None:
    """Write shares as per cent, without the sign."""
    axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write a figure as PNG (160 dots per inch) and SVG on white; the same figure gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    raster, vector = folder / f"{name}.png", folder / f"{name}.svg"
    stream = io.StringIO()
    with look():
        FigureCanvasAgg(figure)
        figure.savefig(raster, dpi=160, facecolor="white", metadata={"Software": "medctx"})
        figure.savefig(stream, format="svg", facecolor="white", metadata={"Date": None, "Creator": "medctx"})
    write_text(vector, stream.getvalue())
    return raster, vector
