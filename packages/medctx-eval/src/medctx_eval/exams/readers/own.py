"""Exams read from files in the row schema (``medctx_eval.exams.schema``): one's own, and textbooks' questions."""

from __future__ import annotations

from pathlib import Path

from medctx.errors import MedctxError
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import Passage
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.readers import tables
from medctx_eval.exams.readers.entries import CONTEXT, Entry, EntryReader, assemble
from medctx_eval.exams.schema import text_of
from medctx_eval.run.config import ExamConfig

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
        ExamCard(name="file", source="a file of the user's", licence="as the rows say", citation=""),
    )
}


def read_passages(path: Path) -> list[Passage]:
    """The Passages of a file with ``book_id`` (or ``id``), ``text`` and ``title``."""
    passages: dict[str, Passage] = {}
    for number, row in tables.read(path):
        name, text = text_of(row, "book_id") or text_of(row, "id"), text_of(row, "text")
        if not name or not text:
            raise MedctxError(f"{path}:{number} is no passage (book_id and text are needed); mend or remove that line.")
        if name in passages:
            raise MedctxError(
                f"{path}:{number} names the passage {name!r} again; give every passage a name of its own."
            )
        passages[name] = Passage(id=name, text=text, title=text_of(row, "title"))
    return list(passages.values())


def read_entries(path: Path, exam: str, card: ExamCard) -> list[Entry]:
    """The entries of a file; raises MedctxError at the first row that is no question."""
    reader = EntryReader(exam, card)
    entries = []
    for number, row in tables.read(path):
        entry = reader.read(row)
        if isinstance(entry, list):
            where = f"{path}:{number} (item {text_of(row, 'id')!r})"
            raise MedctxError(f"{where} {entry[0].words}; 'medctx-eval exams check' lists all such rows.")
        entries.append(entry)
    if not entries:
        raise MedctxError(f"{path} holds no items; give a file with one item a line.")
    return entries


def _by_itself(entry: Entry, config: ExamConfig) -> Entry:
    """An entry without evidence that lies in a file which was not given."""
    if not entry.item.evidence or entry.item.evidence[0].endswith(CONTEXT):
        return entry
    if set(config.conditions) - {"closed"}:
        raise MedctxError(
            f"The item {entry.item.id!r} of {config.exam} names the book_id {entry.item.evidence[0]!r} but there is no "
            "passages file; give passages=<file.jsonl>, or ask it closed only."
        )
    return Entry(item=entry.item.model_copy(update={"evidence": ()}))


def build(config: ExamConfig) -> Exam:
    """Read items and passages from ``items`` (or ``path``) and ``passages``."""
    path = config.items or config.path
    if path is None:
        raise MedctxError(
            f"The exam {config.exam} is read from files that are not part of medctx; give items=<file.jsonl> (and "
            "passages=<file.jsonl> where it has documents)."
        )
    entries = read_entries(path, config.exam, CARDS[config.exam])
    if config.passages is None:
        return assemble(CARDS[config.exam], [_by_itself(entry, config) for entry in entries])
    passages = read_passages(config.passages)
    known = {passage.id for passage in passages} | {entry.passage.id for entry in entries if entry.passage}
    for entry in entries:
        missing = [name for name in entry.item.evidence if name not in known]
        if missing:
            raise MedctxError(
                f"The item {entry.item.id!r} of {path} names the book_id {missing[0]!r}, which {config.passages} does "
                "not hold; add it or correct the name."
            )
    return assemble(CARDS[config.exam], entries, passages)
