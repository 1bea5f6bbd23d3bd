"""Behaviour of the cells side by side: knows, reads, trusts memory, invents."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from medctx.schemas.statistics import Accuracy, Behaviour
from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.style import Picture
from medctx_eval.stats.formatting import percent


def _shares(behaviour: Behaviour) -> dict[str, Accuracy | None]:
    return {
        "knows": behaviour.knows,
        "reads": behaviour.reads,
        "trusts memory": behaviour.trusts_memory,
        "invents": behaviour.invents,
    }


def behaviour_figure(report: Report) -> Iterator[Picture]:
    """One panel per behaviour that was asked for, one row per cell; no picture for a single behaviour."""
    rows = [(entry.cell, _shares(entry.behaviour)) for entry in report.behaviours]
    panels = [name for name in (rows[0][1] if rows else ()) if any(shares[name] for _, shares in rows)]
    if len(panels) < 2:
        return
    numbers = {cell.name: number for number, cell in enumerate(report.cells)}
    figure = Figure(figsize=(1.4 + 1.75 * len(panels), 0.85 + 0.3 * len(rows)), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        for height, (cell, shares) in enumerate(rows):
            accuracy, number = shares[panel], numbers[cell]
            if accuracy is None:
                axes.text(0.5, height, "not asked", ha="center", va="center", fontsize=7)
                continue
            axes.errorbar(
                [accuracy.value], [height], xerr=style.error_bar(accuracy), fmt=style.marker(number),
                color=style.colour(number), capsize=2, elinewidth=1, markersize=5,
            )  # fmt: skip
            # The number stands on the side of the interval with more room.
            right = accuracy.high < 0.78
            at = accuracy.high + 0.03 if right else accuracy.low - 0.03
            axes.text(at, height, percent(accuracy.value), ha="left" if right else "right", va="center", fontsize=8)
        axes.set_title(panel, fontsize=10, fontweight="bold")
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1])
        style.percentages(axes.xaxis)
        axes.grid(axis="x", color=style.FAINT, alpha=0.25)
        axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(rows)), labels=[style.short_name(cell) for cell, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    figure.supxlabel("share of the items that show it, %", fontsize=9)
    yield Picture(
        "behaviour",
        figure,
        "Behaviour of every cell, with 95 % intervals. Knowing and reading are desired; trusting memory against the "
        "Book and answering without evidence are not.",
    )
