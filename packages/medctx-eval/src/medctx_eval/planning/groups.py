"""Groups of items on the same evidence, as they are asked under each kind of Condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medctx.errors import MedctxError
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.condition import ConditionKind
from medctx_eval.exams.counterfactual import alter, without_evidence
from medctx_eval.exams.exam import Exam


@dataclass(frozen=True, slots=True)
class EvidenceGroup:
    """Items on the same evidence.

    Attributes:
        items: The items, with the gold letters that are right under the Condition.
        evidence: Their evidence and its companions, altered if the Condition alters them.
        memory: Each item's gold letters before its evidence was altered.
        shown: Whether the evidence occurs in the Book; if not, other Passages replace it.
    """

    items: tuple[ExamItem, ...]
    evidence: tuple[Passage, ...]
    memory: tuple[tuple[str, ...], ...]
    shown: bool = True

    @property
    def passage_ids(self) -> set[str]:
        """Ids of the evidence."""
        return {passage.id for passage in self.evidence}

    @property
    def apart(self) -> bool:
        """Whether the items are about different Passages of the evidence, which then lie at different depths."""
        return any(item.companions for item in self.items)

    @property
    def rivals(self) -> list[str]:
        """Rivals of all items in order, each once."""
        return list(dict.fromkeys(name for item in self.items for name in item.rivals))


def passages_of(exam: Exam, ids: Sequence[str]) -> list[Passage]:
    """Look up the exam's Passages by id."""
    try:
        return [exam.by_id[name] for name in ids]
    except KeyError as error:
        raise MedctxError(
            f"The exam {exam.card.name} names the Passage {error.args[0]!r}, which it does not contain; add it to the "
            "exam's passages."
        ) from None


def _by_evidence(exam: Exam, items: Sequence[ExamItem]) -> Iterator[EvidenceGroup]:
    """Group items by evidence, in order of first appearance."""
    by_evidence: dict[tuple[str, ...], list[ExamItem]] = {}
    for item in items:
        by_evidence.setdefault(item.shown, []).append(item)
    for ids, members in by_evidence.items():
        yield EvidenceGroup(tuple(members), tuple(passages_of(exam, ids)), ((),) * len(members))


def _altered(exam: Exam, items: Sequence[ExamItem]) -> Iterator[EvidenceGroup]:
    """Group items whose evidence is altered in the same way; items that cannot be altered are left out."""
    by_evidence: dict[tuple[Passage, ...], list[tuple[ExamItem, tuple[str, ...]]]] = {}
    for item in items:
        passages_of(exam, item.shown)
        altered = alter(item, exam)
        if altered is not None:
            by_evidence.setdefault(altered.evidence, []).append((altered.item, item.gold))
    for evidence, pairs in by_evidence.items():
        yield EvidenceGroup(tuple(item for item, _ in pairs), evidence, tuple(memory for _, memory in pairs))


def _without_answer(exam: Exam, items: Sequence[ExamItem]) -> Iterator[EvidenceGroup]:
    """Group items that their Book does not answer, by the exam's own omission or by the evidence to replace."""
    by_evidence: dict[tuple[Passage, ...], list[ExamItem]] = {}
    for item in items:
        omission = exam.omission_of.get(item.id)
        evidence = omission.passages if omission else tuple(passages_of(exam, item.shown))
        by_evidence.setdefault(evidence, []).append(without_evidence(item))
    for evidence, members in by_evidence.items():
        shown = all(item.id in exam.omission_of for item in members)
        yield EvidenceGroup(tuple(members), evidence, ((),) * len(members), shown=shown)


def count_unalterable(exam: Exam) -> int:
    """Number of items with evidence that are not asked under ``counterfactual``."""
    return sum(alter(item, exam) is None for item in exam.items if item.evidence)


def _limited(groups: Sequence[EvidenceGroup], limit: int | None, uses: Counter[str]) -> list[EvidenceGroup]:
    """The least used groups that together have at most ``limit`` items (at least one group), in their order.

    ``uses`` counts how often Conditions have used each Passage of evidence so far, and is updated.
    """
    chosen: list[int] = []
    size = 0
    ids = [group.passage_ids for group in groups]
    for place in sorted(range(len(groups)), key=lambda place: max((uses[name] for name in ids[place]), default=0)):
        if limit is not None and chosen and size + len(groups[place].items) > limit:
            break
        chosen.append(place)
        size += len(groups[place].items)
    kept = [groups[place] for place in sorted(chosen)]
    uses.update(set().union(*(group.passage_ids for group in kept)))
    return kept


def groups_for(
    exam: Exam, kind: ConditionKind, limit: int | None, uses: Counter[str] | None = None
) -> list[EvidenceGroup]:
    """The groups asked under a kind of Condition that has a Book.

    Args:
        exam: The exam.
        kind: The kind of Condition.
        limit: Most items of the Condition.
        uses: How often other Conditions have used each Passage of evidence. The least used groups are chosen first, and
            the uses of the chosen ones are counted.

    Returns:
        The groups, with the gold letters that are right under the Condition.
    """
    uses = Counter() if uses is None else uses
    items = [item for item in exam.items if item.evidence]
    if not items:
        raise MedctxError(
            f"The exam {exam.card.name} has no items with evidence, so nothing can be asked under {kind}; "
            "ask it closed."
        )
    group_items = {"counterfactual": _altered, "distractor": _without_answer}.get(kind, _by_evidence)
    groups = _limited(list(group_items(exam, items)), limit, uses)
    if not groups:
        raise MedctxError(
            f"No item of the exam {exam.card.name} can be asked under {kind}: its evidence contains no right option "
            "word for word, and the exam has no altered evidence; remove that condition."
        )
    return groups


def chunks_without_overlap(groups: Sequence[EvidenceGroup], size: int) -> Iterator[list[EvidenceGroup]]:
    """Yield up to ``size`` groups at a time whose evidence shares no Passage, in order otherwise."""
    waiting = list(groups)
    while waiting:
        chunk: list[EvidenceGroup] = []
        postponed: list[EvidenceGroup] = []
        used: set[str] = set()
        rest = iter(waiting)
        for group in rest:
            if group.passage_ids & used:
                postponed.append(group)
            else:
                chunk.append(group)
                used |= group.passage_ids
            if len(chunk) == size:
                break
        waiting = [*postponed, *rest]
        yield chunk
