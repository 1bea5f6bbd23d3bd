"""Verdicts in columns: what runs answered on the same rows, as the statistics of behaviour and of losses read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import Book, ExamItem, Judged, Mode, Verdict
from medctx_eval.exams.condition import Condition, parse
from medctx_eval.stats.clusters import BoolArray, IntArray, Labels

UNKNOWN = -1


@dataclass(frozen=True)
class Answers:
    """R runs on K rows (item, Condition, order of options) of one mode.

    Columns (K,): ``item`` and ``cluster`` are labels, ``condition`` indexes ``conditions``; ``taught`` is false for
    facts that no Dialogue teaches, ``fits`` where the Book had room in every run; ``tokens`` is the length of the
    Book and ``distractors`` counts its Passages beside the item's own evidence (-1 where unknown). Tables (R, K):
    ``correct``, ``wrong``, ``abstained`` (none of the three: no readable answer), and ``remembered``: the letters
    that were right before the evidence was altered.
    """

    item: Labels
    cluster: Labels
    condition: IntArray
    conditions: tuple[str, ...]
    taught: BoolArray
    fits: BoolArray
    correct: BoolArray
    wrong: BoolArray
    abstained: BoolArray
    remembered: BoolArray
    tokens: IntArray | None = None
    distractors: IntArray | None = None

    @cached_property
    def places(self) -> tuple[Condition, ...]:
        """The Conditions, read."""
        return tuple(parse(name) for name in self.conditions)

    @cached_property
    def items(self) -> NDArray[np.generic]:
        """Labels as an array (K,)."""
        return np.asarray(self.item)

    @cached_property
    def clusters(self) -> NDArray[np.generic]:
        """Labels as an array (K,)."""
        return np.asarray(self.cluster)

    def of(self, *kinds: str) -> BoolArray:
        """The rows (K,) of Conditions of some kinds that fit."""
        wanted = [code for code, place in enumerate(self.places) if place.kind in kinds]
        return np.asarray(np.isin(self.condition, wanted) & self.fits)

    def runs(self, rows: Sequence[int]) -> Answers:
        """Some of the runs alone."""
        chosen = list(rows)
        tables = {name: getattr(self, name)[chosen] for name in ("correct", "wrong", "abstained", "remembered")}
        return replace(self, **tables)


def _distractors(one: Judged, books: Mapping[str, Book], items: Mapping[str, ExamItem]) -> int:
    if one.book not in books or one.item not in items:
        return UNKNOWN
    own = set(items[one.item].evidence)
    return sum(passage not in own for passage in books[one.book].passages)


def answers(
    runs: Sequence[Sequence[Judged]],
    mode: Mode,
    books: Mapping[str, Book] | None = None,
    items: Mapping[str, ExamItem] | None = None,
) -> Answers:
    """The records of runs that were asked the same, in columns; what does not fit one run fits none.

    ``books`` and ``items`` by id say how long Books are and what is in them. Raises ValueError where the runs were
    not asked the same rows.
    """
    own = [{(one.item, one.condition, one.order): one for one in run if one.mode == mode} for run in runs]
    keys = sorted(own[0])
    if not keys or any(found.keys() != own[0].keys() for found in own):
        raise ValueError(f"the runs were not asked the same rows in mode {mode!r}")
    table = [[found[key] for key in keys] for found in own]
    first = table[0]
    books, items = books or {}, items or {}
    conditions = sorted({one.condition for one in first})

    def marks(*verdicts: Verdict) -> BoolArray:
        return np.array([[one.verdict in verdicts for one in row] for row in table], dtype=np.bool_)

    return Answers(
        item=[one.item for one in first],
        cluster=[one.cluster for one in first],
        condition=np.array([conditions.index(one.condition) for one in first], dtype=np.int64),
        conditions=tuple(conditions),
        taught=np.array([one.tags.get("taught", "yes") == "yes" for one in first], dtype=np.bool_),
        fits=np.asarray(~marks(Verdict.DOES_NOT_FIT).any(axis=0)),
        correct=marks(Verdict.CORRECT),
        wrong=marks(Verdict.WRONG),
        abstained=marks(Verdict.ABSTAINED),
        remembered=np.array([[bool(one.memory) and one.chosen == one.memory for one in row] for row in table]),
        tokens=np.array([books[one.book].tokens if one.book in books else UNKNOWN for one in first]),
        distractors=np.array([_distractors(one, books, items) for one in first]),
    )
