"""Turns the rows of one exam into items, and assembles the exam from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage, Record
from medctx_eval.exams.exam import Alteration, Exam, seal_exam
from medctx_eval.exams.schema import (
    ExamRow,
    RowProblem,
    counterfactual_of,
    letters_of,
    options_of,
    problems_of,
    tags_of,
    text_of,
)

SHUFFLE = "medctx-files"
CONTEXT = "/context"
"""Suffix of the id of a Passage that is the context of an item."""


class ExamEntry(Record):
    """The contents of a row. ``passage`` is its context, unless an earlier row had the same one."""

    item: ExamItem
    passage: Passage | None = None
    alteration: Alteration | None = None


class EntryReader:
    """Reads the rows of one exam in turn; the same context in several rows becomes one Passage."""

    def __init__(self, exam: str, card: ExamCard) -> None:
        self._exam, self._card = exam, card
        self._ids: set[str] = set()
        self._contexts: dict[str, str] = {}

    def read(self, row: ExamRow) -> ExamEntry | list[RowProblem]:
        """Return the contents of a row, or everything that is wrong with it."""
        problems, name = problems_of(row), text_of(row, "id")
        if name and name in self._ids:
            message = "has the id of an earlier row; give every item its own id"
            problems.append(RowProblem(kind="repeated id", message=message))
        self._ids.add(name)
        return problems or self._entry(name, row)

    def _entry(self, name: str, row: ExamRow) -> ExamEntry:
        passage, evidence, context = None, text_of(row, "book_id"), text_of(row, "context")
        if context:
            evidence = self._contexts.setdefault(context, name + CONTEXT)
            if evidence == name + CONTEXT:
                passage = Passage(id=evidence, text=context)
        gold = letters_of(row.get("answer")) or ()
        item = ExamItem(
            id=name,
            exam=self._exam,
            question=text_of(row, "question"),
            options=options_of(row),
            gold=gold,
            evidence=(evidence,) if evidence else (),
            cluster=evidence or name,
            multiple=row.get("multiple") is True or len(gold) > 1,
            cannot=text_of(row, "cannot").upper(),
            language=text_of(row, "lang") or self._card.language,
            source=text_of(row, "source") or self._card.source,
            licence=text_of(row, "licence") or self._card.licence,
            tags=tags_of(row),
        )
        counterfactual = counterfactual_of(row)
        if counterfactual is None:
            return ExamEntry(item=item, passage=passage)
        text, letters = counterfactual
        alteration = Alteration(item=name, passages=(Passage(id=evidence, text=text),), gold=letters)
        return ExamEntry(item=item, passage=passage, alteration=alteration)


def without_repeats(entries: Iterable[ExamEntry]) -> tuple[list[ExamEntry], int]:
    """Drop entries with the question, options, gold and evidence of an earlier one; also returns how many."""
    kept: dict[tuple[object, ...], ExamEntry] = {}
    repeats = 0
    for entry in entries:
        item = entry.item
        key = (item.question, tuple(sorted(item.options.items())), item.gold, item.evidence)
        repeats += key in kept
        kept.setdefault(key, entry)
    return list(kept.values()), repeats


def assemble(
    card: ExamCard, entries: Sequence[ExamEntry], passages: Sequence[Passage] = (), dropped: Counter[str] | None = None
) -> Exam:
    """Make the exam of some entries, its documents in one fixed shuffled order so that a limit is a fair sample."""
    by_cluster: dict[str, list[ExamItem]] = {}
    for entry in entries:
        by_cluster.setdefault(entry.item.cluster, []).append(entry.item)
    order = sorted(by_cluster)
    Random(SHUFFLE).shuffle(order)
    counts = dict(sorted(dropped.items())) if dropped else {}
    return seal_exam(
        card.model_copy(update={"dropped": counts}),
        [item for name in order for item in by_cluster[name]],
        [*passages, *(entry.passage for entry in entries if entry.passage)],
        [entry.alteration for entry in entries if entry.alteration],
    )
