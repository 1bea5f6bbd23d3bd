"""Items that can share a Book: what evidence they need, and under which Condition they mean what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medctx.errors import MedctxError
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.condition import Kind
from medctx_eval.exams.counterfactual import alter, without_evidence
from medctx_eval.exams.exam import Exam


@dataclass(frozen=True, slots=True)
class Group:
    """Items on the same evidence. ``memory`` holds each item's gold before its evidence was altered, or nothing."""

    items: tuple[ExamItem, ...]
    evidence: tuple[Passage, ...]
    memory: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> set[str]:
        """Ids of the evidence."""
        return {passage.id for passage in self.evidence}

    @property
    def rivals(self) -> list[str]:
        """Rivals of its items in order, each once."""
        return list(dict.fromkeys(name for item in self.items for name in item.rivals))


def passages(exam: Exam, names: Sequence[str]) -> list[Passage]:
    """The exam's Passages of these ids."""
    try:
        return [exam.by_id[name] for name in names]
    except KeyError as error:
        raise MedctxError(
            f"The exam {exam.card.name} names the Passage {error.args[0]!r}, which it does not have; add it to the "
            "exam's passages."
        ) from None


def _by_evidence(exam: Exam, items: Sequence[ExamItem]) -> Iterator[Group]:
    """In the order of first appearance."""
    shared: dict[tuple[str, ...], list[ExamItem]] = {}
    for item in items:
        shared.setdefault(item.evidence, []).append(item)
    for names, several in shared.items():
        yield Group(tuple(several), tuple(passages(exam, names)), ((),) * len(several))


def _altered(exam: Exam, items: Sequence[ExamItem]) -> Iterator[Group]:
    """One group an item, since each alters the evidence in its own way; items that cannot be altered are left out."""
    for item in items:
        passages(exam, item.evidence)
        found = alter(item, exam)
        if found is not None:
            yield Group((found.item,), found.evidence, (item.gold,))


def unalterable(exam: Exam) -> int:
    """How many items with evidence are not asked under ``counterfactual``."""
    return sum(alter(item, exam) is None for item in exam.items if item.evidence)


def _limited(groups: Sequence[Group], limit: int | None) -> list[Group]:
    """The first groups that together have at most ``limit`` items (at least one group)."""
    if limit is None:
        return list(groups)
    kept: list[Group] = []
    for group in groups:
        if kept and sum(len(one.items) for one in kept) + len(group.items) > limit:
            break
        kept.append(group)
    return kept


def groups_of(exam: Exam, kind: Kind, limit: int | None) -> list[Group]:
    """The groups asked under Conditions of a kind that have a Book; items mean what is right under it."""
    items = [item for item in exam.items if item.evidence]
    if not items:
        raise MedctxError(
            f"The exam {exam.card.name} has no items with evidence, so nothing can be asked under {kind}; "
            "ask it closed."
        )
    if kind == "distractor":
        items = [without_evidence(item) for item in items]
    groups = _limited(list(_altered(exam, items) if kind == "counterfactual" else _by_evidence(exam, items)), limit)
    if not groups:
        raise MedctxError(
            f"No item of the exam {exam.card.name} can be asked under {kind}: its evidence states no right option word "
            "for word, and the exam brings no altered evidence; leave that condition out."
        )
    return groups


def chunks(groups: Sequence[Group], size: int) -> Iterator[list[Group]]:
    """At most ``size`` groups at a time whose evidence is of different Passages, in order otherwise."""
    waiting = list(groups)
    while waiting:
        chunk: list[Group] = []
        passed: list[Group] = []
        used: set[str] = set()
        rest = iter(waiting)
        for group in rest:
            if group.names & used:
                passed.append(group)
            else:
                chunk.append(group)
                used |= group.names
            if len(chunk) == size:
                break
        waiting = [*passed, *rest]
        yield chunk
