"""Published beside measured accuracy."""

from __future__ import annotations

from collections.abc import Iterator

from medctx_eval.report.load import parts
from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.style import Picture


def published(report: Report) -> Iterator[Picture]:
    """One row per published cell: an open diamond for the published value, a dot with its interval for the measured."""
    found = report.published
    if found is None or not any(one.measured for one in found.cells):
        return
    figure, axes = style.axes(width=5.6, height=1.3 + 0.26 * len(found.cells))
    heights = range(len(found.cells))
    axes.plot(
        [one.value for one in found.cells], list(heights), marker="D", linestyle="", color=style.VERMILLION,
        markerfacecolor="none", label="published",
    )  # fmt: skip
    measured = [(height, one.measured) for height, one in zip(heights, found.cells, strict=True) if one.measured]
    for number, (height, accuracy) in enumerate(measured):
        axes.errorbar(
            [accuracy.value], [height], xerr=style.reach(accuracy), fmt="o", color=style.BLUE, capsize=3,
            label="" if number else "measured here, 95 % interval",
        )  # fmt: skip
    for height in heights[1:]:
        axes.axhline(height - 0.5, color=style.FAINT, linewidth=0.5, alpha=0.3)
    axes.set_yticks(list(heights), labels=[style.short(one.cell) for one in found.cells])
    axes.set_ylim(len(found.cells) - 0.5, -0.5)
    axes.set_xlabel(f"accuracy, {parts.title(found.part)}, %")
    style.percentages(axes.xaxis)
    figure.legend(loc="outside upper center", ncols=2)
    note = f" {found.note}" if found.note else ""
    yield Picture(
        "published",
        figure,
        f"Accuracy as published ({found.source or 'no source given'}) beside what was measured here.{note}",
    )
