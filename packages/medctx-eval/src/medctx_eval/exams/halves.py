"""Two halves of an exam: one selects cells, the other measures again what was selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from medctx.schemas.records import ExamItem
from medctx_eval.exams.exam import Exam

Half = Literal["selection", "confirmation"]


def halves_of(items: Iterable[ExamItem]) -> dict[str, Half]:
    """The half of every cluster: clusters whose first items have the same tags are dealt out in turns.

    An exam with as many taught as untaught clusters so has as many of each in both halves, give or take one.
    """
    halves: dict[str, Half] = {}
    dealt: Counter[tuple[tuple[str, str], ...]] = Counter()
    for item in items:
        if item.cluster not in halves:
            stratum = tuple(sorted(item.tags.items()))
            halves[item.cluster] = "confirmation" if dealt[stratum] % 2 else "selection"
            dealt[stratum] += 1
    return halves


def keep_half(exam: Exam, half: Half) -> Exam:
    """The exam with the items of one half, and with all its Passages."""
    halves = halves_of(exam.items)
    return exam.model_copy(update={"items": tuple(item for item in exam.items if halves[item.cluster] == half)})
