"""Items that can share a Book: what evidence they need, and under which Condition they mean what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medctx.errors import MedctxError
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.condition import Kind
from medctx_eval.exams.counterfactual import alter, without_evidence
from medctx_eval.exams.exam import Exam


@dataclass(frozen=True, slots=True)
class Group:
    """Items on the same evidence.

    ``memory`` holds each item's gold before its evidence was altered, or nothing. ``shown``: whether the evidence
    stands in the Book; if not, other Passages stand in its place.
    """

    items: tuple[ExamItem, ...]
    evidence: tuple[Passage, ...]
    memory: tuple[tuple[str, ...], ...]
    shown: bool = True

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
    """Groups of items whose evidence is altered in the same way; items that cannot be altered are left out."""
    shared: dict[tuple[Passage, ...], list[tuple[ExamItem, tuple[str, ...]]]] = {}
    for item in items:
        passages(exam, item.evidence)
        altered = alter(item, exam)
        if altered is not None:
            shared.setdefault(altered.evidence, []).append((altered.item, item.gold))
    for evidence, pairs in shared.items():
        yield Group(tuple(item for item, _ in pairs), evidence, tuple(memory for _, memory in pairs))


def _without_answer(exam: Exam, items: Sequence[ExamItem]) -> Iterator[Group]:
    """Groups of items that nothing in their Book answers, by the omission their exam wrote or by their evidence."""
    shared: dict[tuple[Passage, ...], list[ExamItem]] = {}
    for item in items:
        omission = exam.omission.get(item.id)
        evidence = omission.passages if omission else tuple(passages(exam, item.evidence))
        shared.setdefault(evidence, []).append(without_evidence(item))
    for evidence, several in shared.items():
        written = all(item.id in exam.omission for item in several)
        yield Group(tuple(several), evidence, ((),) * len(several), shown=written)


def unalterable(exam: Exam) -> int:
    """How many items with evidence are not asked under ``counterfactual``."""
    return sum(alter(item, exam) is None for item in exam.items if item.evidence)


def _limited(groups: Sequence[Group], limit: int | None, uses: Counter[str]) -> list[Group]:
    """The least used groups that together have at most ``limit`` items (at least one group), in their order.

    ``uses`` counts how often Conditions have used each Passage of evidence so far, and is updated.
    """
    chosen: list[int] = []
    size = 0
    places = sorted(range(len(groups)), key=lambda place: max((uses[name] for name in groups[place].names), default=0))
    for place in places:
        if limit is not None and chosen and size + len(groups[place].items) > limit:
            break
        chosen.append(place)
        size += len(groups[place].items)
    kept = [groups[place] for place in sorted(chosen)]
    uses.update(name for name in set().union(*(group.names for group in kept)))
    return kept


def groups_of(exam: Exam, kind: Kind, limit: int | None, uses: Counter[str] | None = None) -> list[Group]:
    """The groups asked under Conditions of a kind that have a Book; items mean what is right under it.

    ``uses``: how often other Conditions have used each Passage of evidence. The least used groups are chosen first,
    and the uses of those chosen are counted.
    """
    uses = Counter() if uses is None else uses
    items = [item for item in exam.items if item.evidence]
    if not items:
        raise MedctxError(
            f"The exam {exam.card.name} has no items with evidence, so nothing can be asked under {kind}; "
            "ask it closed."
        )
    arranged = {"counterfactual": _altered, "distractor": _without_answer}.get(kind, _by_evidence)
    groups = _limited(list(arranged(exam, items)), limit, uses)
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
