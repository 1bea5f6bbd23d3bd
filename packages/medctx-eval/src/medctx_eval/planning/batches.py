"""Builds Books and decides which items are asked about each of them.

A Book is computed once for all of its items, so items that can share a Book do. Among distractors, one Book holds the
evidence of as many groups of items as there are depths, each group's at another depth.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from medctx.errors import MedctxError
from medctx.schemas.probe_item import ProbeItem
from medctx.schemas.records import Axis, ExamItem, Passage
from medctx.text.book import EMPTY, TokenCount, assemble_book, make_book
from medctx_eval.exams.condition import Condition
from medctx_eval.exams.exam import Exam
from medctx_eval.planning.groups import EvidenceGroup, chunks_without_overlap, groups_for, passages_of
from medctx_eval.planning.plan import BookBatch, PlannedItem

CLOSED_BATCH_SIZE = 32


def _planned(group: EvidenceGroup, condition: Condition) -> tuple[PlannedItem, ...]:
    pairs = zip(group.items, group.memory, strict=True)
    return tuple(PlannedItem(item=item, condition=condition, memory=memory) for item, memory in pairs)


def _closed(items: Sequence[ExamItem], condition: Condition) -> Iterator[BookBatch]:
    planned = [PlannedItem(item=item, condition=condition) for item in items]
    for begin in range(0, len(planned), CLOSED_BATCH_SIZE):
        yield BookBatch(book=EMPTY, items=tuple(planned[begin : begin + CLOSED_BATCH_SIZE]))


def _evidence_only(groups: Sequence[EvidenceGroup], condition: Condition, count: TokenCount) -> Iterator[BookBatch]:
    for group in groups:
        yield BookBatch(book=make_book(group.evidence, count), items=_planned(group, condition))


def _distractors(exam: Exam, groups: Sequence[EvidenceGroup], seed: int) -> list[Passage]:
    """Rivals of these groups first, then all other Passages in an order drawn by ``seed`` and the groups' evidence.

    Passages of the documents that the items are about are excluded: they may contain the answer a second time.
    """
    evidence = {name for group in groups for name in group.passage_ids}
    documents = {item.cluster for group in groups for item in group.items}
    rivals = dict.fromkeys(name for group in groups for name in group.rivals if name not in evidence)
    rest = [passage for passage in exam.passages if passage.id not in evidence and passage.id not in rivals]
    Random(f"distractors-{seed}-{sorted(evidence)}").shuffle(rest)
    return [passage for passage in passages_of(exam, list(rivals)) + rest if not documents & set(passage.facts)]


def _distractors_only(
    exam: Exam, groups: Sequence[EvidenceGroup], condition: Condition, count: TokenCount, seed: int
) -> Iterator[BookBatch]:
    """Replace the evidence by other Passages up to its length, or by the first one if none is as short."""
    for group in groups:
        if group.shown:
            yield from _evidence_only([group], condition, count)
            continue
        others = _distractors(exam, [group], seed)
        if not others:
            raise MedctxError(
                f"The exam {exam.card.name} has no Passage but the evidence of {group.items[0].id!r}, so nothing can "
                f"replace it under {condition.name}; remove that condition."
            )
        book = assemble_book([], others, make_book(group.evidence, count).tokens, count)
        if book is None or not book.passages:
            book = make_book(others[:1], count)
        yield BookBatch(book=book, items=_planned(group, condition))


def _spread(depths: Sequence[float], count: int) -> list[float]:
    """``count`` depths, those given or, if they are fewer, even ones between the least and the greatest of them."""
    if count <= len(depths):
        return list(depths)
    low, high = min(depths), max(depths)
    return [round(low + (high - low) * place / (count - 1), 3) for place in range(count)]


def _passage_depths(group: EvidenceGroup, depths: Sequence[float], turn: int) -> dict[str, float]:
    """The depth of each Passage of the evidence: the same for all, or different ones if they are apart."""
    choices = _spread(depths, len(group.evidence)) if group.apart else depths
    return {
        passage.id: choices[(turn + (place if group.apart else 0)) % len(choices)]
        for place, passage in enumerate(group.evidence)
    }


def _open_book(
    exam: Exam,
    groups: Sequence[EvidenceGroup],
    passage_depths: Sequence[Mapping[str, float]],
    condition: Condition,
    count: TokenCount,
    seed: int,
) -> BookBatch:
    """Build one Book of the Condition's length for these groups, with each Passage of evidence at its own depth."""
    assert condition.tokens is not None
    pairs = list(zip(groups, passage_depths, strict=True))
    evidence = [(depths[passage.id], passage) for group, depths in pairs if group.shown for passage in group.evidence]
    book = assemble_book(evidence, _distractors(exam, groups, seed), condition.tokens, count)
    planned = [
        item.model_copy(update={"condition": condition.at(depths[item.item.evidence[0]])})
        if condition.kind != "distractor"
        else item
        for group, depths in pairs
        for item in _planned(group, condition)
    ]
    return BookBatch(book=book, items=tuple(planned))


def _among_distractors(
    exam: Exam,
    groups: Sequence[EvidenceGroup],
    condition: Condition,
    depths: Sequence[float],
    count: TokenCount,
    seed: int,
) -> Iterator[BookBatch]:
    chosen = [condition.depth] if condition.depth is not None else list(depths)
    for number, chunk in enumerate(chunks_without_overlap(groups, len(chosen))):
        # Rotate the depths, so that a different group of each chunk lies deepest.
        passage_depths = [_passage_depths(group, chosen, number + place) for place, group in enumerate(chunk)]
        batch = _open_book(exam, chunk, passage_depths, condition, count, seed)
        if batch.book is not None or len(chunk) == 1:
            yield batch
            continue
        for group, own_depths in zip(chunk, passage_depths, strict=True):
            yield _open_book(exam, [group], [own_depths], condition, count, seed)


def batches(
    exam: Exam,
    conditions: Sequence[Condition],
    count: TokenCount,
    *,
    depths: Sequence[float],
    limits: Mapping[str, int],
    seed: int,
) -> list[BookBatch]:
    """Plan an exam, Condition by Condition.

    Conditions of one axis (gold and the lengths of ``open``) use evidence that the others have not used, as long as
    there is some; the first Conditions of the axes use the same items.

    Args:
        exam: The exam.
        conditions: The Conditions to ask it under. Items without evidence are asked ``closed`` only.
        count: Number of tokens of a text under the examined model's tokenizer.
        depths: Depths in [0, 1] assigned in turn under Conditions with a length but no depth.
        limits: Most items of a Condition, by its name.
        seed: Seed of the order of distractors.

    Returns:
        Books with their items, in the order they are asked.
    """
    planned: list[BookBatch] = []
    uses: dict[Axis, Counter[str]] = defaultdict(Counter)
    for condition in conditions:
        limit = limits.get(condition.name)
        if condition.kind == "closed":
            planned += _closed(exam.items[:limit], condition)
            continue
        groups = groups_for(exam, condition.kind, limit, uses[condition.axis])
        if condition.tokens is not None:
            planned += _among_distractors(exam, groups, condition, depths, count, seed)
        elif condition.kind == "distractor":
            planned += _distractors_only(exam, groups, condition, count, seed)
        else:
            planned += _evidence_only(groups, condition, count)
    return planned


def probe_items(
    exam: Exam, conditions: Sequence[Condition], count: TokenCount, *, limit: int, seed: int
) -> Iterator[ProbeItem]:
    """Yield items for the probe that training asks, at most ``limit`` per Condition.

    Items with several right options, and items whose evidence is longer than the Condition, are left out.
    """
    limits = {condition.name: limit for condition in conditions}
    for batch in batches(exam, conditions, count, depths=(0.5,), limits=limits, seed=seed):
        for planned in batch.items:
            if batch.book is not None and not planned.item.multiple:
                values = {"axis": planned.condition.axis, "item": planned.item, "book": batch.book}
                yield ProbeItem.model_validate(values)
