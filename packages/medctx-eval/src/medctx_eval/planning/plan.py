"""The exam plan: which Books stand before which items, for every model with the same tokenizer."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from pathlib import Path

from pydantic import Field

from medctx.io import digest
from medctx.io.jsonl import write_records
from medctx.schemas.contamination import PASSAGES
from medctx.schemas.exam_run import PlannedPart
from medctx.schemas.records import Axis, Book, ExamItem, Passage, Record
from medctx_eval.artifacts import run_folder
from medctx_eval.exams.condition import Condition
from medctx_eval.exams.exam import Exam


class PlannedItem(Record):
    """One item under one Condition, with the options and gold letters it has there.

    ``memory`` holds the gold letters before the evidence was altered.
    """

    item: ExamItem
    condition: Condition
    memory: tuple[str, ...] = ()

    @property
    def axis(self) -> Axis:
        """The axis of the Condition; abstention if a Book stands before a question that it does not answer."""
        unanswerable = self.condition.kind != "closed" and self.item.gold == (self.item.cannot,)
        return "abstention" if unanswerable else self.condition.axis


class BookBatch(Record):
    """One Book and the items asked about it; ``book`` is None if the evidence is longer than the Condition allows."""

    book: Book | None
    items: tuple[PlannedItem, ...]


class ExamPlan(Record):
    """Everything a model is asked.

    Attributes:
        exams: The exams, in the order of the config.
        batches: Books with their items, in the order they are asked.
        conditions: Names of the Conditions, each once.
        unalterable: By exam, how many items with evidence are left out of ``counterfactual``.
    """

    exams: tuple[Exam, ...]
    batches: tuple[BookBatch, ...]
    conditions: tuple[str, ...]
    unalterable: dict[str, int] = Field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Digest of all Books and items in their order."""
        return digest.of_records(self.batches)

    @cached_property
    def planned_items(self) -> list[PlannedItem]:
        """Every item under every Condition, in the order they are asked."""
        return [planned for batch in self.batches for planned in batch.items]

    @cached_property
    def books(self) -> dict[str, Book]:
        """Distinct Books by id, without the empty one."""
        return {batch.book.id: batch.book for batch in self.batches if batch.book and batch.book.tokens}

    @cached_property
    def items(self) -> dict[str, ExamItem]:
        """The items asked, by id, as their exams define them."""
        ids = {planned.item.id for planned in self.planned_items}
        return {item.id: item for exam in self.exams for item in exam.items if item.id in ids}

    @property
    def evidence(self) -> dict[str, Passage]:
        """The Passages that the items name as their evidence, by id."""
        return {
            name: exam.by_id[name]
            for exam in self.exams
            for item in exam.items
            if item.id in self.items
            for name in item.evidence
            if name in exam.by_id
        }


def parts_of(plan: ExamPlan) -> list[PlannedPart]:
    """The size of every Condition of every exam on each axis, in the order they are asked."""
    members: dict[tuple[str, str, Axis], list[tuple[PlannedItem, Book | None]]] = defaultdict(list)
    for batch in plan.batches:
        for planned in batch.items:
            condition = planned.condition.model_copy(update={"depth": None}).name
            members[planned.item.exam, condition, planned.axis].append((planned, batch.book))
    return [
        PlannedPart(
            exam=exam,
            condition=condition,
            axis=axis,
            items=len(several),
            untaught=sum(planned.item.tags.get("taught") == "no" for planned, _ in several),
            clusters=len({planned.item.cluster for planned, _ in several}),
            books=len({book.id for _, book in several if book is not None and book.tokens}),
        )
        for (exam, condition, axis), several in members.items()
    ]


def save_plan(plan: ExamPlan, out: Path) -> str:
    """Write items, evidence and Books beside the run folders; returns the name of their folder.

    The contamination check and the report's browser read these files.
    """
    name = f"exam-plan-{plan.digest[: digest.SHORT]}"
    folder = out / name
    if not (folder / run_folder.ITEMS).is_file():
        write_records(folder / run_folder.BOOKS, plan.books.values())
        write_records(folder / PASSAGES, plan.evidence.values())
        write_records(folder / run_folder.ITEMS, plan.items.values())
    return name
