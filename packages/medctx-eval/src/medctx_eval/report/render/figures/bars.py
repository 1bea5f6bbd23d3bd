"""Rows and columns: differences to the base, accuracy by condition, verdicts, published and measured accuracy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medctx.schemas.records import Verdict
from medctx.schemas.report import KNOWLEDGE, READING
from medctx_eval.report.decision.pareto import AXES
from medctx_eval.report.load import parts
from medctx_eval.report.model import Report
from medctx_eval.report.render.figures import style
from medctx_eval.report.render.figures.curves import AXIS_STYLES
from medctx_eval.report.render.figures.style import Picture
from medctx_eval.stats.formatting import percent, points

_OUTCOME_TEXT = {"gains": "gains", "loses": "loses", "equals": "equal", "not told apart": "not told apart"}
_VERDICT_STYLES: tuple[tuple[Verdict, str, str], ...] = (
    (Verdict.CORRECT, style.BLUE, ""),
    (Verdict.WRONG, style.FAINT, ""),
    (Verdict.ABSTAINED, style.COLOURS[5], "///"),
    (Verdict.UNPARSABLE, style.VERMILLION, "xxx"),
    (Verdict.TRUNCATED, style.COLOURS[4], "\\\\\\"),
    (Verdict.FAILED, style.COLOURS[3], "..."),
    (Verdict.DOES_NOT_FIT, style.BACKGROUND, "---"),
)


def difference_figure(report: Report) -> Iterator[Picture]:
    """Difference to the base with intervals, one row per cell and axis, and the margin."""
    rows = [
        (cell, axis, comparison)
        for cell in report.tuned
        for axis in AXES
        if (comparison := report.axis_gain(cell.name, axis)) is not None
    ]
    if not rows:
        return
    figure, axes = style.axes(width=5.4, height=1.0 + 0.3 * len(rows))
    looks = {axis: (colour, marker) for axis, colour, marker, _ in AXIS_STYLES}
    for height, (_, axis, comparison) in enumerate(rows):
        colour, marker = looks[axis]
        difference = comparison.difference
        arms = [[difference.value - difference.low], [difference.high - difference.value]]
        axes.errorbar([difference.value], [height], xerr=arms, fmt=marker, color=colour, capsize=3)
        outcome = f"{style.OUTCOME_SIGNS[comparison.outcome]}{_OUTCOME_TEXT[comparison.outcome]}"
        axes.text(
            1.01, height, f"{outcome} {points(difference.value)}", transform=axes.get_yaxis_transform(),
            va="center", fontsize=9,
        )  # fmt: skip
    axes.axvline(0, color=style.INK, linewidth=1)
    axes.axvline(-report.margin, color=style.FAINT, linewidth=1, linestyle=":")
    axes.text(-report.margin, -0.75, "margin ", ha="right", va="center", color=style.INK, fontsize=8)
    axes.set_yticks(range(len(rows)), labels=[f"{style.short_name(cell.name)}, {axis}" for cell, axis, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -1.1)
    style.percentages(axes.xaxis)
    axes.set_xlabel(f"difference to {style.short_name(report.base_label)}, accuracy points")
    learning = (
        ""
        if report.measure(KNOWLEDGE) == KNOWLEDGE
        else " Knowledge is the gain on taught minus that on untaught items."
    )
    yield Picture(
        "differences",
        figure,
        f"Difference to the base with 95 % intervals, paired on items.{learning} An interval to the right of the solid "
        "line is a gain; one that crosses it shows no difference. A reading interval that crosses the dotted margin "
        "may be a loss that matters.",
    )


def conditions(report: Report) -> Iterator[Picture]:
    """Accuracy of every cell under every condition, depths pooled."""
    examined = dict.fromkeys(
        score.part for score in report.scores if score.mode == report.mode and parts.is_condition(score.part)
    )
    shown = sorted(examined, key=parts.sort_key)
    if not shown:
        return
    count = len(report.cells)
    figure, axes = style.axes(width=max(5.2, len(shown) * (0.5 + 0.13 * count)), height=3.9)
    for number, cell in enumerate(report.cells):
        shift = (number - (count - 1) / 2) * min(0.15, 0.7 / count)
        scores = [(place, score) for place, part in enumerate(shown) if (score := report.score(cell.name, part))]
        if not scores:
            continue
        arms = np.concatenate([style.error_bar(score.accuracy) for _, score in scores], axis=1)
        axes.errorbar(
            [place + shift for place, _ in scores], [score.accuracy.value for _, score in scores], yerr=arms,
            fmt=style.marker(number), color=style.colour(number), capsize=2, elinewidth=1,
            label=style.short_name(cell.name),
        )  # fmt: skip
    floors = [(place, floor) for place, part in enumerate(shown) if (floor := report.floor(part)) is not None]
    for number, (place, floor) in enumerate(floors):
        axes.plot(
            [place - 0.45, place + 0.45], [floor.question_blind] * 2, color=style.INK, linestyle=":", linewidth=1.2,
            label="" if number else "question-blind reader",
        )  # fmt: skip
    for place in range(1, len(shown)):
        axes.axvline(place - 0.5, color=style.FAINT, linewidth=0.5, alpha=0.4)
    labels = [parts.title(part).replace(", ", "\n").replace("evidence ", "evidence\n") for part in shown]
    axes.set_xticks(range(len(shown)), labels=labels)
    axes.set_xlim(-0.5, len(shown) - 0.5)
    axes.set_ylabel("accuracy, %")
    style.percentages(axes.yaxis)
    axes.grid(axis="y", color=style.FAINT, alpha=0.25)
    # At most three columns: on a telephone the figure is wider than the screen, its legend must not be.
    figure.legend(loc="outside upper left", ncols=style.legend_columns(count + bool(floors), 3))
    yield Picture(
        "conditions",
        figure,
        "Accuracy under every condition with 95 % intervals; depths of the evidence are pooled. The dotted line is a "
        "reader without the question, which guesses among the options in the Book. With the evidence "
        'removed, the right answer is "cannot be answered"; with the evidence altered, it is what the Book now says.',
    )


def verdicts(report: Report) -> Iterator[Picture]:
    """Share of each verdict by cell and axis; no picture if all answers are correct or wrong."""
    rows = [
        (cell, axis, score)
        for axis in (KNOWLEDGE, READING)
        for cell in report.cells
        if (score := report.score(cell.name, axis)) is not None
    ]
    shown = [look for look in _VERDICT_STYLES if any(score.verdicts[look[0]] for *_, score in rows)]
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
                    axes.text(0.01, height, percent(share), va="center", fontsize=8, color=style.BACKGROUND)
        left += shares
    axes.set_yticks(range(len(rows)), labels=[f"{style.short_name(cell.name)}, {axis}" for cell, axis, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of all answers, %")
    style.percentages(axes.xaxis)
    figure.legend(loc="outside upper center", ncols=style.legend_columns(len(shown)))
    yield Picture("verdicts", figure, f"Verdict of every answer in {report.mode} mode; the shares add up to 100 %.")


def published_figure(report: Report) -> Iterator[Picture]:
    """One row per published cell: a diamond for the published value, a dot with its interval for the measured one."""
    published_cells = report.published.cells if report.published else ()
    if report.published is None or not any(cell.measured for cell in published_cells):
        return
    figure, axes = style.axes(width=5.6, height=1.3 + 0.26 * len(published_cells))
    heights = range(len(published_cells))
    axes.plot(
        [cell.value for cell in published_cells], list(heights), marker="D", linestyle="", color=style.VERMILLION,
        markerfacecolor="none", label="published",
    )  # fmt: skip
    measured = [(height, cell.measured) for height, cell in zip(heights, published_cells, strict=True) if cell.measured]
    for number, (height, accuracy) in enumerate(measured):
        axes.errorbar(
            [accuracy.value], [height], xerr=style.error_bar(accuracy), fmt="o", color=style.BLUE, capsize=3,
            label="" if number else "measured here, 95 % interval",
        )  # fmt: skip
    for height in heights[1:]:
        axes.axhline(height - 0.5, color=style.FAINT, linewidth=0.5, alpha=0.3)
    axes.set_yticks(list(heights), labels=[style.short_name(cell.cell) for cell in published_cells])
    axes.set_ylim(len(published_cells) - 0.5, -0.5)
    axes.set_xlabel(f"accuracy, {parts.title(report.published.part)}, %")
    style.percentages(axes.xaxis)
    figure.legend(loc="outside upper center", ncols=2)
    note = f" {report.published.note}" if report.published.note else ""
    yield Picture(
        "published",
        figure,
        f"Accuracy as published ({report.published.source or 'no source given'}) and as measured here.{note}",
    )
