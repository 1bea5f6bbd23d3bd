"""Both axes against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import textalloc
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from medctx.schemas.report import KNOWLEDGE, READING, Cell
from medctx_eval.report.decision.pareto import pareto_positions
from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.style import Picture

Box = tuple[float, float, float, float]
"""Left, bottom, right and top end of a point's error bars."""
MIN_CORNER_WIDTH = 0.45
"""Share of the picture's width that the text in the shaded corner needs."""
_LABEL_SIZE = 9


def place_labels(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    colours: Sequence[str],
    error_bars: Sequence[Box] = (),
) -> None:
    """Write each text near its point, joined by a thin line in the point's colour.

    Labels avoid markers, error bars and one another. All coordinates are data coordinates.
    """
    x, y = [point[0] for point in points], [point[1] for point in points]
    horizontal = [((left, right), (at, at)) for (left, _, right, _), at in zip(error_bars, y, strict=False)]
    vertical = [((at, at), (low, high)) for (_, low, _, high), at in zip(error_bars, x, strict=False)]
    lines = horizontal + vertical
    textalloc.allocate(
        axes, x, y, list(texts), x_scatter=x, y_scatter=y,
        x_lines=[list(line[0]) for line in lines], y_lines=[list(line[1]) for line in lines],
        textsize=_LABEL_SIZE, textcolor=style.INK, linecolor=list(colours), linewidth=0.8,
        min_distance=0.02, max_distance=0.25,
        avoid_label_lines_overlap=True, avoid_crossing_label_lines=True,
    )  # fmt: skip


def _front(report: Report, cells: Sequence[tuple[int, Cell]]) -> list[tuple[float, float]]:
    """Points of the cells on the Pareto front, from left to right."""
    names = {cell.name for _, cell in cells}
    return sorted(
        {
            (position.knowledge, position.reading)
            for position in pareto_positions(report)
            if position.standing == "front" and position.cell in names
        }
    )


def _plane(report: Report, cells: Sequence[tuple[int, Cell]]) -> Figure | None:
    """One base and the cells made from it; None if none has both scores."""
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
            [x.value], [y.value], xerr=style.error_bar(x), yerr=style.error_bar(y), fmt=style.marker(number),
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
        corner = Rectangle((left, bottom), right - left, top - bottom, color=style.GREEN, alpha=0.1, linewidth=0)
        axes.add_patch(corner)
        if right - left > MIN_CORNER_WIDTH * (right - axes.get_xlim()[0]):
            axes.text(right, top, "more knowledge, reading kept ", ha="right", va="top", fontsize=8)
    axes.set_xlabel("knowledge: closed-book accuracy, %")
    axes.set_ylabel("reading: open-book accuracy, %")
    style.percentages(axes.xaxis)
    style.percentages(axes.yaxis)
    place_labels(
        axes,
        [(x.value, y.value) for _, _, x, y in both],
        [style.short_name(cell.name) for _, cell, _, _ in both],
        [style.colour(number) for number, _, _, _ in both],
        [(x.low, y.low, x.high, y.high) for _, _, x, y in both],
    )
    return figure


def pareto(report: Report) -> Iterator[Picture]:
    """Every cell at its knowledge and reading, one picture per base."""
    numbered = list(enumerate(report.cells))
    groups = [
        [(number, cell) for number, cell in numbered if base.name in (cell.name, cell.recipe.base)]
        for _, base in numbered
        if base.base
    ]
    drawn = [figure for group in groups if (figure := _plane(report, group))]
    for number, figure in enumerate(drawn, start=1):
        yield Picture(
            "pareto" if len(drawn) == 1 else f"pareto-{number}",
            figure,
            "Knowledge and reading of every cell, with 95 % intervals. The shaded corner has more knowledge than the "
            f"base and reads at most {100 * report.margin:g} points worse; whether a cell lies inside is decided by "
            "the paired differences, not by these intervals. The dashed line joins the cells on the Pareto front.",
        )
