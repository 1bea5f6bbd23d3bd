"""Items of an exam as a probe that training asks: closed, with their evidence, and with their evidence altered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medctx.schemas.probe_item import ProbeItem
from medctx.text.book import TokenCount
from medctx_eval.exams.condition import Condition
from medctx_eval.exams.exam import Exam
from medctx_eval.planning.batches import batches


def probe_items(
    exam: Exam, conditions: Sequence[Condition], count: TokenCount, *, limit: int, seed: int
) -> Iterator[ProbeItem]:
    """At most ``limit`` items of each Condition. Left out are those that let several options be right and those whose
    evidence is longer than the Condition.
    """
    limits = {condition.name: limit for condition in conditions}
    for batch in batches(exam, conditions, count, depths=(0.5,), limits=limits, seed=seed):
        for planned_item in batch.planned_items:
            if batch.book is not None and not planned_item.item.multiple:
                found = {"axis": planned_item.condition.axis, "item": planned_item.item, "book": batch.book}
                yield ProbeItem.model_validate(found)
