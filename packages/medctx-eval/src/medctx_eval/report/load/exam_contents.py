"""Items and Books that were asked, as an exam leaves them beside its runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from medctx.io.jsonl import read_records
from medctx.schemas.records import Book, ExamItem
from medctx_eval.artifacts import run_folder
from medctx_eval.report.load.collect import ExaminedRun, RunSet


@dataclass(frozen=True)
class BookOutline:
    """A Book without its text, which may be long: its length in tokens and its passages."""

    tokens: int
    passages: tuple[str, ...]


def _file(run: ExaminedRun, name: str) -> Path | None:
    if run.folder is None or not run.manifest.exam_plan:
        return None
    file = run.folder.parent / run.manifest.exam_plan / name
    return file if file.is_file() else None


def items_of(run_set: RunSet) -> dict[str, ExamItem]:
    """The items by id, as far as they are stored beside the runs."""
    files = dict.fromkeys(file for run in run_set.runs if (file := _file(run, run_folder.ITEMS)))
    return {item.id: item for file in files for item in read_records(file, ExamItem)}


def _books(run: ExaminedRun) -> Iterator[Book]:
    file = _file(run, run_folder.BOOKS)
    return read_records(file, Book) if file else iter(())


def books_of(run: ExaminedRun, ids: Collection[str]) -> dict[str, Book]:
    """The Books of a run's exam plan with these ids."""
    return {book.id: book for book in _books(run) if book.id in ids}


def book_outlines(run: ExaminedRun) -> dict[str, BookOutline]:
    """Every Book of a run's exam plan, without its text."""
    return {book.id: BookOutline(book.tokens, book.passages) for book in _books(run)}
