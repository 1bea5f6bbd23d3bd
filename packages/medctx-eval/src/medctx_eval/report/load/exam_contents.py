"""What an exam leaves beside its runs: the items and Books that were asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from medctx.io.jsonl import read_records
from medctx.schemas.records import Book, ExamItem
from medctx_eval.artifacts import run_folder
from medctx_eval.report.load.collect import Collected, Run


@dataclass(frozen=True)
class BookFacts:
    """A Book's length in tokens and its Passages; its text may be long and is not kept."""

    tokens: int
    passages: tuple[str, ...]


def _file(run: Run, name: str) -> Path | None:
    if run.folder is None or not run.manifest.exam_plan:
        return None
    file = run.folder.parent / run.manifest.exam_plan / name
    return file if file.is_file() else None


def items_of(collected: Collected) -> dict[str, ExamItem]:
    """The items asked by id, as far as they lie beside the runs."""
    files = dict.fromkeys(file for run in collected.runs if (file := _file(run, run_folder.ITEMS)))
    return {item.id: item for file in files for item in read_records(file, ExamItem)}


def _books(run: Run) -> Iterator[Book]:
    file = _file(run, run_folder.BOOKS)
    return read_records(file, Book) if file else iter(())


def books_of(run: Run, wanted: Collection[str]) -> dict[str, Book]:
    """The wanted Books of a run's paper."""
    return {book.id: book for book in _books(run) if book.id in wanted}


def book_facts(run: Run) -> dict[str, BookFacts]:
    """Every Book of a run's paper, without its text."""
    return {book.id: BookFacts(book.tokens, book.passages) for book in _books(run)}
