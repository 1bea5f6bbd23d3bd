"""An exam: its items, the Passages they may be read in, and its card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from pydantic import Field

from medctx.io import digest
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage, Record


class Alteration(Record):
    """Altered evidence of one item that makes ``gold`` right; ``passages`` replace those of the same id."""

    item: str
    passages: tuple[Passage, ...] = Field(min_length=1)
    gold: tuple[str, ...] = Field(min_length=1)


class Omission(Record):
    """Evidence of one item without its answer; under ``distractor``, ``passages`` replace those of the same id."""

    item: str
    passages: tuple[Passage, ...] = Field(min_length=1)


class Exam(Record):
    """The items and Passages of one exam, with the alterations and omissions of evidence that come with it.

    Under ``distractor``, the evidence of an item without an omission is removed.
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
    def alteration_of(self) -> dict[str, Alteration]:
        """Alterations by the id of their item."""
        return {alteration.item: alteration for alteration in self.alterations}

    @cached_property
    def omission_of(self) -> dict[str, Omission]:
        """Omissions by the id of their item."""
        return {omission.item: omission for omission in self.omissions}


def seal_exam(
    card: ExamCard,
    items: Sequence[ExamItem],
    passages: Sequence[Passage],
    alterations: Sequence[Alteration] = (),
    omissions: Sequence[Omission] = (),
) -> Exam:
    """Make an exam, with its counts and its digest written into the card."""
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
