"""The pictures of a report. Each function gives None where the report lacks what it would show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from medctx_eval.report import parts, ratios, style
from medctx_eval.report.labels import place_labels
from medctx_eval.report.model import KNOWLEDGE, READING, Report
from medctx_eval.stats import Accuracy

AXIS_LOOK = ((KNOWLEDGE, style.BLUE, "o", "-"), (READING, style.VERMILLION, "s", "--"))


def _reach(found: Accuracy) -> list[list[float]]:
    """Lengths of the two arms of an error bar, shape (2, 1) as matplotlib wants them."""
    return [[found.value - found.low], [found.high - found.value]]


def differences(report: Report) -> Figure | None:
    """Difference to the base with intervals, one row per cell and axis, and the margin."""
    rows = [
        (cell, axis, comparison.difference)
        for cell in report.tuned
        for axis in (KNOWLEDGE, READING)
        if (comparison := report.gain(cell.name, axis)) is not None
    ]
    if not rows:
        return None
    figure, axes = style.axes(height=1.0 + 0.3 * len(rows))
    looks = {axis: (colour, marker) for axis, colour, marker, _ in AXIS_LOOK}
    for height, (_, axis, found) in enumerate(rows):
        colour, marker = looks[axis]
        arms = [[found.value - found.low], [found.high - found.value]]
        axes.errorbar([found.value], [height], xerr=arms, fmt=marker, color=colour, capsize=3)
    axes.axvline(0, color=style.INK, linewidth=1)
    axes.axvline(-report.margin, color=style.FAINT, linewidth=1, linestyle=":")
    axes.text(-report.margin, -0.75, "margin ", ha="right", va="center", color=style.INK, fontsize=8)
    axes.set_yticks(range(len(rows)), labels=[f"{style.short(cell.name)}, {axis}" for cell, axis, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -1.1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.set_xlabel(f"difference to {style.short(report.base)}, accuracy points")
    return figure


def _base_line(axes: Axes, report: Report, axis: str, colour: str) -> None:
    score = report.score(report.base, axis)
    if score is not None:
        axes.axhline(score.accuracy.value, color=colour, linewidth=1, linestyle=":")
        axes.text(
            1.01, score.accuracy.value, f"{style.short(report.base, 12)}\n{axis}", transform=axes.get_yaxis_transform(),
            va="center", fontsize=8,
        )  # fmt: skip


def ratio_curve(report: Report) -> Figure | None:
    """Knowledge and reading over the general share of the training data, with interval bands.

    Runs of the same share (seeds) are drawn as points of their own; line and band run through their means.
    """
    cells = [(cell.general_share, cell.name) for cell in report.tuned if cell.general_share is not None]
    shares = sorted({share for share, _ in cells})
    if len(shares) < 2:
        return None
    figure, axes = style.axes(height=3.3)
    for axis, colour, marker, line in AXIS_LOOK:
        scored = [(share, score.accuracy) for share, name in cells if (score := report.score(name, axis))]
        if not scored:
            continue
        bands = [
            np.mean([(one.low, one.value, one.high) for at, one in scored if at == share], axis=0) for share in shares
        ]
        low, value, high = np.transpose(bands)
        axes.fill_between(shares, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(shares, value, color=colour, linestyle=line, label=axis)
        axes.plot([at for at, _ in scored], [one.value for _, one in scored], marker, color=colour)
        axes.annotate(
            axis, (shares[len(shares) // 2], high[len(shares) // 2]), xytext=(0, 4), textcoords="offset points",
            ha="center", color=colour, fontweight="bold",
        )  # fmt: skip
        _base_line(axes, report, axis, colour)
    names = [next(ratios.label(name, at) for share, name in cells if share == at) for at in shares]
    axes.set_xticks(shares, labels=names)
    axes.set_xlabel("training data, general : medical")
    axes.set_ylabel("accuracy, %")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    return figure


def pareto(report: Report) -> Figure | None:
    """Every cell at its knowledge and reading; the cells to want are up and to the right."""
    both = [
        (number, cell, knowledge.accuracy, reading.accuracy)
        for number, cell in enumerate(report.cells)
        if (knowledge := report.score(cell.name, KNOWLEDGE)) and (reading := report.score(cell.name, READING))
    ]
    if not both:
        return None
    figure, axes = style.axes(height=3.9)
    for number, _, x, y in both:
        axes.errorbar(
            [x.value], [y.value], xerr=_reach(x), yerr=_reach(y), fmt=style.marker(number),
            color=style.colour(number), capsize=3, markersize=7, elinewidth=1,
        )  # fmt: skip
    axes.set_xlabel("knowledge: closed-book accuracy, %")
    axes.set_ylabel("reading: open-book accuracy, %")
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.margins(0.08)
    place_labels(axes, [(x.value, y.value) for _, _, x, y in both], [style.short(cell.name) for _, cell, _, _ in both])
    return figure


def by_condition(report: Report) -> Figure | None:
    """Accuracy of every cell under every Condition (depths taken together)."""
    wanted = list(report.parts("conditions")) or [
        score.part for score in report.scores if score.cell == report.base and parts.is_condition(score.part)
    ]
    if not wanted:
        return None
    figure, axes = style.axes(height=3.7)
    count = len(report.cells)
    for number, cell in enumerate(report.cells):
        shift = (number - (count - 1) / 2) * min(0.15, 0.7 / count)
        found = [(place, score) for place, part in enumerate(wanted) if (score := report.score(cell.name, part))]
        x = [place + shift for place, _ in found]
        value = [score.accuracy.value for _, score in found]
        arms = np.concatenate([_reach(score.accuracy) for _, score in found], axis=1)
        axes.errorbar(
            x, value, yerr=arms, fmt=style.marker(number), color=style.colour(number), capsize=2, elinewidth=1,
            label=style.short(cell.name),
        )  # fmt: skip
    axes.set_xticks(range(len(wanted)), labels=[parts.title(part).replace(", ", "\n") for part in wanted])
    axes.set_ylabel("accuracy, %")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.grid(axis="y", color=style.FAINT, alpha=0.25)
    figure.legend(loc="outside upper center", ncols=min(5, count))
    return figure


DRAWN: dict[str, Callable[[Report], Figure | None]] = {
    "differences": differences,
    "ratio": ratio_curve,
    "pareto": pareto,
    "conditions": by_condition,
}


def draw(report: Report) -> dict[str, Figure]:
    """Every figure the report has the numbers for, by name."""
    with style.look():
        drawn = {name: function(report) for name, function in DRAWN.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}
