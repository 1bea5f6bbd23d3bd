"""What a model is asked while it is trained: a small fixed set of items on both axes, each with its Book.

A probe file holds one :class:`ProbeItem` a line; ``medctx-eval exams probe`` writes one from any exam. It must not hold
items of the exam that judges the trained model, where training is stopped or a checkpoint chosen by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_records
from medctx.schemas.records import Book, ExamItem, Record

ProbeAxis = Literal["knowledge", "reading", "faithfulness"]
"""Asked without a Book; with its evidence; with evidence altered so that another option is right."""


class ProbeItem(Record):
    """An item as it is asked: its ``gold`` is what is right with this Book."""

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


def read_probe(path: Path) -> list[ProbeItem]:
    """The items of a probe file, of which there must be one."""
    found = list(read_records(path, ProbeItem))
    if not found:
        raise MedctxError(f"The probe file {path} holds no items; write one with medctx-eval exams probe.")
    return found


def probe_digest(items: list[ProbeItem]) -> str:
    """The digest of a probe's items in their order."""
    return digest.of_value([one.model_dump(mode="json") for one in items])
