"""How the report's figures look: that of all figures, on paper and, inside the page, on light and dark screens."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medctx.plotting import BLUE, COLOURS, FAINT, GREEN, INK, MARKERS, VERMILLION, look, percentages, settle
from medctx.schemas.report import Accuracy

__all__ = ["BLUE", "COLOURS", "FAINT", "GREEN", "INK", "MARKERS", "VERMILLION", "look", "percentages"]

EXAM_PLAN = "#fefefe"

# Inline figures take these colours from the page, whose style sheet knows light from dark.
_VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", EXAM_PLAN: "var(--page)"} | {
    colour: f"var(--cell-{number})" for number, colour in enumerate(COLOURS)
}


@dataclass(frozen=True)
class Picture:
    """A figure by its name as a file, and the sentence under it."""

    name: str
    figure: Figure
    caption: str


def axes(width: float = 5.2, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure of one pair of axes, inches; call inside :func:`look`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def short(name: str, length: int = 24) -> str:
    """A name that leaves room for the picture; tables show it whole."""
    return name if len(name) <= length else f"{name[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def reach(found: Accuracy) -> list[list[float]]:
    """Lengths of the two arms of an error bar, shape (2, 1) as matplotlib wants them."""
    return [[found.value - found.low], [found.high - found.value]]


def columns(entries: int) -> int:
    """Columns of a legend: at most five, and rows of about the same length."""
    rows = -(-entries // 5)
    return -(-entries // rows)


def few_ticks() -> MaxNLocator:
    """So few that long numbers do not touch."""
    return MaxNLocator(5)


def colour(number: int) -> str:
    """Colour of the cell ``number``; repeats after six, the marker then differs."""
    return COLOURS[number % len(COLOURS)]


def marker(number: int) -> str:
    """Marker of the cell ``number``."""
    return MARKERS[number % len(MARKERS)]


def inline(figure: Figure, name: str) -> str:
    """The figure as an ``<svg>`` element for a page: ids unique by ``name``, colours from the page, no fixed size."""
    stream = io.StringIO()
    with look():
        settle(figure)
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    head, body = drawn.split(">", 1)
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', head)[1])  # type: ignore[index]
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    # One point is about one pixel at least, so that text stays readable where the page is narrower than the figure.
    head += f' style="min-width:{0.9 * width:.0f}px;max-width:{1.5 * width:.0f}px" aria-hidden="true"'
    # Outside of text these are the only places where matplotlib writes an id or refers to one.
    body = re.sub(r'(<[^>]*? id=")', rf"\g<1>{name}-", body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    for plain, variable in _VARIABLES.items():
        body = body.replace(plain, variable)
    return f"{head}>{body}"
