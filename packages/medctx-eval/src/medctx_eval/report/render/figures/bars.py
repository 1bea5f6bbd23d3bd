"""Rows and columns: differences to the base, accuracy by Condition, verdicts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medctx.schemas.records import Verdict
from medctx_eval.report.load import parts
from medctx_eval.report.model import KNOWLEDGE, READING, Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.curves import AXIS_LOOK
from medctx_eval.report.render.figures.style import Picture
from medctx_eval.stats.words import percent, points

_WORDS = {
    "gains": "\N{BLACK UP-POINTING TRIANGLE} gains",
    "loses": "\N{BLACK DOWN-POINTING TRIANGLE} loses",
    "ties with": "= ties",
}

_VERDICT_LOOK: tuple[tuple[Verdict, str, str], ...] = (
    (Verdict.CORRECT, style.BLUE, ""),
    (Verdict.WRONG, style.FAINT, ""),
    (Verdict.ABSTAINED, style.COLOURS[5], "///"),
    (Verdict.UNPARSABLE, style.VERMILLION, "xxx"),
    (Verdict.TRUNCATED, style.COLOURS[4], "\\\\\\"),
    (Verdict.FAILED, style.COLOURS[3], "..."),
    (Verdict.DOES_NOT_FIT, style.EXAM_PLAN, "---"),
)


def differences(report: Report) -> Iterator[Picture]:
    """Difference to the base with intervals, one row per cell and axis, and the margin."""
    rows = [
        (cell, axis, comparison)
        for cell in report.tuned
        for axis in (KNOWLEDGE, READING)
        if (comparison := report.gain(cell.name, axis)) is not None
    ]
    if not rows:
        return
    figure, axes = style.axes(width=5.4, height=1.0 + 0.3 * len(rows))
    looks = {axis: (colour, marker) for axis, colour, marker, _ in AXIS_LOOK}
    for height, (_, axis, comparison) in enumerate(rows):
        colour, marker = looks[axis]
        found = comparison.difference
        arms = [[found.value - found.low], [found.high - found.value]]
        axes.errorbar([found.value], [height], xerr=arms, fmt=marker, color=colour, capsize=3)
        axes.text(
            1.01, height, f"{_WORDS[comparison.word]} {points(found.value)}", transform=axes.get_yaxis_transform(),
            va="center", fontsize=9,
        )  # fmt: skip
    axes.axvline(0, color=style.INK, linewidth=1)
    axes.axvline(-report.margin, color=style.FAINT, linewidth=1, linestyle=":")
    axes.text(-report.margin, -0.75, "margin ", ha="right", va="center", color=style.INK, fontsize=8)
    axes.set_yticks(range(len(rows)), labels=[f"{style.short(cell.name)}, {axis}" for cell, axis, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -1.1)
    style.percentages(axes.xaxis)
    axes.set_xlabel(f"difference to {style.short(report.to_base)}, accuracy points")
    yield Picture(
        "differences",
        figure,
        "Difference to the base with 95 % intervals, paired on items. Right of the solid line is a gain; an interval "
        "that crosses it is a tie. A reading interval that crosses the dotted margin may be a loss that matters.",
    )


def conditions(report: Report) -> Iterator[Picture]:
    """Accuracy of every cell under every Condition (depths taken together)."""
    asked = dict.fromkeys(one.part for one in report.scores if one.mode == report.mode and parts.is_condition(one.part))
    wanted = sorted(asked, key=parts.order)
    if not wanted:
        return
    count = len(report.cells)
    figure, axes = style.axes(width=max(5.2, len(wanted) * (0.5 + 0.13 * count)), height=3.9)
    for number, cell in enumerate(report.cells):
        shift = (number - (count - 1) / 2) * min(0.15, 0.7 / count)
        found = [(place, score) for place, part in enumerate(wanted) if (score := report.score(cell.name, part))]
        if not found:
            continue
        arms = np.concatenate([style.reach(score.accuracy) for _, score in found], axis=1)
        axes.errorbar(
            [place + shift for place, _ in found], [score.accuracy.value for _, score in found], yerr=arms,
            fmt=style.marker(number), color=style.colour(number), capsize=2, elinewidth=1, label=style.short(cell.name),
        )  # fmt: skip
    for place in range(1, len(wanted)):
        axes.axvline(place - 0.5, color=style.FAINT, linewidth=0.5, alpha=0.4)
    labels = [parts.title(part).replace(", ", "\n").replace("evidence ", "evidence\n") for part in wanted]
    axes.set_xticks(range(len(wanted)), labels=labels)
    axes.set_xlim(-0.5, len(wanted) - 0.5)
    axes.set_ylabel("accuracy, %")
    style.percentages(axes.yaxis)
    axes.grid(axis="y", color=style.FAINT, alpha=0.25)
    figure.legend(loc="outside upper center", ncols=style.columns(count))
    yield Picture(
        "conditions",
        figure,
        "Accuracy under every condition with 95 % intervals; evidence depths are taken together. With the evidence "
        "removed, saying that it cannot be answered is right; with the evidence altered, what the page now says.",
    )


def verdicts(report: Report) -> Iterator[Picture]:
    """What became of the answers of every cell on both axes; nothing where all are correct or wrong."""
    rows = [
        (cell, axis, score)
        for axis in (KNOWLEDGE, READING)
        for cell in report.cells
        if (score := report.score(cell.name, axis)) is not None
    ]
    shown = [look for look in _VERDICT_LOOK if any(score.verdicts[look[0]] for *_, score in rows)]
    if {verdict for verdict, _, _ in shown} <= {Verdict.CORRECT, Verdict.WRONG}:
        return
    figure, axes = style.axes(width=5.4, height=1.2 + 0.3 * len(rows))
    left = np.zeros(len(rows))
    for verdict, colour, hatch in shown:
        shares = np.array([score.verdicts[verdict] / score.n for *_, score in rows])
        axes.barh(
            range(len(rows)), shares, left=left, height=0.7, color=colour, alpha=0.75 if hatch else 0.9, hatch=hatch,
            edgecolor=style.INK if hatch else colour, linewidth=0.5 if hatch else 0, label=verdict.replace("_", " "),
        )  # fmt: skip
        if verdict is Verdict.CORRECT:
            for height, share in enumerate(shares):
                if share > 0.08:
                    axes.text(0.01, height, percent(share), va="center", fontsize=8, color=style.EXAM_PLAN)
        left += shares
    axes.set_yticks(range(len(rows)), labels=[f"{style.short(cell.name)}, {axis}" for cell, axis, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of all answers, %")
    style.percentages(axes.xaxis)
    figure.legend(loc="outside upper center", ncols=style.columns(len(shown)))
    yield Picture("verdicts", figure, f"What became of every answer in {report.mode} mode; the shares add up to 100 %.")
