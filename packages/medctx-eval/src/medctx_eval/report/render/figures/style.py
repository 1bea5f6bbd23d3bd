"""Look of the report's figures: on paper and, inside the page, on light and dark screens."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medctx.plotting import BLUE, COLOURS, FAINT, GREEN, INK, MARKERS, VERMILLION, look, percentages, settle
from medctx.schemas.statistics import Accuracy, Outcome

__all__ = ["BLUE", "COLOURS", "FAINT", "GREEN", "INK", "MARKERS", "VERMILLION", "look", "percentages"]

BACKGROUND = "#fefefe"
# Inlined figures take these colours from the page, whose style sheet has a light and a dark theme.
_CSS_VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", BACKGROUND: "var(--page)"} | {
    colour: f"var(--cell-{number})" for number, colour in enumerate(COLOURS)
}
OUTCOME_SIGNS: dict[Outcome, str] = {
    "gains": "\N{BLACK UP-POINTING TRIANGLE} ",
    "loses": "\N{BLACK DOWN-POINTING TRIANGLE} ",
    "equals": "= ",
    "not told apart": "",
}
"""Signs before a difference; what is not told apart has none."""


@dataclass(frozen=True)
class Picture:
    """A figure, its name as a file, and its caption."""

    name: str
    figure: Figure
    caption: str


def axes(width: float = 5.2, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, sizes in inches; call inside ``look``."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def short_name(name: str, length: int = 24) -> str:
    """A name cut to ``length`` characters; tables show it whole."""
    return name if len(name) <= length else f"{name[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def error_bar(accuracy: Accuracy) -> list[list[float]]:
    """Lengths of the two arms of an error bar, shape (2, 1) as matplotlib expects."""
    return [[accuracy.value - accuracy.low], [accuracy.high - accuracy.value]]


def legend_columns(entries: int, width: int = 5) -> int:
    """Columns of a legend: at most ``width``, with rows of about the same length."""
    rows = -(-entries // width)
    return -(-entries // rows)


def few_ticks() -> MaxNLocator:
    """At most five ticks, so that long numbers do not touch."""
    return MaxNLocator(5)


def colour(number: int) -> str:
    """Colour of the cell ``number``; repeats after six, where the marker differs."""
    return COLOURS[number % len(COLOURS)]


def marker(number: int) -> str:
    """Marker of the cell ``number``."""
    return MARKERS[number % len(MARKERS)]


def inline_svg(figure: Figure, name: str) -> str:
    """The figure as an ``<svg>`` element: ids made unique by ``name``, colours from the page, no fixed size."""
    stream = io.StringIO()
    with look():
        settle(figure)
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, body = svg.split(">", 1)
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', head)[1])  # type: ignore[index]
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    # At least about one pixel per point, so that text stays readable where the page is narrower than the figure.
    head += f' style="min-width:{0.9 * width:.0f}px;max-width:{1.5 * width:.0f}px" aria-hidden="true"'
    # Outside of text these are the only places where matplotlib writes an id or refers to one.
    body = re.sub(r'(<[^>]*? id=")', rf"\g<1>{name}-", body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    for plain, variable in _CSS_VARIABLES.items():
        body = body.replace(plain, variable)
    return f"{head}>{body}"
