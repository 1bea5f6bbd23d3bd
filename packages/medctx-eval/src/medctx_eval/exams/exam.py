"""An exam: its items, the Passages they may be read in, and its card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pydantic import Field

from medctx.io import digest
from medctx.io.jsonl import read_records
from medctx.schemas.records import Domain, ExamItem, Passage, Record


class ExamCard(Record):
    """Where an exam comes from and how it may be used. ``digest`` is of its items and Passages.

    ``revision`` is that of the published files it was built from ("" for generated exams and the user's own files);
    ``dropped`` counts the questions left out, by reason.
    """

    name: str
    source: str
    licence: str
    citation: str
    language: str = "en"
    domain: Domain = "medical"
    revision: str = ""
    generated: bool = False
    dropped: dict[str, int] = Field(default_factory=dict)
    items: int = 0
    passages: int = 0
    digest: str = ""


class Alteration(Record):
    """Evidence of one item so changed that ``gold`` is right: Passages that stand in for those of the same id."""

    item: str
    passages: tuple[Passage, ...] = Field(min_length=1)
    gold: tuple[str, ...] = Field(min_length=1)


class Exam(Record):
    """Items and Passages of one exam, and alterations of evidence that its builder wrote."""

    card: ExamCard
    items: tuple[ExamItem, ...]
    passages: tuple[Passage, ...] = ()
    alterations: tuple[Alteration, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Passage]:
        """Passages by id."""
        return {passage.id: passage for passage in self.passages}

    @cached_property
    def alteration(self) -> dict[str, Alteration]:
        """Alterations by the item they are of."""
        return {one.item: one for one in self.alterations}


def seal(
    card: ExamCard, items: Sequence[ExamItem], passages: Sequence[Passage], alterations: Sequence[Alteration] = ()
) -> Exam:
    """Put an exam together and write its counts and digest into its card."""
    contents = digest.of_value([digest.of_records(part) for part in (items, passages, alterations)])
    sealed = card.model_copy(update={"items": len(items), "passages": len(passages), "digest": contents})
    return Exam(card=sealed, items=tuple(items), passages=tuple(passages), alterations=tuple(alterations))


def read_items(path: Path) -> list[ExamItem]:
    """Items of a JSON-lines file in the ExamItem schema."""
    return list(read_records(path, ExamItem))
