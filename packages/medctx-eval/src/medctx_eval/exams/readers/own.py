"""Exams from files in the row schema (``medctx_eval.exams.schema``): the user's own, and textbooks' questions."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import Passage
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.readers import layouts, tables
from medctx_eval.exams.readers.entries import CONTEXT, EntryReader, ExamEntry, assemble
from medctx_eval.exams.schema import text_of

CARDS: dict[str, ExamCard] = {
    card.name: card
    for card in (
        ExamCard(
            name="openstax-anatomy",
            source="OpenStax Anatomy and Physiology 2e, end-of-chapter questions with their sections",
            licence="CC BY-NC-SA 4.0",
            citation="Betts et al., Anatomy and Physiology 2e, OpenStax 2022",
        ),
        ExamCard(
            name="openstax-psychology",
            source="OpenStax Psychology 2e, end-of-chapter questions with their sections",
            licence="CC BY-NC-SA 4.0",
            citation="Spielman et al., Psychology 2e, OpenStax 2020",
            domain="general",
        ),
        ExamCard(name="file", source="the user's own file", licence="as the rows say", citation=""),
    )
}


def read_passages(path: Path) -> list[Passage]:
    """Read a file of Passages with the columns ``book_id`` (or ``id``), ``text`` and ``title``."""
    passages: dict[str, Passage] = {}
    for number, row in tables.read_table(path):
        name, text = text_of(row, "book_id") or text_of(row, "id"), text_of(row, "text")
        if not name or not text:
            raise MedctxError(f"{path}:{number} is not a passage (it needs book_id and text); mend or remove the line.")
        if name in passages:
            raise MedctxError(f"{path}:{number} repeats the book_id {name!r}; give every passage its own.")
        passages[name] = Passage(id=name, text=text, title=text_of(row, "title"))
    return list(passages.values())


def read_entries(path: Path, exam: str, card: ExamCard) -> list[ExamEntry]:
    """Read the entries of a file; raises MedctxError at the first row that is not a question."""
    reader = EntryReader(exam, card)
    entries = []
    for number, row in layouts.read_questions(path):
        entry = reader.read(row)
        if isinstance(entry, list):
            place = f"{path}:{number} (item {text_of(row, 'id')!r})"
            raise MedctxError(f"{place} {entry[0].message}; 'medctx-eval exams check' lists all such rows.")
        entries.append(entry)
    if not entries:
        raise MedctxError(f"{path} holds no items; give a file with one item per line.")
    return entries


def _without_passages(entry: ExamEntry, exam: str, *, closed_only: bool) -> ExamEntry:
    """Drop evidence that is named by book_id, if the exam is asked closed only and has no passages file."""
    if not entry.item.evidence or entry.item.evidence[0].endswith(CONTEXT):
        return entry
    if not closed_only:
        raise MedctxError(
            f"The item {entry.item.id!r} of {exam} names the book_id {entry.item.evidence[0]!r} but there is no "
            "passages file; give passages=<file.jsonl>, or ask it closed only."
        )
    return ExamEntry(item=entry.item.model_copy(update={"evidence": ()}))


def build(
    exam: str, items: Path | None, passages: Path | None = None, *, closed_only: bool = False, name: str = ""
) -> Exam:
    """Build an exam from a user's files.

    Args:
        exam: Name of its card, a key of ``CARDS``.
        items: File of questions.
        passages: File of the Passages that the questions name by ``book_id``.
        closed_only: Whether the exam is asked without Books, so that named Passages need not exist.
        name: Name of the exam, ``""`` for that of the card.

    Returns:
        The exam.
    """
    if items is None:
        raise MedctxError(
            f"The exam {exam} is read from files that are not part of medctx; give items=<file.jsonl> (and "
            "passages=<file.jsonl> if it has documents)."
        )
    card = CARDS[exam].model_copy(update={"name": name} if name else {})
    exam = card.name
    entries = read_entries(items, exam, card)
    if passages is None:
        return assemble(card, [_without_passages(entry, exam, closed_only=closed_only) for entry in entries])
    documents = read_passages(passages)
    known = {passage.id for passage in documents} | {entry.passage.id for entry in entries if entry.passage}
    texts = {passage.id: passage.text for passage in documents}
    for entry in entries:
        if entry.alteration and texts.get(entry.alteration.passages[0].id) == entry.alteration.passages[0].text:
            raise MedctxError(
                f"The counterfactual of item {entry.item.id!r} in {items} is the passage it should alter; give the "
                "altered text."
            )
        missing = [name for name in entry.item.evidence if name not in known]
        if missing:
            raise MedctxError(
                f"The item {entry.item.id!r} of {items} names the book_id {missing[0]!r}, which {passages} does not "
                "contain; add it or correct the name."
            )
    return assemble(card, entries, documents)
