"""The exam side of a contamination report: questions and Passages from files, as records or in the row schema.

The row schema: ``id``, ``question``, ``options`` (letter -> text), and where there is one ``context`` (the evidence
itself) or ``book_id``; Passages: ``book_id`` or ``id``, ``text``. Files in other formats and layouts are read as
``medctx-eval`` reads a user's own exam: columns are recognised, and a question without an id has the number of its
line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_rows
from medctx.schemas.contamination import ITEMS, PASSAGES
from medctx.tables import files
from medctx.tables.answers import AnswerError
from medctx.tables.cells import at
from medctx.tables.layouts import ChoiceLayout, detect_layout
from medctx.tables.opening import stem_of
from medctx.tables.options import options_in
from medctx.tables.unfolded import unfold

SPLITS = ("test", "validation", "train")
"""The splits of a JSON file with several, that which is read first."""
Row = dict[str, object]


class ExamQuestion(NamedTuple):
    """What is compared of an item.

    Attributes:
        exam: Its exam.
        item: Its id.
        question: Its question.
        options: The texts of its options.
        evidence: Ids of the Passages of its evidence.
        fact: The fact it asks for, if it has no evidence and its record names one; else ``""``.
    """

    exam: str
    item: str
    question: str
    options: tuple[str, ...]
    evidence: tuple[str, ...]
    fact: str = ""


class ExamPassage(NamedTuple):
    """A Passage and the items whose evidence it is."""

    exam: str
    passage: str
    text: str
    items: tuple[str, ...] = ()


class ExamTexts(NamedTuple):
    """All questions and Passages of one exam, with the digest of its files."""

    exam: str
    digest: str
    questions: tuple[ExamQuestion, ...]
    passages: tuple[ExamPassage, ...]


def _text(row: dict[str, object], *keys: str) -> str:
    return next((value for key in keys if isinstance(value := row.get(key), str) and value), "")


def _texts(row: dict[str, object], key: str) -> tuple[str, ...]:
    value = row.get(key)
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return tuple(text for text in values if isinstance(text, str))


def _numbered(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of a file in any format, with their line numbers."""
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        yield from read_rows(path)
        return
    for row in files.rows(path, SPLITS):
        if row.problem:
            raise MedctxError(f"{path}:{row.number} {row.problem}; mend or remove that line.")
        yield row.number, row.columns


def _follows_schema(row: Row) -> bool:
    """Whether a row is an item or a Passage as it is."""
    is_item = bool(_text(row, "id") and _text(row, "question")) and isinstance(row.get("options"), dict | list)
    return is_item or bool(_text(row, "text") and _text(row, "id", "book_id"))


def _in_schema(number: int, row: Row, layout: ChoiceLayout, place: str) -> Row:
    """A row of another layout in the row schema, as far as it is compared."""
    named = at(row, layout.id) if layout.id else None
    try:
        options = options_in(row, layout.options).texts
    except AnswerError as error:
        raise MedctxError(f"{place} {error}; mend or remove that line.") from None
    item: Row = {"id": str(number if named in (None, "") else named), "options": options}
    for part in ("question", "context", "book_id"):
        column = getattr(layout, part)
        value = at(row, column) if column else None
        item[part] = "\n".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return item


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of a file in the row schema, with their line numbers."""
    numbered = list(_numbered(path))
    first = [row for _, row in numbered[:1]]
    layout = None if not first or _follows_schema(first[0]) else detect_layout([row for _, row in numbered])
    if first and layout is None and not _follows_schema(first[0]):
        rows, why = unfold([row for _, row in numbered])
        layout = detect_layout(rows) if why else None
        if layout is not None:
            numbered = [(number, dict(row)) for (number, _), row in zip(numbered, rows, strict=True)]
    for number, row in numbered:
        yield number, row if layout is None else _in_schema(number, row, layout, f"{path}:{number}")


def _named(argument: str) -> tuple[str, Path]:
    """Split ``NAME=FILE``; the name of a file alone is ``""``."""
    name, separator, path = argument.partition("=")
    return (name, Path(path)) if separator and not Path(argument).exists() else ("", Path(argument))


def _question(exam: str, row: dict[str, object], place: str) -> tuple[ExamQuestion, ExamPassage | None]:
    item = _text(row, "id")
    if not item:
        raise MedctxError(f"{place} has a question but no id; overlaps name items by their id, so give it one.")
    context, book = _text(row, "context"), _text(row, "book_id")
    evidence = _texts(row, "evidence") or ((book,) if book else ())
    passage = None
    if context and not evidence:
        passage = ExamPassage(exam, f"{item}/context", context)
        evidence = (passage.passage,)
    fact = "" if evidence else _text(row, "cluster")
    return ExamQuestion(exam, item, _text(row, "question"), _texts(row, "options"), evidence, fact), passage


def _by_exam(
    questions: Iterable[ExamQuestion], passages: Iterable[ExamPassage], digests: dict[str, list[str]]
) -> tuple[ExamTexts, ...]:
    exam_questions: dict[str, list[ExamQuestion]] = {}
    for question in questions:
        exam_questions.setdefault(question.exam, []).append(question)
    exam_passages: dict[str, dict[str, ExamPassage]] = {}
    for passage in passages:
        exam_passages.setdefault(passage.exam, {})[passage.passage] = passage
    exams = []
    for exam in dict.fromkeys([*exam_questions, *exam_passages]):
        items: dict[str, list[str]] = {}
        for question in exam_questions.get(exam, []):
            for name in question.evidence:
                items.setdefault(name, []).append(question.item)
        with_items = tuple(
            passage._replace(items=tuple(items.get(passage.passage, ())))
            for passage in exam_passages.get(exam, {}).values()
        )
        exam_digest = digest.of_value(digests[exam])
        exams.append(ExamTexts(exam, exam_digest, tuple(exam_questions.get(exam, [])), with_items))
    return tuple(exams)


class _Collected:
    """Questions and Passages of the files read so far. Passages without an exam wait until all questions are known."""

    def __init__(self) -> None:
        self.questions: list[ExamQuestion] = []
        self.passages: list[ExamPassage] = []
        self.digests: dict[str, list[str]] = {}
        self._waiting: list[tuple[ExamPassage, Path, str]] = []

    def add(self, name: str, path: Path) -> None:
        """Read one file; ``name`` is its exam, ``""`` where its rows state it."""
        exams: set[str] = set()
        waiting: list[ExamPassage] = []
        empty = True
        for number, row in _rows(path):
            empty = False
            place = f"{path}:{number}"
            exam = name or _text(row, "exam")
            if _text(row, "question"):
                question, passage = _question(exam or stem_of(path), row, place)
                self.questions.append(question)
                self.passages += [passage] if passage else []
                exams.add(question.exam)
            elif _text(row, "text") and _text(row, "book_id", "id"):
                passage = ExamPassage(exam, _text(row, "book_id", "id"), _text(row, "text"))
                if exam:
                    self.passages.append(passage)
                    exams.add(exam)
                else:
                    waiting.append(passage)
            else:
                raise MedctxError(
                    f"{place} is neither an item (id and question) nor a Passage (id or book_id, and text); mend it."
                )
        if empty:
            raise MedctxError(f"{path} holds no rows; give a file with one item or Passage a line.")
        file_digest = digest.of_file(path)
        self._waiting += [(passage, path, file_digest) for passage in waiting]
        for exam in sorted(exams):
            self.digests.setdefault(exam, []).append(file_digest)

    def assign_waiting(self) -> None:
        """Give waiting Passages to the exams whose items name them, else to an exam named after their file."""
        exams: dict[str, list[str]] = {}
        for question in self.questions:
            for name in question.evidence:
                exams.setdefault(name, []).append(question.exam)
        for passage, path, file_digest in self._waiting:
            for exam in dict.fromkeys(exams.get(passage.passage, [stem_of(path)])):
                self.passages.append(passage._replace(exam=exam))
                known = self.digests.setdefault(exam, [])
                known += [file_digest] if file_digest not in known else []


def _files(name: str, path: Path) -> list[tuple[str, Path]]:
    """A file as it is; of a folder its items and Passages."""
    if not path.is_dir():
        return [(name, path)]
    if not (path / ITEMS).is_file():
        raise MedctxError(
            f"The folder {path} holds no {ITEMS}; give an exam-plan-... folder that medctx-eval run wrote, or a file."
        )
    return [(name, path / file) for file in (ITEMS, PASSAGES) if (path / file).is_file()]


def read_exams(arguments: Sequence[str]) -> tuple[ExamTexts, ...]:
    """Read exams from ``PATH`` or ``NAME=PATH`` arguments: files, or folders with ``ITEMS`` and ``PASSAGES``.

    Files of one NAME are one exam, whose Passages its items may name. Without a name an item belongs to the exam it
    states, else to one named after its file; a Passage to the exams whose items name it as evidence.

    Raises:
        MedctxError: A row is neither a question nor a Passage; the error names file and line.
    """
    collected = _Collected()
    for argument in arguments:
        for name, path in _files(*_named(argument)):
            collected.add(name, path)
    collected.assign_waiting()
    return _by_exam(collected.questions, collected.passages, collected.digests)
