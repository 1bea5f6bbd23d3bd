"""The main table of a report, used in the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from medctx.schemas.records import Record
from medctx.schemas.report import KNOWLEDGE, READING, Cell
from medctx.schemas.statistics import FEW_CLUSTERS, Outcome
from medctx.schemas.study_plan import PlanAxis
from medctx_eval.report.model import Report
from medctx_eval.stats.formatting import accuracy_interval, difference_interval, percent, points

FEW_MARK = "*"
HOLM_MARK = "?"
HOLM_NOTE = f"{HOLM_MARK} not after Holm"
FEW_NOTE = f"{FEW_MARK} fewer than {FEW_CLUSTERS} clusters"
FLOOR_HEADER = "question-blind %"
LEARNING_HEADER = "taught minus untaught, to base"
OUTCOME_LABELS: dict[Outcome, str] = {
    "gains": "gains",
    "loses": "loses",
    "equals": "=",
    "not told apart": "not told apart",
}


def header(report: Report) -> tuple[str, ...]:
    """The headings of the main table; the second says what the headline of knowledge is."""
    to_base = "to base" if report.measure(KNOWLEDGE) == KNOWLEDGE else LEARNING_HEADER
    floor = (FLOOR_HEADER,) if report.floor(READING) else ()
    return ("cell", "knowledge %", to_base, "reading %", *floor, "to base", "readable %", "N")


class MainTableRow(Record):
    """One cell as text; empty where a part was not asked. ``floor``: what a reader without the question scores."""

    cell: str
    knowledge: str
    knowledge_to_base: str
    reading: str
    floor: str = ""
    reading_to_base: str
    validity: str
    n: str

    @property
    def values(self) -> tuple[str, ...]:
        """The texts in the order of ``header``."""
        floor = (self.floor,) if self.floor else ()
        axes = (self.knowledge, self.knowledge_to_base, self.reading, *floor, self.reading_to_base)
        return (self.cell, *axes, self.validity, self.n)


def _accuracy(report: Report, cell: Cell, part: str) -> str:
    score = report.score(cell.name, part)
    if score is None:
        return ""
    mark = FEW_MARK if score.accuracy.few_clusters else ""
    return f"{percent(score.accuracy.value)} [{accuracy_interval(score.accuracy)}]{mark}"


def _to_base(report: Report, cell: Cell, axis: PlanAxis) -> str:
    if cell.base:
        return "base"
    comparison = report.axis_gain(cell.name, axis)
    if comparison is None:
        return ""
    difference = comparison.difference
    mark = HOLM_MARK if comparison.not_after_holm else ""
    label = OUTCOME_LABELS[comparison.outcome]
    return f"{label} {points(difference.value)}{mark} [{difference_interval(difference)}]"


def main_table_rows(report: Report) -> tuple[MainTableRow, ...]:
    """One row per cell: base first, then from general to medical."""
    table_rows = []
    floor = report.floor(READING)
    for cell in report.cells:
        scores = [score for part in (KNOWLEDGE, READING) if (score := report.score(cell.name, part))]
        table_rows.append(
            MainTableRow(
                cell=cell.name,
                knowledge=_accuracy(report, cell, KNOWLEDGE),
                knowledge_to_base=_to_base(report, cell, KNOWLEDGE),
                reading=_accuracy(report, cell, READING),
                floor=percent(floor.question_blind) if floor else "",
                reading_to_base=_to_base(report, cell, READING),
                validity="/".join(percent(score.validity) for score in scores),
                n="/".join(str(score.n) for score in scores),
            )
        )
    return tuple(table_rows)


def _notes(report: Report, table_rows: Sequence[MainTableRow]) -> list[str]:
    """What is the same for every row, and the meaning of marks."""
    few = any(score.accuracy.few_clusters for score in report.scores if score.part in (KNOWLEDGE, READING))
    counts = {row.n for row in table_rows}
    marked = any(comparison.not_after_holm for comparison in report.family("headline"))
    notes = [*([f"N {counts.pop()}"] if len(counts) == 1 else []), *([FEW_NOTE] if few else [])]
    floor = report.floor(READING)
    if floor:
        notes.append(f"a reader without the question reads {percent(floor.question_blind)} %")
    return [*notes, *([HOLM_NOTE] if marked else [])]


def main_table(report: Report) -> Table:
    """The table for the terminal, usually 80 columns wide; words, not colours, carry the meaning."""
    table_rows = [row.model_copy(update={"floor": ""}) for row in main_table_rows(report)]
    notes = _notes(report, table_rows)
    headings = [heading for heading in header(report) if heading != FLOOR_HEADER]
    shown = headings if len({row.n for row in table_rows}) > 1 else headings[:-1]
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
    for row in table_rows:
        # Intervals on lines of their own fit 80 columns. Rich reads strings as markup but not Text.
        lines = [value.replace(" [", "\n[").replace(" to ", ", ") for value in row.values[: len(shown)]]
        lines[2], lines[4] = (line.replace("not told apart ", "not told apart\n") for line in (lines[2], lines[4]))
        lines[5] = lines[5].replace(".0", "")
        table.add_row(*map(Text, lines))
    return table
