"""The report as a page of Markdown: headline and main tables."""

from __future__ import annotations

import html
from collections.abc import Sequence

from medctx_eval.report import parts
from medctx_eval.report.model import UNTAUGHT, Report
from medctx_eval.report.tables import HEADER, rows
from medctx_eval.stats.words import accuracy_interval, difference_interval, p_value, percent, points, verb


def escape(text: str) -> str:
    """Text that means itself inside a Markdown table."""
    flat = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"\\{sign}" if sign in r"\`*_|[]#~" else sign for sign in flat)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    written = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return [*written, *("| " + " | ".join(map(escape, line)) + " |" for line in lines), ""]


def _conditions(report: Report) -> list[str]:
    wanted = [one for one in dict.fromkeys(score.part for score in report.scores) if parts.is_condition(one)]
    if report.score(report.base, UNTAUGHT):
        wanted.append(UNTAUGHT)
    lines = []
    for part in wanted:
        scores = [report.score(cell.name, part) for cell in report.cells]
        shown = [f"{percent(one.accuracy.value)} [{accuracy_interval(one.accuracy)}]" if one else "" for one in scores]
        lines.append([parts.title(part), *shown, str(scores[0].accuracy.n) if scores[0] else ""])
    return _table(["condition", *(escape(cell.name) for cell in report.cells), "N"], lines)


def _pairs(report: Report) -> list[str]:
    lines = [
        [
            f"{one.cell} {verb(one.word)} {one.other}",
            one.part,
            f"{points(one.difference.value)} [{difference_interval(one.difference)}]",
            p_value(one.p_holm),
            percent(one.difference.detectable),
        ]
        for one in report.family("pairs")
    ]
    return _table(["comparison", "axis", "points [95 %]", "p (Holm)", "detectable"], lines)


def page(report: Report, figures: Sequence[str]) -> str:
    """``figures``: names of the files in ``figures/`` to show."""
    lines = [f"# {escape(report.title)}", "", f"**{escape(report.headline)}**", ""]
    lines += _table(HEADER, [row.values for row in rows(report)])
    lines += [
        f"Accuracy is correct / N in {report.mode} mode; intervals are 95 %, clustered by document; differences are "
        "paired on items. A tie is an interval that contains 0; the margin on reading is "
        f"{points(-report.margin)} points.",
        "",
    ]
    for name in figures:
        lines += [f"![{name}](figures/{name}.png)", ""]
    lines += ["## By condition", "", *_conditions(report)]
    if report.family("pairs"):
        lines += ["## Every pair", "", *_pairs(report)]
    return "\n".join(lines)
