"""One question of a study's exam with the answers of a cell and of its base, for the cell's card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medctx.io.jsonl import read_records
from medctx.schemas.contamination import ITEMS
from medctx.schemas.exam_run import VERDICTS_FILE, ExamManifest
from medctx.schemas.records import ExamItem, Judged
from medctx.schemas.report import ReportCore

CLOSED = "closed"
"""The condition without a Book, under which a question can be shown whole."""


def _answers(folder: Path, mode: str) -> Iterator[Judged]:
    """Answers to questions in their first order of options, asked without a Book."""
    for judged in read_records(folder / VERDICTS_FILE, Judged):
        if judged.condition == CLOSED and judged.mode == mode and judged.order == 0:
            yield judged


def _answer(judged: Judged) -> str:
    return f"{', '.join(judged.chosen) or 'no option'} ({judged.verdict.value})"


def sample_question(report: ReportCore, manifest: ExamManifest, run: Path, base_run: Path | None) -> list[str]:
    """The first question that was asked without a Book, as Markdown lines; empty where none may be shown.

    Only questions that a program made are shown: published exams and files of one's own have other terms, and a
    question on a public page ends up in training data.

    Args:
        report: The report, whose mode scored the answers.
        manifest: The manifest of the cell's exam.
        run: The cell's run folder, beside the folder with the items.
        base_run: The run folder of its base, None if it was not examined.
    """
    items = run.parent / manifest.exam_plan / ITEMS
    cards = {exam.name: exam for exam in manifest.exams if exam.generated}
    if not (run / VERDICTS_FILE).is_file() or not items.is_file():
        return []
    shown = next((judged for judged in _answers(run, report.mode) if judged.exam in cards), None)
    item = next((item for item in read_records(items, ExamItem) if shown and item.id == shown.item), None)
    if shown is None or item is None:
        return []
    examined = base_run is not None and (base_run / VERDICTS_FILE).is_file()
    answers = _answers(base_run, report.mode) if base_run is not None and examined else ()
    of_base = next((judged for judged in answers if judged.item == item.id), None)
    base = f"; its base answered {_answer(of_base)}" if of_base else ""
    return [
        f"The first question of `{shown.exam}` that was asked ({cards[shown.exam].licence}); it was not selected:",
        "",
        f"> {item.question}",
        ">",
        *(f"> {letter}. {text}  " for letter, text in item.options.items()),
        "",
        f"The adapter answered {_answer(shown)}{base}. Right: {', '.join(shown.gold)}.",
    ]
