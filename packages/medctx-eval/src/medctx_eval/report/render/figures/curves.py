"""Curves: both axes over the composition and over the amount of training data, and the loss during training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medctx.schemas.report import Cell, Score
from medctx_eval.report.model import KNOWLEDGE, READING, Report
from medctx_eval.report.recipe import label
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.series import series
from medctx_eval.report.render.figures.style import Picture

Line = Literal["-", "--"]
AXIS_LOOK: tuple[tuple[str, str, str, Line], ...] = (
    (KNOWLEDGE, style.BLUE, "o", "-"),
    (READING, style.VERMILLION, "s", "--"),
)
SMOOTHED = 9
"""Points of a training curve that its bold line averages."""


ASIDE = 0.006
"""By how much of the width the points of the two axes stand apart."""


class Point(NamedTuple):
    """A cell's score at its place on the horizontal axis; ``tie``: no sure difference to the base."""

    at: float
    score: Score
    tie: bool


def _points(report: Report, cells: Sequence[tuple[float, Cell]], axis: str) -> list[Point]:
    found = []
    for at, cell in sorted(cells, key=lambda one: one[0]):
        score, gain = report.score(cell.name, axis), report.gain(cell.name, axis)
        if score is not None:
            found.append(Point(at, score, gain is not None and gain.word == "ties with"))
    return found


def _aside(points: Sequence[Point], axis: str, logarithmic: bool) -> list[Point]:
    """Points moved a little to the left (knowledge) or right, so that equal values do not cover one another."""
    places = [point.at for point in points]
    side = -ASIDE if axis == KNOWLEDGE else ASIDE
    if logarithmic:
        factor = (max(places) / min(places)) ** side
        return [point._replace(at=point.at * factor) for point in points]
    shift = side * (max(places) - min(places))
    return [point._replace(at=point.at + shift) for point in points]


def _base_line(axes: Axes, report: Report, base: str, axis: str, colour: str) -> None:
    score = report.score(base, axis)
    if score is not None:
        axes.axhline(score.accuracy.value, color=colour, linewidth=1, linestyle=":")
        axes.text(
            1.01, score.accuracy.value, f"{style.short(base, 12)}\n{axis}", transform=axes.get_yaxis_transform(),
            va="center", fontsize=8,
        )  # fmt: skip


def _line(axes: Axes, points: Sequence[Point], colour: str, marker: str, line: Line) -> None:
    """Line and band through the means of equal places; every training seed as a dot of its own."""
    places = sorted({point.at for point in points})
    means = [
        np.mean(
            [
                (one.score.accuracy.low, one.score.accuracy.value, one.score.accuracy.high)
                for one in points
                if one.at == at
            ],
            axis=0,
        )
        for at in places
    ]
    low, value, high = np.transpose(means)
    axes.fill_between(places, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(places, value, color=colour, linestyle=line, linewidth=1.5)
    for point in points:
        # Hollow is a tie; white under it keeps the line out of the marker on any page.
        axes.plot(
            [point.at], [point.score.accuracy.value], marker, color=colour, markersize=7, markeredgewidth=1.5,
            markerfacecolor=style.EXAM_PLAN if point.tie else colour,
        )  # fmt: skip
        if len(point.score.seeds) > 1:
            axes.plot([point.at] * len(point.score.seeds), point.score.seeds, "_", color=colour, markersize=9)


def _both_axes(
    figure: Figure, axes: Axes, report: Report, cells: Sequence[tuple[float, Cell]], *, logarithmic: bool = False
) -> None:
    if logarithmic:
        axes.set_xscale("log")
    drawn = []
    for axis, colour, marker, line in AXIS_LOOK:
        points = _points(report, cells, axis)
        if points:
            _line(axes, _aside(points, axis, logarithmic), colour, marker, line)
            _base_line(axes, report, cells[0][1].recipe.base, axis, colour)
            drawn.append(Line2D([], [], color=colour, marker=marker, linestyle=line, label=axis))
    if any(point.tie for axis, *_ in AXIS_LOOK for point in _points(report, cells, axis)):
        hollow = style.EXAM_PLAN
        tie = Line2D([], [], color=style.INK, marker="o", linestyle="", markerfacecolor=hollow, label="ties with base")
        drawn.append(tie)
    figure.legend(handles=drawn, loc="outside upper center", ncols=3)
    axes.set_ylabel("accuracy, %")
    style.percentages(axes.yaxis)


def _held(own: Sequence[Cell], apart: str, cells: Sequence[Cell]) -> str:
    """A sentence on what the cells of a curve have in common, where other cells of the study have it not."""
    recipe = own[0].recipe
    common = [recipe.base] if len({cell.recipe.base for cell in cells}) > 1 else []
    if apart != "general_share" and recipe.general_share is not None:
        common.append(f"{label(own[0].name, recipe.general_share)} general : medical")
    if apart != "amount" and recipe.amount is not None and len({cell.recipe.amount for cell in cells}) > 1:
        common.append(f"{recipe.amount:,} trained tokens")
    if recipe.method and len({cell.recipe.method for cell in cells}) > 1:
        common.append(recipe.method)
    return f" All of {', '.join(common)}." if common else ""


def _numbered(name: str, number: int, count: int) -> str:
    return name if count == 1 else f"{name}-{number}"


def ratio(report: Report) -> Iterator[Picture]:
    """Knowledge and reading over the general share of the training data, with interval bands."""
    several = series(report.tuned, "general_share")
    for number, own in enumerate(several, start=1):
        cells = [(share, cell) for cell in own if (share := cell.recipe.general_share) is not None]
        shares = sorted({share for share, _ in cells})
        figure, axes = style.axes(height=3.6)
        _both_axes(figure, axes, report, cells)
        names = [next(label(cell.name, at) for share, cell in cells if share == at) for at in shares]
        axes.set_xticks(shares, labels=names)
        axes.set_xlabel("training data, general : medical")
        seeds = " Dashes are single training seeds." if any(len(cell.runs) > 1 for cell in own) else ""
        yield Picture(
            _numbered("ratio", number, len(several)),
            figure,
            "Knowledge and reading over the composition of the training data. Bands are 95 % intervals, dotted lines "
            f"the untouched base; a hollow mark ties with it.{seeds}{_held(own, 'general_share', report.tuned)}",
        )


def amount(report: Report) -> Iterator[Picture]:
    """Knowledge and reading over the trained tokens, for every composition that was trained on several amounts."""
    several = series(report.tuned, "amount")
    for number, own in enumerate(several, start=1):
        cells = [(float(tokens), cell) for cell in own if (tokens := cell.recipe.amount) is not None]
        figure, axes = style.axes(height=3.6)
        _both_axes(figure, axes, report, cells, logarithmic=True)
        places = sorted({at for at, _ in cells})
        axes.set_xticks(places, labels=[f"{at:,.0f}" for at in places])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("trained tokens")
        yield Picture(
            _numbered("amount", number, len(several)),
            figure,
            "Knowledge and reading over the amount of training data. Bands are 95 % intervals, dotted lines the "
            f"untouched base; a hollow mark ties with it.{_held(own, 'amount', report.tuned)}",
        )


def training(report: Report) -> Iterator[Picture]:
    """Loss over trained tokens of every cell that logged it."""
    if not report.curves:
        return
    figure, axes = style.axes(height=3.4)
    numbers = {cell.name: number for number, cell in enumerate(report.cells)}
    for place, curve in enumerate(report.curves):
        number = numbers.get(curve.name, place + 1)
        width = min(SMOOTHED, len(curve.loss))
        smooth = np.convolve(curve.loss, np.ones(width) / width, mode="valid")
        middle = curve.tokens[(width - 1) // 2 : (width - 1) // 2 + len(smooth)]
        axes.plot(curve.tokens, curve.loss, color=style.colour(number), alpha=0.25, linewidth=0.8)
        axes.plot(
            middle, smooth, color=style.colour(number), marker=style.marker(number), linewidth=1.6,
            markevery=max(1, len(smooth) // 6), markersize=5, label=style.short(curve.name),
        )  # fmt: skip
    axes.set_xlabel("trained tokens")
    axes.set_ylabel("loss, nats per token")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(style.few_ticks())
    axes.grid(axis="y", color=style.FAINT, alpha=0.25)
    figure.legend(loc="outside upper center", ncols=style.columns(len(report.curves)))
    yield Picture("training", figure, "Training loss. Bold lines are running means, thin ones the steps themselves.")
