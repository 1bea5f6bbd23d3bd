"""Rows of one exam turned into its items, and the exam put together from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage, Record
from medctx_eval.exams.exam import Alteration, Exam, seal
from medctx_eval.exams.readers.tables import Row
from medctx_eval.exams.schema import Problem, counterfactual_of, letters_of, options_of, problems_of, tags_of, text_of

SHUFFLE = "medctx-files"
CONTEXT = "/context"
"""How the id of a Passage ends that is the context of an item."""


class Entry(Record):
    """What a row holds. ``passage`` is its context, where no row before it had the same one."""

    item: ExamItem
    passage: Passage | None = None
    alteration: Alteration | None = None


class EntryReader:
    """Reads the rows of one exam in turn; the same context in several rows is one Passage."""

    def __init__(self, exam: str, card: ExamCard) -> None:
        self._exam, self._card = exam, card
        self._ids: set[str] = set()
        self._contexts: dict[str, str] = {}

    def read(self, row: Row) -> Entry | list[Problem]:
        """What a row holds, or everything that is wrong with it."""
        problems, name = problems_of(row), text_of(row, "id")
        if name and name in self._ids:
            words = "has the id of a row before it; give every item one of its own"
            problems.append(Problem(kind="repeated id", words=words))
        self._ids.add(name)
        return problems or self._entry(name, row)

    def _entry(self, name: str, row: Row) -> Entry:
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
        altered = counterfactual_of(row)
        if altered is None:
            return Entry(item=item, passage=passage)
        stand_in = Passage(id=evidence, text=altered[0])
        return Entry(
            item=item, passage=passage, alteration=Alteration(item=name, passages=(stand_in,), gold=altered[1])
        )


def without_repeats(entries: Iterable[Entry]) -> tuple[list[Entry], int]:
    """The entries less those that ask the same with the same options and golds as one before, and how many those were.

    The evidence counts as part of the question.
    """
    kept: dict[tuple[object, ...], Entry] = {}
    repeats = 0
    for entry in entries:
        item = entry.item
        key = (item.question, tuple(sorted(item.options.items())), item.gold, item.evidence)
        repeats += key in kept
        kept.setdefault(key, entry)
    return list(kept.values()), repeats


def assemble(
    card: ExamCard, entries: Sequence[Entry], passages: Sequence[Passage] = (), dropped: Counter[str] | None = None
) -> Exam:
    """The exam of some entries; documents are put in one fixed shuffled order, so that a limit is a fair sample."""
    groups: dict[str, list[ExamItem]] = {}
    for entry in entries:
        groups.setdefault(entry.item.cluster, []).append(entry.item)
    order = sorted(groups)
    Random(SHUFFLE).shuffle(order)
    counted = dict(sorted(dropped.items())) if dropped else {}
    return seal(
        card.model_copy(update={"dropped": counted}),
        [item for name in order for item in groups[name]],
        [*passages, *(entry.passage for entry in entries if entry.passage)],
        [entry.alteration for entry in entries if entry.alteration],
    )
