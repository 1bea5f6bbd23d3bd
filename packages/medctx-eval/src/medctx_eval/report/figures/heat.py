"""Where reading is lost: the difference to the base over the length of the Book and the depth of the evidence."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from medctx_eval.report import parts
from medctx_eval.report.figures import style
from medctx_eval.report.figures.style import Picture
from medctx_eval.report.model import Cell, Comparison, Report
from medctx_eval.stats import FEWEST
from medctx_eval.stats.words import points

FULL = 0.3
"""The difference (30 points) from which on colours are as strong as they get."""
STRONGEST = 0.55
"""Of a colour laid over the page: text on it stays readable on light and dark."""
_SIGNS = {"gains": "\N{BLACK UP-POINTING TRIANGLE} ", "loses": "\N{BLACK DOWN-POINTING TRIANGLE} ", "ties with": "= "}


def grid(report: Report) -> tuple[list[int], list[float]]:
    """Lengths and depths at which anything was compared, ascending."""
    places = [parts.place(part) for part in report.parts("grid")]
    lengths = sorted({place.tokens for place in places if place.tokens is not None})
    return lengths, sorted({place.depth for place in places if place.depth is not None})


def at(report: Report, cell: str, tokens: int, depth: float) -> Comparison | None:
    """A cell's difference to the base at one length and depth."""
    wanted = (cell, tokens, depth)
    for one in report.family("grid"):
        place = parts.place(one.part)
        if (one.cell, place.tokens, place.depth) == wanted:
            return one
    return None


def _panel(report: Report, cell: Cell, lengths: list[int], depths: list[float]) -> Figure:
    figure, axes = style.axes(width=0.9 + 0.95 * max(3, len(depths)), height=0.75 + 0.72 * len(lengths))
    for row, tokens in enumerate(lengths):
        for column, depth in enumerate(depths):
            one = at(report, cell.name, tokens, depth)
            if one is None:
                axes.text(column, row, "not\nasked", ha="center", va="center", fontsize=7)
                continue
            found = one.difference
            colour = style.BLUE if found.value > 0 else style.VERMILLION
            strength = STRONGEST * min(1.0, abs(found.value) / FULL)
            corner = (column - 0.48, row - 0.46)
            axes.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=colour, alpha=strength, linewidth=0))
            axes.text(
                column, row - 0.22, _SIGNS[one.word] + points(found.value), ha="center", va="center", fontsize=10,
                fontweight="normal" if one.word == "ties with" else "bold",
            )  # fmt: skip
            span = f"{points(found.low)} to {points(found.high)}"
            axes.text(column, row + 0.1, span, ha="center", va="center", fontsize=6.5)
            counted = f"n {found.n}" + (f" in {found.clusters} clusters" if found.few_clusters else "")
            axes.text(column, row + 0.32, counted, ha="center", va="center", fontsize=6.5)
    axes.set_xlim(-0.5, len(depths) - 0.5)
    axes.set_ylim(len(lengths) - 0.5, -0.5)
    axes.set_xticks(range(len(depths)), labels=[f"{depth:.0%}" for depth in depths])
    axes.set_yticks(range(len(lengths)), labels=[f"{tokens:,}" for tokens in lengths])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("depth of the evidence in the book")
    axes.set_ylabel("tokens of the book")
    axes.set_title(
        f"{style.short(cell.name)} against {style.short(report.base_of(cell.name))}", fontsize=10, fontweight="bold"
    )
    return figure


def losses(report: Report) -> Iterator[Picture]:
    """One panel per tuned cell."""
    lengths, depths = grid(report)
    for number, cell in enumerate(report.tuned if lengths else (), start=1):
        if any(one.cell == cell.name for one in report.family("grid")):
            yield Picture(
                f"loss-{number}",
                _panel(report, cell, lengths, depths),
                f"{cell.name}: difference to {report.base_of(cell.name)} in points, with its 95 % interval and the "
                "number of items. Triangles are sure differences, = is a tie (as is everything in fewer than "
                f"{FEWEST} clusters); "
                "colour follows the value.",
            )
