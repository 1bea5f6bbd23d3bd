"""Which Books are put before which items: sittings, each one Book and all the items asked on it.

A Book is prefilled once for all of its items, so items that can share one do. Among distractors the evidence of as
many groups of items as there are depths shares a Book, each at another depth.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from random import Random

from medctx.errors import MedctxError
from medctx.schemas.records import Axis, Book, ExamItem, Passage, Record
from medctx.text.book import EMPTY, TokenCount, assemble_book, make_book
from medctx_eval.exams.condition import Condition
from medctx_eval.exams.exam import Exam
from medctx_eval.planning.groups import Group, chunks, groups_of, passages

TOGETHER_CLOSED = 32


class PlannedItem(Record):
    """One item under one realised Condition: its options and gold are those it has there.

    ``memory`` holds the gold letters before the evidence was altered.
    """

    item: ExamItem
    condition: Condition
    memory: tuple[str, ...] = ()


class BookBatch(Record):
    """One Book and the items asked on it; ``book`` is nothing where the evidence is longer than the Condition."""

    book: Book | None
    planned_items: tuple[PlannedItem, ...]


def _seats(group: Group, condition: Condition) -> tuple[PlannedItem, ...]:
    pairs = zip(group.items, group.memory, strict=True)
    return tuple(PlannedItem(item=item, condition=condition, memory=memory) for item, memory in pairs)


def _closed(items: Sequence[ExamItem], condition: Condition) -> Iterator[BookBatch]:
    for begin in range(0, len(items), TOGETHER_CLOSED):
        several = items[begin : begin + TOGETHER_CLOSED]
        yield BookBatch(
            book=EMPTY, planned_items=tuple(PlannedItem(item=item, condition=condition) for item in several)
        )


def _alone(groups: Sequence[Group], condition: Condition, count: TokenCount) -> Iterator[BookBatch]:
    for group in groups:
        yield BookBatch(book=make_book(group.evidence, count), planned_items=_seats(group, condition))


def _distractors(exam: Exam, groups: Sequence[Group], seed: int) -> list[Passage]:
    """Rivals of these groups first, then every other Passage in an order drawn by ``seed`` and the groups' evidence.

    Passages of the documents that the items are about are none: they may hold the answer once more.
    """
    evidence = {name for group in groups for name in group.names}
    about = {item.cluster for group in groups for item in group.items}
    rivals = dict.fromkeys(name for group in groups for name in group.rivals if name not in evidence)
    rest = [passage for passage in exam.passages if passage.id not in evidence and passage.id not in rivals]
    Random(f"distractors-{seed}-{sorted(evidence)}").shuffle(rest)
    return [passage for passage in passages(exam, list(rivals)) + rest if not about & set(passage.facts)]


def _as_long(
    exam: Exam, groups: Sequence[Group], condition: Condition, count: TokenCount, seed: int
) -> Iterator[BookBatch]:
    """Without the evidence: other Passages up to its length, the first one where none is as short."""
    for group in groups:
        if group.shown:
            yield from _alone([group], condition, count)
            continue
        others = _distractors(exam, [group], seed)
        if not others:
            raise MedctxError(
                f"The exam {exam.card.name} has no Passage but the evidence of {group.items[0].id!r}, so nothing can "
                f"stand in its place under {condition.name}; leave that condition out."
            )
        book = assemble_book([], others, make_book(group.evidence, count).tokens, count)
        if book is None or not book.passages:
            book = make_book(others[:1], count)
        yield BookBatch(book=book, planned_items=_seats(group, condition))


def _open_book(
    exam: Exam, groups: Sequence[Group], depths: Sequence[float], condition: Condition, count: TokenCount, seed: int
) -> BookBatch:
    """One Book of the Condition's length for these groups, each group's evidence at its own depth."""
    assert condition.tokens is not None
    pairs = list(zip(groups, depths, strict=False))
    evidence = [(depth, passage) for group, depth in pairs if group.shown for passage in group.evidence]
    book = assemble_book(evidence, _distractors(exam, groups, seed), condition.tokens, count)
    planned_items = [
        planned_item
        for group, depth in pairs
        for planned_item in _seats(group, condition.at(depth) if condition.kind != "distractor" else condition)
    ]
    return BookBatch(book=book, planned_items=tuple(planned_items))


def _among_others(
    exam: Exam, groups: list[Group], condition: Condition, depths: Sequence[float], count: TokenCount, seed: int
) -> Iterator[BookBatch]:
    wanted = [condition.depth] if condition.depth is not None else list(depths)
    for number, several in enumerate(chunks(groups, len(wanted))):
        # Which group of a chunk lies deepest changes from chunk to chunk.
        turn = number % len(wanted)
        turned = wanted[turn:] + wanted[:turn]
        together = _open_book(exam, several, turned, condition, count, seed)
        if together.book is not None or len(several) == 1:
            yield together
            continue
        for group, depth in zip(several, turned, strict=False):
            yield _open_book(exam, [group], [depth], condition, count, seed)


def batches(
    exam: Exam,
    conditions: Sequence[Condition],
    count: TokenCount,
    *,
    depths: Sequence[float],
    limits: dict[str, int],
    seed: int,
) -> list[BookBatch]:
    """Every sitting of an exam, Condition by Condition.

    ``count`` gives the tokens of a text under the examined model; ``depths`` are dealt to Conditions with a length
    that name none; ``limits`` caps the items of a Condition by its name. Conditions of one axis (gold and the lengths
    of ``open``) take evidence that the others have not used as long as there is some; the first Conditions of the axes
    take the same items. Items without evidence are asked closed only.
    """
    planned: list[BookBatch] = []
    uses: dict[Axis, Counter[str]] = defaultdict(Counter)
    for condition in conditions:
        limit = limits.get(condition.name)
        if condition.kind == "closed":
            planned += _closed(exam.items[:limit], condition)
            continue
        groups = groups_of(exam, condition.kind, limit, uses[condition.axis])
        if condition.tokens is not None:
            planned += _among_others(exam, groups, condition, depths, count, seed)
        elif condition.kind == "distractor":
            planned += _as_long(exam, groups, condition, count, seed)
        else:
            planned += _alone(groups, condition, count)
    return planned
