"""Curves: both axes over the composition and the amount of training data, and the training loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medctx.schemas.report import KNOWLEDGE, READING, Cell, Recipe, RecipeAxis, Score
from medctx_eval.report.model import Report
from medctx_eval.report.recipe import ratio_label
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.style import Picture

LineStyle = Literal["-", "--"]
AXIS_STYLES: tuple[tuple[str, str, str, LineStyle], ...] = (
    (KNOWLEDGE, style.BLUE, "o", "-"),
    (READING, style.VERMILLION, "s", "--"),
)
SMOOTHING_WINDOW = 9
"""Points of a training curve averaged by its bold line."""
SHIFT = 0.006
"""Distance between the points of the two axes, as a share of the width."""


def series(cells: Iterable[Cell], axis: RecipeAxis) -> list[tuple[Cell, ...]]:
    """Groups of cells whose recipes differ only along one axis, on which they have at least two values.

    Cells are ordered along the axis, groups by their first cells. Cells whose value is unknown are left out.
    """
    groups: dict[Recipe, list[Cell]] = {}
    for cell in cells:
        if getattr(cell.recipe, axis) not in (None, ""):
            groups.setdefault(cell.recipe.without(axis), []).append(cell)
    ordered = [tuple(sorted(group, key=lambda cell: getattr(cell.recipe, axis))) for group in groups.values()]
    return [group for group in ordered if len({getattr(cell.recipe, axis) for cell in group}) > 1]


class Point(NamedTuple):
    """A cell's score at its place on the horizontal axis; ``hollow`` if no difference to the base is shown."""

    at: float
    score: Score
    hollow: bool


def _points(report: Report, cells: Sequence[tuple[float, Cell]], axis: str) -> list[Point]:
    points = []
    for at, cell in sorted(cells, key=lambda entry: entry[0]):
        score, gain = report.score(cell.name, axis), report.gain(cell.name, axis)
        if score is not None:
            points.append(Point(at, score, gain is not None and gain.outcome not in ("gains", "loses")))
    return points


def _shifted(points: Sequence[Point], axis: str, logarithmic: bool) -> list[Point]:
    """Points moved a little to the left (knowledge) or right (reading), so that equal values do not overlap."""
    places = [point.at for point in points]
    side = -SHIFT if axis == KNOWLEDGE else SHIFT
    if logarithmic:
        factor = (max(places) / min(places)) ** side
        return [point._replace(at=point.at * factor) for point in points]
    shift = side * (max(places) - min(places))
    return [point._replace(at=point.at + shift) for point in points]


def _draw_base(axes: Axes, report: Report, base: str, axis: str, colour: str) -> None:
    score = report.score(base, axis)
    if score is not None:
        axes.axhline(score.accuracy.value, color=colour, linewidth=1, linestyle=":")
        axes.text(
            1.01, score.accuracy.value, f"{style.short_name(base, 12)}\n{axis}", transform=axes.get_yaxis_transform(),
            va="center", fontsize=8,
        )  # fmt: skip


def _draw_line(axes: Axes, points: Sequence[Point], colour: str, marker: str, line: LineStyle) -> None:
    """Line and band through the means at equal places; a dash for every training seed."""
    places = sorted({point.at for point in points})
    means = [
        np.mean(
            [
                (point.score.accuracy.low, point.score.accuracy.value, point.score.accuracy.high)
                for point in points
                if point.at == at
            ],
            axis=0,
        )
        for at in places
    ]
    low, value, high = np.transpose(means)
    axes.fill_between(places, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(places, value, color=colour, linestyle=line, linewidth=1.5)
    for point in points:
        # The background colour inside hollow markers hides the line on any page.
        axes.plot(
            [point.at], [point.score.accuracy.value], marker, color=colour, markersize=7, markeredgewidth=1.5,
            markerfacecolor=style.BACKGROUND if point.hollow else colour,
        )  # fmt: skip
        if len(point.score.seeds) > 1:
            axes.plot([point.at] * len(point.score.seeds), point.score.seeds, "_", color=colour, markersize=9)


def _draw_both_axes(
    figure: Figure, axes: Axes, report: Report, cells: Sequence[tuple[float, Cell]], *, logarithmic: bool = False
) -> None:
    if logarithmic:
        axes.set_xscale("log")
    handles = []
    hollow = False
    for axis, colour, marker, line in AXIS_STYLES:
        points = _points(report, cells, axis)
        hollow = hollow or any(point.hollow for point in points)
        if points:
            _draw_line(axes, _shifted(points, axis, logarithmic), colour, marker, line)
            _draw_base(axes, report, cells[0][1].recipe.base, axis, colour)
            handles.append(Line2D([], [], color=colour, marker=marker, linestyle=line, label=axis))
    if hollow:
        hollow_marker = Line2D([], [], color=style.INK, marker="o", linestyle="", markerfacecolor=style.BACKGROUND)
        hollow_marker.set_label("no difference to base shown")
        handles.append(hollow_marker)
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    axes.set_ylabel("accuracy, %")
    style.percentages(axes.yaxis)


def _common_recipe(group: Sequence[Cell], axis: RecipeAxis, cells: Sequence[Cell]) -> str:
    """A sentence on what the cells of a curve have in common, as far as other cells of the study differ in it."""
    recipe = group[0].recipe
    common = [recipe.base] if len({cell.recipe.base for cell in cells}) > 1 else []
    if axis != "general_share" and recipe.general_share is not None:
        common.append(f"{ratio_label(group[0].name, recipe.general_share)} general : medical")
    if axis != "amount" and recipe.amount is not None and len({cell.recipe.amount for cell in cells}) > 1:
        common.append(f"{recipe.amount:,} trained tokens")
    if recipe.method and len({cell.recipe.method for cell in cells}) > 1:
        common.append(recipe.method)
    return f" All cells: {', '.join(common)}." if common else ""


def _numbered(name: str, number: int, count: int) -> str:
    return name if count == 1 else f"{name}-{number}"


def ratio(report: Report) -> Iterator[Picture]:
    """Knowledge and reading over the general share of the training data, with interval bands."""
    groups = series(report.tuned, "general_share")
    for number, group in enumerate(groups, start=1):
        cells = [(share, cell) for cell in group if (share := cell.recipe.general_share) is not None]
        shares = sorted({share for share, _ in cells})
        figure, axes = style.axes(height=3.6)
        _draw_both_axes(figure, axes, report, cells)
        names = [next(ratio_label(cell.name, at) for share, cell in cells if share == at) for at in shares]
        axes.set_xticks(shares, labels=names)
        axes.set_xlabel("training data, general : medical")
        seeds = " Dashes are single training seeds." if any(len(cell.runs) > 1 for cell in group) else ""
        yield Picture(
            _numbered("ratio", number, len(groups)),
            figure,
            "Knowledge and reading over the composition of the training data. Bands are 95 % intervals, dotted lines "
            "the untrained base; at a hollow marker no difference to the base is shown."
            f"{seeds}{_common_recipe(group, 'general_share', report.tuned)}",
        )


def amount(report: Report) -> Iterator[Picture]:
    """Knowledge and reading over the trained tokens, for every composition trained on several amounts."""
    groups = series(report.tuned, "amount")
    for number, group in enumerate(groups, start=1):
        cells = [(float(tokens), cell) for cell in group if (tokens := cell.recipe.amount) is not None]
        figure, axes = style.axes(height=3.6)
        _draw_both_axes(figure, axes, report, cells, logarithmic=True)
        places = sorted({at for at, _ in cells})
        axes.set_xticks(places, labels=[f"{at:,.0f}" for at in places])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("trained tokens")
        yield Picture(
            _numbered("amount", number, len(groups)),
            figure,
            "Knowledge and reading over the amount of training data. Bands are 95 % intervals, dotted lines the "
            "untrained base; at a hollow marker no difference to the base is shown."
            f"{_common_recipe(group, 'amount', report.tuned)}",
        )


def training(report: Report) -> Iterator[Picture]:
    """Loss over trained tokens of every cell that logged it."""
    if not report.training_curves:
        return
    figure, axes = style.axes(height=3.4)
    numbers = {cell.name: number for number, cell in enumerate(report.cells)}
    for place, curve in enumerate(report.training_curves):
        number = numbers.get(curve.name, place + 1)
        width = min(SMOOTHING_WINDOW, len(curve.loss))
        smooth = np.convolve(curve.loss, np.ones(width) / width, mode="valid")
        middle = curve.tokens[(width - 1) // 2 : (width - 1) // 2 + len(smooth)]
        axes.plot(curve.tokens, curve.loss, color=style.colour(number), alpha=0.25, linewidth=0.8)
        axes.plot(
            middle, smooth, color=style.colour(number), marker=style.marker(number), linewidth=1.6,
            markevery=max(1, len(smooth) // 6), markersize=5, label=style.short_name(curve.name),
        )  # fmt: skip
    axes.set_xlabel("trained tokens")
    axes.set_ylabel("loss, nats per token")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(style.few_ticks())
    axes.grid(axis="y", color=style.FAINT, alpha=0.25)
    figure.legend(loc="outside upper center", ncols=style.legend_columns(len(report.training_curves)))
    yield Picture("training", figure, "Training loss. Bold lines are running means, thin lines the logged steps.")
