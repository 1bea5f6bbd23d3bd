"""Where reading is lost: the difference to the base over the length of the Book and the depth of the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from medctx.schemas.report import FEWEST, Cell, Comparison, Difference
from medctx_eval.report.load import parts
from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.style import Picture
from medctx_eval.stats.words import points

FULL = 0.3
"""The difference (30 points) from which on colours are as strong as they get."""
STRONGEST = 0.55
"""Of a colour laid over the page: text on it stays readable on light and dark."""
TIED = 0.3
"""Share of that strength for a tie: what is not sure shall not be what is seen first."""
MOST_APART = 4
"""Tuned cells up to which each shows its lengths and depths on the page at once; more are behind their names."""
_SIGNS = {"gains": "\N{BLACK UP-POINTING TRIANGLE} ", "loses": "\N{BLACK DOWN-POINTING TRIANGLE} ", "ties with": "= "}
_LEGEND = (
    f"Triangles are sure differences, = is a tie (as is everything in fewer than {FEWEST} clusters); colour follows "
    "the value and is pale for ties."
)


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


def _square(axes: Axes, column: int, row: int, found: Difference | None) -> None:
    """One difference with its interval and items, coloured by sign and size; or that it was not asked."""
    if found is None:
        axes.text(column, row, "not\nasked", ha="center", va="center", fontsize=7)
        return
    colour = style.BLUE if found.value > 0 else style.VERMILLION
    tie = found.word == "ties with"
    strength = STRONGEST * min(1.0, abs(found.value) / FULL) * (TIED if tie else 1)
    corner = (column - 0.48, row - 0.46)
    axes.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=colour, alpha=strength, linewidth=0))
    axes.text(
        column, row - 0.22, _SIGNS[found.word] + points(found.value), ha="center", va="center", fontsize=10,
        fontweight="normal" if tie else "bold",
    )  # fmt: skip
    span = f"{points(found.low)} to {points(found.high)}"
    axes.text(column, row + 0.1, span, ha="center", va="center", fontsize=6.5)
    counted = f"n {found.n}" + (f" in {found.clusters} clusters" if found.few_clusters else "")
    axes.text(column, row + 0.32, counted, ha="center", va="center", fontsize=6.5)


def _board(columns: Sequence[str], rows: Sequence[str]) -> tuple[Figure, Axes]:
    """Axes whose squares have the names of ``columns`` below and of ``rows`` on the left, the first row above."""
    figure, axes = style.axes(width=0.9 + 0.95 * max(3, len(columns)), height=0.75 + 0.72 * len(rows))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), labels=columns)
    axes.set_yticks(range(len(rows)), labels=rows)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _panel(report: Report, cell: Cell, lengths: list[int], depths: list[float]) -> Figure:
    figure, axes = _board([f"{depth:.0%}" for depth in depths], [f"{tokens:,}" for tokens in lengths])
    for row, tokens in enumerate(lengths):
        for column, depth in enumerate(depths):
            one = at(report, cell.name, tokens, depth)
            _square(axes, column, row, one.difference if one else None)
    axes.set_xlabel("depth of the evidence in the book")
    axes.set_ylabel("tokens of the book")
    axes.set_title(
        f"{style.short(cell.name)} against {style.short(report.base_of(cell.name))}", fontsize=10, fontweight="bold"
    )
    return figure


def by_length(report: Report) -> Iterator[Picture]:
    """All tuned cells in one board, over the length of the Book; nothing for one cell, or one length."""
    found = {
        one.cell: {loss.tokens: loss.difference for loss in one.attribution.by_tokens}
        for one in report.losses
        if one.attribution.by_tokens
    }
    lengths = sorted({tokens for own in found.values() for tokens in own}, key=lambda tokens: tokens or 0)
    if len(found) < 2 or len(lengths) < 2:
        return
    titles = ["evidence\nonly" if tokens is None else f"{tokens:,}" for tokens in lengths]
    figure, axes = _board(titles, [style.short(name, 16) for name in found])
    for row, own in enumerate(found.values()):
        for column, tokens in enumerate(lengths):
            _square(axes, column, row, own.get(tokens))
    axes.set_xlabel("tokens of the book")
    yield Picture(
        "lengths",
        figure,
        f"Every cell: difference to {report.to_base} in points over the length of the Book, all depths together, with "
        f"its 95 % interval and the number of items. {_LEGEND}",
    )


def names(report: Report) -> dict[str, str]:
    """The pictures of lengths and depths, by tuned cell."""
    lengths, _ = grid(report)
    compared = {one.cell for one in report.family("grid")} if lengths else set()
    return {cell.name: f"loss-{n}" for n, cell in enumerate(report.tuned, start=1) if cell.name in compared}


def folded(report: Report) -> dict[str, str]:
    """Those of them that are behind their cells' names: all where cells are many, else none."""
    return names(report) if len(report.tuned) > MOST_APART else {}


def losses(report: Report) -> Iterator[Picture]:
    """One panel per tuned cell."""
    lengths, depths = grid(report)
    named = names(report)
    for cell in report.tuned:
        if cell.name in named:
            yield Picture(
                named[cell.name],
                _panel(report, cell, lengths, depths),
                f"{cell.name}: difference to {report.base_of(cell.name)} in points, with its 95 % interval and the "
                f"number of items. {_LEGEND}",
            )
