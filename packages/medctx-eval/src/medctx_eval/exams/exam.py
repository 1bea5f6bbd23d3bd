"""An exam: its items, the Passages they may be read in, and its card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from medctx import digest
from medctx.jsonl import read_records
from medctx.records import ExamItem, Passage, Record


class ExamCard(Record):
    """Where an exam comes from and how it may be used. ``digest`` is of its items and Passages."""

    name: str
    source: str
    licence: str
    citation: str
    generated: bool = False
    items: int = 0
    passages: int = 0
    digest: str = ""


class Exam(Record):
    """Items and Passages of one exam."""

    card: ExamCard
    items: tuple[ExamItem, ...]
    passages: tuple[Passage, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Passage]:
        """Passages by id."""
        return {passage.id: passage for passage in self.passages}


def seal(card: ExamCard, items: Sequence[ExamItem], passages: Sequence[Passage]) -> Exam:
    """Put an exam together and write its counts and digest into its card."""
    contents = digest.of_value([digest.of_records(items), digest.of_records(passages)])
    sealed = card.model_copy(update={"items": len(items), "passages": len(passages), "digest": contents})
    return Exam(card=sealed, items=tuple(items), passages=tuple(passages))


def read_items(path: Path) -> list[ExamItem]:
    """Items of a JSON-lines file in the ExamItem schema."""
    return list(read_records(path, ExamItem))
