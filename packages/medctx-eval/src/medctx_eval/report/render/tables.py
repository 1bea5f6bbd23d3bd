"""The main table, once for every place it is shown in."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from medctx.schemas.records import Record
from medctx.schemas.report import Cell
from medctx_eval.report.model import KNOWLEDGE, READING, Report
from medctx_eval.stats import FEW
from medctx_eval.stats.words import accuracy_interval, difference_interval, percent, points

FEW_MARK = "*"
DOUBT_MARK = "?"
DOUBT_NOTE = f"{DOUBT_MARK} not after Holm"
FEW_NOTE = f"{FEW_MARK} fewer than {FEW} clusters"
HEADER = ("cell", "knowledge %", "to base", "reading %", "to base", "readable %", "N")


class Row(Record):
    """One cell of the study as text; empty where a part was not asked."""

    cell: str
    knowledge: str
    knowledge_to_base: str
    reading: str
    reading_to_base: str
    validity: str
    n: str

    @property
    def values(self) -> tuple[str, ...]:
        """In the order of HEADER."""
        axes = (self.knowledge, self.knowledge_to_base, self.reading, self.reading_to_base)
        return (self.cell, *axes, self.validity, self.n)


def _accuracy(report: Report, cell: Cell, part: str) -> str:
    score = report.score(cell.name, part)
    if score is None:
        return ""
    warning = FEW_MARK if score.accuracy.few_clusters else ""
    return f"{percent(score.accuracy.value)} [{accuracy_interval(score.accuracy)}]{warning}"


def _to_base(report: Report, cell: Cell, part: str) -> str:
    if cell.base:
        return "base"
    comparison = report.gain(cell.name, part)
    if comparison is None:
        return ""
    word = {"gains": "gains", "loses": "loses", "ties with": "tie"}[comparison.word]
    found = comparison.difference
    doubt = DOUBT_MARK if comparison.doubtful else ""
    return f"{word} {points(found.value)}{doubt} [{difference_interval(found)}]"


def rows(report: Report) -> tuple[Row, ...]:
    """One row per cell: base first, then from general to medical."""
    found = []
    for cell in report.cells:
        scores = [score for part in (KNOWLEDGE, READING) if (score := report.score(cell.name, part))]
        found.append(
            Row(
                cell=cell.name,
                knowledge=_accuracy(report, cell, KNOWLEDGE),
                knowledge_to_base=_to_base(report, cell, KNOWLEDGE),
                reading=_accuracy(report, cell, READING),
                reading_to_base=_to_base(report, cell, READING),
                validity="/".join(percent(score.validity) for score in scores),
                n="/".join(str(score.n) for score in scores),
            )
        )
    return tuple(found)


def _notes(report: Report, found: Sequence[Row]) -> list[str]:
    """What is the same for every row, or explains a mark."""
    few = any(score.accuracy.few_clusters for score in report.scores if score.part in (KNOWLEDGE, READING))
    counts = {row.n for row in found}
    doubtful = any(one.doubtful for one in report.family("headline"))
    notes = [*([f"N {counts.pop()}"] if len(counts) == 1 else []), *([FEW_NOTE] if few else [])]
    return [*notes, *([DOUBT_NOTE] if doubtful else [])]


def main_table(report: Report) -> Table:
    """For the terminal, 80 columns wide as a rule; words, not colours, carry the meaning."""
    found = rows(report)
    notes = _notes(report, found)
    shown = HEADER if len({row.n for row in found}) > 1 else HEADER[:-1]
    table = Table(
        title=Text(report.title),
        caption=Text(", ".join(notes)) if notes else None,
        box=SIMPLE_HEAD,
        padding=0,
        show_edge=False,
        leading=1,
    )
    for number, name in enumerate(shown):
        table.add_column(name, justify="left" if number in (0, 2, 4) else "right", no_wrap=number == 0)
    for row in found:
        # Intervals on a line of their own fit 80 columns; rich reads plain strings as markup, Text as it is.
        lines = [value.replace(" [", "\n[").replace(" to ", ", ") for value in row.values[: len(shown)]]
        lines[5] = lines[5].replace(".0", "")
        table.add_row(*map(Text, lines))
    return table
