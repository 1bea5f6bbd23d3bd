"""Exams read from local files: one's own, and published ones whose files the user has.

The row schema: ``id``, ``question``, ``options`` (letter -> text), ``answer`` (a letter or several), and where there is
one ``context`` (the evidence itself) or ``book_id`` (a row of the passages file, with ``text`` and ``title``),
``source``, ``licence``, ``lang``, ``subject``.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.jsonl import describe, read_rows
from medctx.records import ExamItem, Passage
from medctx_eval.config import ExamConfig
from medctx_eval.exams.exam import Exam, ExamCard, seal

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
        ),
        ExamCard(
            name="pubmedqa",
            source="PubMedQA PQA-L",
            licence="MIT",
            citation="Jin et al., PubMedQA, EMNLP 2019",
        ),
        ExamCard(name="medqa", source="MedQA (USMLE)", licence="MIT", citation="Jin et al., Applied Sciences 2021"),
        ExamCard(name="medmcqa", source="MedMCQA", licence="MIT", citation="Pal et al., CHIL 2022"),
        ExamCard(name="mmlu-medical", source="MMLU", licence="MIT", citation="Hendrycks et al., ICLR 2021"),
        ExamCard(name="file", source="a file of the user's", licence="as the rows say", citation=""),
    )
}
SHUFFLE = "medctx-files"


def _text(row: dict[str, object], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""


def _item(exam: str, path: Path, number: int, row: dict[str, object]) -> tuple[ExamItem, Passage | None]:
    answer = row.get("answer")
    if not answer or not isinstance(answer, str):
        raise MedctxError(
            f"{path}:{number} (item {row.get('id')!r}) has no gold: 'answer' is {answer!r}; give the letter of the "
            "right option or remove the line."
        )
    book = _text(row, "book_id")
    passage = None
    if not book and _text(row, "context"):
        book = f"{row.get('id')}/context"
        passage = Passage(id=book, text=_text(row, "context"))
    try:
        item = ExamItem.model_validate(
            {
                "id": row.get("id"),
                "exam": exam,
                "question": row.get("question"),
                "options": row.get("options"),
                "gold": tuple(answer),
                "evidence": (book,) if book else (),
                "cluster": book or row.get("id"),
                "language": _text(row, "lang") or "en",
                "source": _text(row, "source"),
                "licence": _text(row, "licence"),
                "tags": {"subject": _text(row, "subject")} if _text(row, "subject") else {},
            }
        )
    except ValidationError as error:
        raise MedctxError(f"{path}:{number} is no exam item ({describe(error)}); mend or remove that line.") from None
    return item, passage


def _books(path: Path) -> list[Passage]:
    passages = []
    for number, row in read_rows(path):
        name, text = _text(row, "book_id") or _text(row, "id"), _text(row, "text")
        if not name or not text:
            raise MedctxError(f"{path}:{number} is no passage (book_id and text are needed); mend or remove that line.")
        passages.append(Passage(id=name, text=text, title=_text(row, "title")))
    return passages


def build(config: ExamConfig) -> Exam:
    """Read items (and passages); documents are put in one fixed shuffled order, so that a limit is a fair sample."""
    if config.items is None:
        raise MedctxError(
            f"The exam {config.exam} is read from files that are not part of medctx; give items=<file.jsonl> (and "
            "passages=<file.jsonl> where it has documents)."
        )
    passages = _books(config.passages) if config.passages else []
    items = []
    for number, row in read_rows(config.items):
        item, passage = _item(config.exam, config.items, number, row)
        items.append(item)
        if passage:
            passages.append(passage)
    if not items:
        raise MedctxError(f"{config.items} holds no items; give a file with one item a line.")
    groups: dict[str, list[ExamItem]] = {}
    for item in items:
        groups.setdefault(item.cluster, []).append(item)
    order = sorted(groups)
    Random(SHUFFLE).shuffle(order)
    return seal(CARDS[config.exam], [item for name in order for item in groups[name]], passages)
