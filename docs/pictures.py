"""Draws the pictures of the concept pages into ``docs/img``: ``python docs/pictures.py`` (half a minute).

Every picture is drawn from what the code does or from a committed result: Books of the exam ``needle``, verdicts of the
built-in models, ``calibration/reading.json``, and the table of ``results/quick-wide.md``.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from medctx.facts.curriculum import CurriculumConfig
from medctx.io.jsonl import write_text
from medctx.plotting import BLUE, FAINT, GREEN, INK, VERMILLION, look, settle
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.planning.build import build_plan
from medctx_eval.planning.plan import BookBatch
from medctx_eval.prompting.tokenizers import ByteTokenizer

DOCS = Path(__file__).parent
IMAGES = DOCS / "img"
CONDITIONS = ("closed", "gold", "open:4096", "distractor:4096", "counterfactual")
MARGIN = 5.0
"""Points; the default of ``medctx-eval report``."""
GREY, PALE = "#c9cdd3", "#9fc9e6"
ITEM = "needle/1"
INTERVAL = re.compile(r"([+\N{MINUS SIGN}]?[\d.]+) \[([+\N{MINUS SIGN}]?[\d.]+), ([+\N{MINUS SIGN}]?[\d.]+)\]")


def _batches_of_one_item() -> Iterator[tuple[str, BookBatch]]:
    """One item's Book under every condition."""
    config = ExamConfig(exam="needle", conditions=CONDITIONS, limit=8)
    exam = registry.build_exam(config, CurriculumConfig(), 0)
    plan = build_plan([config], [exam], ByteTokenizer(), seed=0)
    for name in CONDITIONS:
        yield (
            name,
            next(
                batch
                for batch in plan.batches
                for planned in batch.items
                if planned.condition.name.startswith(name) and planned.item.id == ITEM
            ),
        )


def _colour(condition: str, passage: str, batch: BookBatch) -> str:
    """The colour of a Passage: what it is to the second item of the exam."""
    second, *others = sorted(batch.items, key=lambda planned: planned.item.id != ITEM)
    if passage in second.item.evidence and not condition.startswith("distractor"):
        return VERMILLION if condition == "counterfactual" else BLUE
    return PALE if any(passage in planned.item.evidence for planned in others) else GREY


def conditions() -> Figure:
    """The Book of one item under each condition, Passage by Passage."""
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    axes = figure.add_subplot()
    for row, (name, batch) in enumerate(_batches_of_one_item()):
        book = batch.book
        if book is None or not book.passages:
            axes.text(12, row, "no Book", va="center", color=FAINT, fontsize=9)
            continue
        start = 0
        lengths = [len(text) for text in book.text.split("\n\n")]
        for passage, length in zip(book.passages, lengths, strict=True):
            axes.barh(row, length, left=start, height=0.6, color=_colour(name, passage, batch), edgecolor="white")
            start += length + 2
    axes.set_yticks(range(len(CONDITIONS)), labels=CONDITIONS)
    axes.set_ylim(len(CONDITIONS) - 0.5, -0.5)
    axes.set_xlabel("characters of the Book")
    labels = {BLUE: "evidence", VERMILLION: "altered evidence", PALE: "evidence of other questions", GREY: "distractor"}
    handles = [Patch(color=colour, label=label) for colour, label in labels.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def verdicts() -> Figure:
    """What the built-in models answered, from a run of the demo."""
    from medctx_eval import ReportConfig, examine, write_report
    from medctx_eval.demo.server import DemoConfig, serve_models
    from medctx_eval.report.render.figures.bars import verdicts as draw

    with tempfile.TemporaryDirectory() as scratch, serve_models(DemoConfig(orders=1)) as config:
        folders = examine(config.model_copy(update={"modes": ()}), Path(scratch) / "runs")
        report = write_report(folders, Path(scratch) / "report", ReportConfig(base="oracle", draws=200))
        return next(iter(draw(report))).figure


def floors() -> Figure:
    """The untouched base on records-reading by length, beside readers that leave the question or the Book out."""
    result = json.loads((DOCS / "calibration" / "reading.json").read_text(encoding="utf-8"))
    rows = [
        row
        for row in result["rows"]
        if row["exam"] == "records-reading" and row["part"] == "all" and row["condition"].startswith("open:")
    ]
    figure = Figure(figsize=(5.6, 3.0), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(rows))
    values = [100 * row["accuracy"] for row in rows]
    reach = [
        [100 * (row["accuracy"] - row["low"]) for row in rows],
        [100 * (row["high"] - row["accuracy"]) for row in rows],
    ]
    axes.errorbar(places, values, yerr=reach, fmt="o-", color=BLUE, capsize=3, label="untouched base")
    axes.plot(
        places, [100 * row["question_blind"] for row in rows], "s--", color=VERMILLION, label="without the question"
    )
    axes.plot(places, [100 * row["book_blind"] for row in rows], "^:", color=GREEN, label="without the Book")
    for place, value in zip(places, values, strict=True):
        axes.annotate(f"{value:.0f}", (place, value), textcoords="offset points", xytext=(8, 4), fontsize=9)
    axes.set_xticks(places, labels=[f"{row['condition'].partition(':')[2]} tokens" for row in rows])
    axes.set_xlim(-0.3, len(rows) - 0.7)
    axes.set_ylim(0, 100)
    axes.set_ylabel("correct, %")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _differences() -> Iterator[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    """Cell, and its differences to base with intervals on knowledge and reading, from the table of quick-wide."""
    for line in (DOCS / "results" / "quick-wide.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.match(r"\d+:\d+$", cells[0]):
            pairs = [INTERVAL.search(cells[place]) for place in (2, 4)]
            if all(pairs):
                numbers = [
                    tuple(float(text.replace("\N{MINUS SIGN}", "-")) for text in pair.groups())
                    for pair in pairs
                    if pair
                ]
                yield cells[0], numbers[0], numbers[1]


def gate() -> Figure:
    """The cells of quick-wide at their differences to base; the gate asks for an interval inside the shaded quarter."""
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.axhspan(-MARGIN, 40, xmin=0, color="#e8f3ee", zorder=0)
    axes.axvspan(-5, 0, color="white", zorder=1)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=2)
    axes.axhline(-MARGIN, color=INK, linewidth=0.8, linestyle=":", zorder=2)
    for number, (cell, knowledge, reading) in enumerate(_differences()):
        passes = knowledge[1] > 0 and reading[1] > -MARGIN
        colour = GREEN if passes else VERMILLION
        axes.errorbar(
            knowledge[0], reading[0], color=colour, fmt="o" if passes else "X", capsize=2, linewidth=1, zorder=3,
            xerr=[[knowledge[0] - knowledge[1]], [knowledge[2] - knowledge[0]]],
            yerr=[[reading[0] - reading[1]], [reading[2] - reading[0]]],
        )  # fmt: skip
        aside = ((-24, 6), (6, -14), (6, 6))[number % 3]  # neighbours are close together
        axes.annotate(cell, (knowledge[0], reading[0]), textcoords="offset points", xytext=aside, fontsize=9, zorder=4)
    axes.set_xlim(-5, 42)
    axes.set_ylim(-22, 28)
    axes.text(41.5, -MARGIN + 0.5, "margin", ha="right", fontsize=8, color=FAINT)
    axes.set_xlabel("knowledge, points to base")
    axes.set_ylabel("reading, points to base")
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "conditions": conditions,
    "verdicts": verdicts,
    "floors": floors,
    "gate": gate,
}


def svg(draw: Callable[[], Figure]) -> str:
    """A picture as SVG with its text as text."""
    vector = io.StringIO()
    with look():
        figure = draw()
        FigureCanvasAgg(figure)
        settle(figure)
        figure.savefig(vector, format="svg", facecolor="white", metadata={"Date": None, "Creator": "medctx"})
    return vector.getvalue()


def main() -> None:
    """Draw every picture, or those that are named."""
    for name in sys.argv[1:] or PICTURES:
        write_text(IMAGES / f"{name}.svg", svg(PICTURES[name]))
        sys.stdout.write(f"{IMAGES / name}.svg\n")


if __name__ == "__main__":
    main()
