"""Which Books are put before which items: sittings, each one Book and all the items asked on it.

A Book is prefilled once for all of its items, so items that can share one do. Under ``open`` Conditions of one
length the evidence of as many items as there are depths shares a Book, each at another depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from medctx.book import EMPTY, TokenCount, assemble, bind
from medctx.errors import MedctxError
from medctx.records import Book, ExamItem, Passage, Record
from medctx_eval.condition import Condition
from medctx_eval.exams.exam import Exam


class Seat(Record):
    """One item under one realised Condition."""

    item: ExamItem
    condition: Condition


class Sitting(Record):
    """One Book and the items asked on it; ``book`` is nothing where the evidence is longer than the Condition."""

    book: Book | None
    seats: tuple[Seat, ...]


Group = list[ExamItem]


def _groups(items: Sequence[ExamItem]) -> list[Group]:
    """Items that need the same evidence, in the order of their first appearance."""
    groups: dict[tuple[str, ...], Group] = {}
    for item in items:
        groups.setdefault(item.evidence, []).append(item)
    return list(groups.values())


def _limited(groups: list[Group], limit: int | None) -> list[Group]:
    """The first groups that together have at most ``limit`` items (at least one group)."""
    if limit is None:
        return groups
    kept: list[Group] = []
    for group in groups:
        if kept and sum(map(len, kept)) + len(group) > limit:
            break
        kept.append(group)
    return kept


def _passages(exam: Exam, names: Sequence[str]) -> list[Passage]:
    try:
        return [exam.by_id[name] for name in names]
    except KeyError as error:
        raise MedctxError(
            f"The exam {exam.card.name} names the Passage {error.args[0]!r}, which it does not have; add it to the "
            "exam's passages."
        ) from None


def _closed(items: Sequence[ExamItem], condition: Condition, size: int = 32) -> Iterator[Sitting]:
    for begin in range(0, len(items), size):
        seats = tuple(Seat(item=item, condition=condition) for item in items[begin : begin + size])
        yield Sitting(book=EMPTY, seats=seats)


def _gold(exam: Exam, groups: list[Group], condition: Condition, count: TokenCount) -> Iterator[Sitting]:
    for group in groups:
        book = bind(_passages(exam, group[0].evidence), count)
        yield Sitting(book=book, seats=tuple(Seat(item=item, condition=condition) for item in group))


def _distractors(exam: Exam, groups: list[Group], seed: int) -> list[Passage]:
    """Rivals of these groups first, then every other Passage in an order drawn by ``seed`` and the groups' evidence."""
    evidence = {name for group in groups for name in group[0].evidence}
    rivals = dict.fromkeys(name for group in groups for name in group[0].rivals if name not in evidence)
    rest = [passage for passage in exam.passages if passage.id not in evidence and passage.id not in rivals]
    Random(f"distractors-{seed}-{sorted(evidence)}").shuffle(rest)
    return _passages(exam, list(rivals)) + rest


def _open_book(
    exam: Exam, groups: list[Group], condition: Condition, depths: Sequence[float], count: TokenCount, seed: int
) -> Sitting:
    assert condition.tokens is not None
    evidence = [
        (depth, passage)
        for depth, group in zip(depths, groups, strict=False)
        for passage in _passages(exam, group[0].evidence)
    ]
    book = assemble(evidence, _distractors(exam, groups, seed), condition.tokens, count)
    seats = [
        Seat(item=item, condition=condition.at(depth))
        for depth, group in zip(depths, groups, strict=False)
        for item in group
    ]
    return Sitting(book=book, seats=tuple(seats))


def _open(
    exam: Exam, groups: list[Group], condition: Condition, depths: Sequence[float], count: TokenCount, seed: int
) -> Iterator[Sitting]:
    wanted = [condition.depth] if condition.depth is not None else list(depths)
    for begin in range(0, len(groups), len(wanted)):
        several = groups[begin : begin + len(wanted)]
        # Which group of a chunk lies deepest changes from chunk to chunk.
        turn = (begin // len(wanted)) % len(wanted)
        turned = wanted[turn:] + wanted[:turn]
        together = _open_book(exam, several, condition, turned, count, seed)
        if together.book is not None or len(several) == 1:
            yield together
            continue
        for group, depth in zip(several, turned, strict=False):
            yield _open_book(exam, [group], condition, [depth], count, seed)


def sittings(
    exam: Exam,
    conditions: Sequence[Condition],
    count: TokenCount,
    *,
    depths: Sequence[float],
    limits: dict[str, int],
    seed: int,
) -> list[Sitting]:
    """Every sitting of an exam, Condition by Condition.

    ``count`` gives the tokens of a text under the examined model; ``depths`` are dealt to ``open`` Conditions that
    name none; ``limits`` caps the items of a Condition by its name. Items without evidence are asked closed only.
    """
    planned: list[Sitting] = []
    for condition in conditions:
        limit = limits.get(condition.name)
        if condition.kind == "closed":
            planned += _closed(exam.items[:limit], condition)
            continue
        groups = _limited(_groups([item for item in exam.items if item.evidence]), limit)
        if not groups:
            raise MedctxError(
                f"The exam {exam.card.name} has no items with evidence, so nothing can be asked under "
                f"{condition.name}; ask it closed."
            )
        if condition.kind == "gold":
            planned += _gold(exam, groups, condition, count)
        else:
            planned += _open(exam, groups, condition, depths, count, seed)
    return planned
