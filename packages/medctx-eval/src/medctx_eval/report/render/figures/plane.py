"""Both axes against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from medctx.schemas.report import Cell
from medctx_eval.report.decision.pareto import places
from medctx_eval.report.model import KNOWLEDGE, READING, Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.labels import place_labels
from medctx_eval.report.render.figures.style import Picture

WIDE_ENOUGH = 0.45
"""Of the picture's width, for the words in the corner that is wanted."""


def _front(report: Report, cells: Sequence[tuple[int, Cell]]) -> list[tuple[float, float]]:
    """Where those of the cells stand that no other of their base beats, from left to right."""
    names = {cell.name for _, cell in cells}
    return sorted(
        {(one.knowledge, one.reading) for one in places(report) if one.standing == "front" and one.cell in names}
    )


def _plane(report: Report, cells: Sequence[tuple[int, Cell]]) -> Figure | None:
    """One base and the cells made from it; nothing where none has both scores."""
    both = [
        (number, cell, knowledge.accuracy, reading.accuracy)
        for number, cell in cells
        if (knowledge := report.score(cell.name, KNOWLEDGE)) and (reading := report.score(cell.name, READING))
    ]
    if not both:
        return None
    figure, axes = style.axes(height=3.9)
    for number, _, x, y in both:
        axes.errorbar(
            [x.value], [y.value], xerr=style.reach(x), yerr=style.reach(y), fmt=style.marker(number),
            color=style.colour(number), capsize=3, markersize=7, elinewidth=1,
        )  # fmt: skip
    front = _front(report, cells)
    if len(front) > 1:
        axes.plot(*zip(*front, strict=True), color=style.FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    axes.margins(0.1)
    base = next(((x, y) for _, cell, x, y in both if cell.base), None)
    if base is not None and len(both) > 1:
        left, bottom = base[0].value, base[1].value - report.margin
        (_, right), (_, top) = axes.get_xlim(), axes.get_ylim()
        axes.set_xlim(axes.get_xlim())
        axes.set_ylim(min(axes.get_ylim()[0], bottom), top)
        wanted = Rectangle((left, bottom), right - left, top - bottom, color=style.GREEN, alpha=0.1, linewidth=0)
        axes.add_patch(wanted)
        if right - left > WIDE_ENOUGH * (right - axes.get_xlim()[0]):
            axes.text(right, top, "more knowledge, reading kept ", ha="right", va="top", fontsize=8)
    axes.set_xlabel("knowledge: closed-book accuracy, %")
    axes.set_ylabel("reading: open-book accuracy, %")
    style.percentages(axes.xaxis)
    style.percentages(axes.yaxis)
    place_labels(
        axes,
        [(x.value, y.value) for _, _, x, y in both],
        [style.short(cell.name) for _, cell, _, _ in both],
        [style.colour(number) for number, _, _, _ in both],
        [(x.low, y.low, x.high, y.high) for _, _, x, y in both],
    )
    return figure


def pareto(report: Report) -> Iterator[Picture]:
    """Every cell at its knowledge and reading, the cells of every base in a picture of their own; the cells to want
    are up and to the right of the base.
    """
    numbered = list(enumerate(report.cells))
    groups = [
        [(number, cell) for number, cell in numbered if base.name in (cell.name, cell.recipe.base)]
        for _, base in numbered
        if base.base
    ]
    drawn = [figure for own in groups if (figure := _plane(report, own))]
    for number, figure in enumerate(drawn, start=1):
        yield Picture(
            "pareto" if len(drawn) == 1 else f"pareto-{number}",
            figure,
            "Every cell at its knowledge and its reading, with 95 % intervals. The shaded corner knows more than the "
            f"base and reads no worse than {100 * report.margin:g} points below it; whether a cell is surely inside is "
            "said by the paired differences, not by these intervals. The broken line joins the cells that none beats "
            "on both axes.",
        )
