"""An exam: its items, the Passages they may be read in, and its card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pydantic import Field

from medctx.io import digest
from medctx.io.jsonl import read_records
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage, Record


class Alteration(Record):
    """Evidence of one item so changed that ``gold`` is right: Passages that stand in for those of the same id."""

    item: str
    passages: tuple[Passage, ...] = Field(min_length=1)
    gold: tuple[str, ...] = Field(min_length=1)


class Omission(Record):
    """Evidence of one item without its answer: Passages that stand in for those of the same id under ``distractor``."""

    item: str
    passages: tuple[Passage, ...] = Field(min_length=1)


class Exam(Record):
    """Items and Passages of one exam, with the alterations and omissions of evidence that its builder wrote.

    Without an omission the evidence of an item is taken out under ``distractor``.
    """

    card: ExamCard
    items: tuple[ExamItem, ...]
    passages: tuple[Passage, ...] = ()
    alterations: tuple[Alteration, ...] = ()
    omissions: tuple[Omission, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Passage]:
        """Passages by id."""
        return {passage.id: passage for passage in self.passages}

    @cached_property
    def alteration(self) -> dict[str, Alteration]:
        """Alterations by the item they are of."""
        return {one.item: one for one in self.alterations}

    @cached_property
    def omission(self) -> dict[str, Omission]:
        """Omissions by the item they are of."""
        return {omission.item: omission for omission in self.omissions}


def seal(
    card: ExamCard,
    items: Sequence[ExamItem],
    passages: Sequence[Passage],
    alterations: Sequence[Alteration] = (),
    omissions: Sequence[Omission] = (),
) -> Exam:
    """Put an exam together and write its counts and digest into its card."""
    parts = [digest.of_records(part) for part in (items, passages, alterations)]
    parts += [digest.of_records(omissions)] if omissions else []
    sealed = card.model_copy(update={"items": len(items), "passages": len(passages), "digest": digest.of_value(parts)})
    return Exam(
        card=sealed,
        items=tuple(items),
        passages=tuple(passages),
        alterations=tuple(alterations),
        omissions=tuple(omissions),
    )


def read_items(path: Path) -> list[ExamItem]:
    """Items of a JSON-lines file in the ExamItem schema."""
    return list(read_records(path, ExamItem))
