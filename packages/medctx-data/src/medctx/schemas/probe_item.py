"""Items of a probe: a small fixed set of exam items that a model answers while it is trained, each with its Book.

A probe file holds one ``ProbeItem`` per line; ``medctx-eval exams probe`` writes one from any exam. If training is
stopped or a checkpoint chosen by the probe, it must not hold items of the exam that judges the trained model.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from medctx.schemas.records import Book, ExamItem, Record

ProbeAxis = Literal["knowledge", "reading", "faithfulness"]
"""Knowledge: without a Book; reading: with the evidence; faithfulness: with altered evidence."""


class ProbeItem(Record):
    """An item with its Book; its ``gold`` is right under this Book."""

    axis: ProbeAxis
    item: ExamItem
    book: Book

    @model_validator(mode="after")
    def _can_be_probed(self) -> Self:
        if self.item.multiple:
            raise ValueError(f"item {self.item.id!r} lets several options be right, which a probe does not ask")
        if (self.axis == "knowledge") == bool(self.book.text):
            wants = "no Book" if self.axis == "knowledge" else "a Book"
            raise ValueError(f"item {self.item.id!r} of the axis {self.axis} needs {wants}")
        return self
