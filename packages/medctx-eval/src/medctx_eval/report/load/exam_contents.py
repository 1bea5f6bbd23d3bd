"""Items and Books that were asked, as an exam leaves them beside its runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from medctx.io.jsonl import read_records
from medctx.schemas.records import Book, ExamItem
from medctx_eval.artifacts import run_folder
from medctx_eval.exams.condition import parse
from medctx_eval.exams.counterfactual import offer_cannot
from medctx_eval.exams.floors import ConditionedItem, book_blind, question_blind
from medctx_eval.report.load.collect import ExaminedRun, RunSet
from medctx_eval.report.load.verdict_matrix import VerdictMatrix


@dataclass(frozen=True)
class BookOutline:
    """A Book without its text, which may be long: its length in tokens and its passages."""

    tokens: int
    passages: tuple[str, ...]


class BlindChances(NamedTuple):
    """Chances, in [0, 1], that a reader without the question or without the Book is right on an item."""

    question: float
    book: float


PlannedKey = tuple[str, str]
"""Item and condition."""


@dataclass(frozen=True)
class ExamContents:
    """What was asked, as far as it is stored beside the runs.

    Attributes:
        items: Items by id.
        books: Books by id, without their texts.
        blind: Chances of readers that leave something out, by item and condition.
    """

    items: Mapping[str, ExamItem] = field(default_factory=dict)
    books: Mapping[str, BookOutline] = field(default_factory=dict)
    blind: Mapping[PlannedKey, BlindChances] = field(default_factory=dict)


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


def offered(item: ExamItem, condition: str) -> ExamItem:
    """The item with the options it has under a condition."""
    return offer_cannot(item) if parse(condition).kind == "distractor" else item


def _questions_by_book(
    matrix: VerdictMatrix, items: Mapping[str, ExamItem]
) -> dict[str, list[tuple[PlannedKey, tuple[str, ...]]]]:
    """Items, conditions and right letters of the planned items, by the id of their Book."""
    questions: defaultdict[str, list[tuple[PlannedKey, tuple[str, ...]]]] = defaultdict(list)
    for question in matrix.starts.tolist():
        item = matrix.items[matrix.item[question]]
        if item in items:
            key = (item, matrix.conditions[matrix.condition[question]])
            gold = matrix.answers[matrix.gold[question]]
            questions[matrix.books[matrix.book[question]]].append((key, gold))
    return questions


def _chances(item: ExamItem, condition: str, gold: tuple[str, ...], text: str) -> BlindChances:
    asked_item = offered(item, condition)
    conditioned = ConditionedItem(item.exam, condition, asked_item.options, gold, text, asked_item.cannot)
    return BlindChances(question_blind(conditioned), book_blind(conditioned))


def read_contents(run_set: RunSet) -> ExamContents:
    """Items, outlines of Books, and the chances of blind readers; every Book is read once and not kept."""
    items, run = items_of(run_set), run_set.runs[0]
    by_book = _questions_by_book(next(iter(run_set.modes.values())), items)
    books: dict[str, BookOutline] = {}
    blind: dict[PlannedKey, BlindChances] = {}

    def add(book: str, text: str) -> None:
        for (name, condition), gold in by_book.get(book, ()):
            blind[name, condition] = _chances(items[name], condition, gold, text)

    add("", "")
    for book in _books(run):
        books[book.id] = BookOutline(book.tokens, book.passages)
        add(book.id, book.text)
    return ExamContents(items, books, blind)
