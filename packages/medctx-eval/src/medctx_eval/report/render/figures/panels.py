"""What the cells do, side by side: knows, reads, trusts memory, invents."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from medctx.schemas.report import Accuracy
from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.style import Picture
from medctx_eval.stats.behaviour import Behaviour
from medctx_eval.stats.words import percent


def _shares(found: Behaviour) -> dict[str, Accuracy | None]:
    return {
        "knows": found.knows,
        "reads": found.reads,
        "trusts memory": found.trusts_memory,
        "invents": found.invents,
    }


def conduct(report: Report) -> Iterator[Picture]:
    """One panel per behaviour that was asked for, one row per cell; nothing where only one was."""
    rows = [(one.cell, _shares(one.behaviour)) for one in report.conduct]
    panels = [name for name in (rows[0][1] if rows else ()) if any(shares[name] for _, shares in rows)]
    if len(panels) < 2:
        return
    numbers = {cell.name: number for number, cell in enumerate(report.cells)}
    figure = Figure(figsize=(1.4 + 1.75 * len(panels), 0.85 + 0.3 * len(rows)), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        for height, (cell, shares) in enumerate(rows):
            found, number = shares[panel], numbers[cell]
            if found is None:
                axes.text(0.5, height, "not asked", ha="center", va="center", fontsize=7)
                continue
            axes.errorbar(
                [found.value], [height], xerr=style.reach(found), fmt=style.marker(number), color=style.colour(number),
                capsize=2, elinewidth=1, markersize=5,
            )  # fmt: skip
            # Beside the longer free side of the interval, so that nothing lies on it.
            right = found.high < 0.78
            at = found.high + 0.03 if right else found.low - 0.03
            axes.text(at, height, percent(found.value), ha="left" if right else "right", va="center", fontsize=8)
        axes.set_title(panel, fontsize=10, fontweight="bold")
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1])
        style.percentages(axes.xaxis)
        axes.grid(axis="x", color=style.FAINT, alpha=0.25)
        axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(rows)), labels=[style.short(cell) for cell, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    figure.supxlabel("share of the items that show it, %", fontsize=9)
    yield Picture(
        "conduct",
        figure,
        "What every cell does, with 95 % intervals. Knowing and reading are wanted; trusting memory against the page "
        "and answering where the evidence is missing are not.",
    )
