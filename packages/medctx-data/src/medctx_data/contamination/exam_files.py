"""The exam side of a ledger: questions and Passages from files, as ExamItem and Passage records or in the row schema.

The row schema: ``id``, ``question``, ``options`` (letter -> text), and where there is one ``context`` (the evidence
itself) or ``book_id``; Passages: ``book_id`` or ``id``, ``text``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_rows
from medctx.schemas.contamination import ITEMS, PASSAGES


class Question(NamedTuple):
    """An item as far as it can be found again: its question, its options' texts, the Passages of its evidence.

    ``fact``: what it is about, where it is asked without evidence and its record says so.
    """

    exam: str
    item: str
    question: str
    options: tuple[str, ...]
    evidence: tuple[str, ...]
    fact: str = ""


class Page(NamedTuple):
    """A Passage and the items whose evidence it is."""

    exam: str
    passage: str
    text: str
    items: tuple[str, ...] = ()


class ExamTexts(NamedTuple):
    """Everything of one exam."""

    exam: str
    digest: str
    questions: tuple[Question, ...]
    pages: tuple[Page, ...]


def _text(row: dict[str, object], *keys: str) -> str:
    return next((value for key in keys if isinstance(value := row.get(key), str) and value), "")


def _texts(row: dict[str, object], key: str) -> tuple[str, ...]:
    value = row.get(key)
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return tuple(one for one in values if isinstance(one, str))


def _named(argument: str) -> tuple[str, Path]:
    """``NAME=FILE``, or a file alone."""
    name, found, path = argument.partition("=")
    return (name, Path(path)) if found and not Path(argument).exists() else ("", Path(argument))


def _question(exam: str, row: dict[str, object], place: str) -> tuple[Question, Page | None]:
    item = _text(row, "id")
    if not item:
        raise MedctxError(f"{place} has a question but no id; a ledger names items by their id, so give it one.")
    context, book = _text(row, "context"), _text(row, "book_id")
    evidence = _texts(row, "evidence") or ((book,) if book else ())
    page = None
    if context and not evidence:
        page = Page(exam, f"{item}/context", context)
        evidence = (page.passage,)
    fact = "" if evidence else _text(row, "cluster")
    return Question(exam, item, _text(row, "question"), _texts(row, "options"), evidence, fact), page


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".jsonl")


def _grouped(
    questions: Iterable[Question], pages: Iterable[Page], digests: dict[str, list[str]]
) -> tuple[ExamTexts, ...]:
    asked: dict[str, list[Question]] = {}
    for question in questions:
        asked.setdefault(question.exam, []).append(question)
    shown: dict[str, dict[str, Page]] = {}
    for page in pages:
        shown.setdefault(page.exam, {})[page.passage] = page
    found = []
    for exam in dict.fromkeys([*asked, *shown]):
        own = asked.get(exam, [])
        items: dict[str, list[str]] = {}
        for question in own:
            for passage in question.evidence:
                items.setdefault(passage, []).append(question.item)
        books = tuple(page._replace(items=tuple(items.get(page.passage, ()))) for page in shown.get(exam, {}).values())
        found.append(ExamTexts(exam, digest.of_value(digests[exam]), tuple(own), books))
    return tuple(found)


class _Read:
    """What files gave so far. Pages without an exam wait until it is known whose evidence they are."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.pages: list[Page] = []
        self.digests: dict[str, list[str]] = {}
        self._waiting: list[tuple[Page, Path, str]] = []

    def take(self, name: str, path: Path) -> None:
        """Read one file; ``name`` is the exam it belongs to, "" where its rows say."""
        named: set[str] = set()
        waiting: list[Page] = []
        empty = True
        for number, row in read_rows(path):
            empty = False
            place = f"{path}:{number}"
            exam = name or _text(row, "exam")
            if _text(row, "question"):
                question, page = _question(exam or _stem(path), row, place)
                self.questions.append(question)
                self.pages += [page] if page else []
                named.add(question.exam)
            elif _text(row, "text") and _text(row, "book_id", "id"):
                page = Page(exam, _text(row, "book_id", "id"), _text(row, "text"))
                if exam:
                    self.pages.append(page)
                    named.add(exam)
                else:
                    waiting.append(page)
            else:
                raise MedctxError(
                    f"{place} is neither an item (id and question) nor a Passage (id or book_id, and text); mend it."
                )
        if empty:
            raise MedctxError(f"{path} holds no rows; give a file with one item or Passage a line.")
        own = digest.of_file(path)
        self._waiting += [(page, path, own) for page in waiting]
        for exam in sorted(named):
            self.digests.setdefault(exam, []).append(own)

    def settle(self) -> None:
        """Give waiting pages to the exams whose items name them; to one of their own where none does."""
        exams: dict[str, list[str]] = {}
        for question in self.questions:
            for passage in question.evidence:
                exams.setdefault(passage, []).append(question.exam)
        for page, path, own in self._waiting:
            for exam in dict.fromkeys(exams.get(page.passage, [_stem(path)])):
                self.pages.append(page._replace(exam=exam))
                known = self.digests.setdefault(exam, [])
                known += [own] if own not in known else []


def _files(name: str, path: Path) -> list[tuple[str, Path]]:
    """A file as it is; of a folder its items and Passages."""
    if not path.is_dir():
        return [(name, path)]
    if not (path / ITEMS).is_file():
        raise MedctxError(
            f"The folder {path} holds no {ITEMS}; give a exam-plan-... folder that an exam left, or a file."
        )
    return [(name, path / file) for file in (ITEMS, PASSAGES) if (path / file).is_file()]


def read_exams(arguments: Sequence[str]) -> tuple[ExamTexts, ...]:
    """Read ``PATH`` or ``NAME=PATH`` arguments: files, or folders with :data:`ITEMS` and :data:`PASSAGES`.

    Files of one NAME are one exam, whose Passages its items may name. Without a name an item belongs to the exam it
    says, else to one called as its file; a Passage to the exams whose items name it as evidence. Raises MedctxError
    with file:line at a row that is neither a question nor a Passage.
    """
    found = _Read()
    for argument in arguments:
        for name, path in _files(*_named(argument)):
            found.take(name, path)
    found.settle()
    return _grouped(found.questions, found.pages, found.digests)
