"""Style of all figures, and how they are written to files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import font_manager, rc_context
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from medctx.io.atomic import atomic_file
from medctx.io.jsonl import write_text

INK, FAINT = "#1b1e23", "#8a9099"
BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
COLOURS = (BLUE, VERMILLION, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
"""Palette of Okabe and Ito (2008), Color Universal Design, which colour-blind readers can distinguish, without its
yellow and black, which contrast too little with paper and text. Markers and labels repeat the information."""
MARKERS = "osD^vPX<>*"

_OTHER_SCRIPTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Arial Unicode MS",
)
"""Fonts for Chinese, used in this order where installed: matplotlib's own font has none."""

LOOK: dict[Any, object] = {  # matplotlib types the keys as one literal of all its settings
    "font.size": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "text.parse_math": False,  # names of cells are not formulas
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "medctx",
}


def _fonts() -> list[str]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed)]


@contextmanager
def look() -> Iterator[None]:
    """Apply the style while figures are drawn and saved."""
    with rc_context({**LOOK, "font.family": _fonts()}):
        yield


def percentages(axis: Axis) -> None:
    """Label shares in per cent, without the sign, at whole numbers where there is room."""
    locator = axis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(steps=[1, 2, 5, 10])
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g}".replace("-", "\N{MINUS SIGN}")))


def settle(figure: Figure) -> None:
    """Fix the layout of a figure, which would otherwise be computed again for every format it is written in."""
    if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as ``name.png`` (160 dpi) and ``name.svg`` (text as text) on white, with reproducible bytes."""
    vector = io.StringIO()
    with look():
        FigureCanvasAgg(figure)
        settle(figure)
        with atomic_file(folder / f"{name}.png") as raster:
            figure.savefig(raster, format="png", dpi=160, facecolor="white", metadata={"Software": "medctx"})
        figure.savefig(vector, format="svg", facecolor="white", metadata={"Date": None, "Creator": "medctx"})
    write_text(folder / f"{name}.svg", vector.getvalue())
