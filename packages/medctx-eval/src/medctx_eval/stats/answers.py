"""Verdicts in columns, as the statistics of behaviour and of losses read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import Book, ExamItem, Judged, Mode, Verdict
from medctx_eval.exams.condition import Condition, parse
from medctx_eval.stats.clusters import BoolArray, FloatArray, IntArray, Labels, Values

UNKNOWN = -1


@dataclass(frozen=True)
class PerItem:
    """One value per item where items were asked more than once.

    Attributes:
        values: Mean of the item's values, shape (R, N).
        clusters: Cluster label of each item, shape (N,).
        first: Index at which each item was first asked, shape (N,).
        counts: How often each item was asked, shape (N,).
    """

    values: FloatArray
    clusters: NDArray[np.generic]
    first: IntArray
    counts: IntArray


def per_item(values: Values, items: Labels, clusters: Labels) -> PerItem:
    """Mean of ``values`` (R, K) over the K rows of each of N items, named by ``items`` (K labels).

    An item asked in several option orders, or under several conditions of one part, is one observation, because its
    answers share the question; every item has the same weight however often it was asked. Raises ValueError if the rows
    of an item lie in different ``clusters`` (K labels).
    """
    rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
    labels = np.asarray(clusters)
    _, first, index, counts = np.unique(np.asarray(items), return_index=True, return_inverse=True, return_counts=True)
    if (labels != labels[first][index]).any():
        raise ValueError("an item lies in two clusters")
    sums = np.array([np.bincount(index, weights=row, minlength=len(first)) for row in rows])
    return PerItem(
        values=sums / counts,
        clusters=labels[first],
        first=first.astype(np.int64),
        counts=counts.astype(np.int64),
    )


@dataclass(frozen=True)
class Answers:
    """Answers of R runs to K questions (item, condition, option order) in one mode.

    Attributes:
        item: Item label, (K,).
        cluster: Cluster label, (K,).
        condition: Index into ``conditions``, (K,).
        conditions: Names of the conditions.
        taught: False for facts that no training dialogue teaches, (K,).
        fits: Whether the Book fitted in every run, (K,).
        correct: Right answers, (R, K).
        wrong: Wrong answers, (R, K).
        abstained: Abstentions, (R, K); an answer with none of the three could not be read.
        from_memory: Answers with the letters that were right before the evidence was altered, (R, K).
        tokens: Length of the Book in tokens, (K,); -1 if unknown.
        distractors: Passages of the Book beside the item's own evidence, (K,); -1 if unknown.
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
    from_memory: BoolArray
    tokens: IntArray | None = None
    distractors: IntArray | None = None

    @cached_property
    def parsed_conditions(self) -> tuple[Condition, ...]:
        """The conditions, parsed."""
        return tuple(parse(name) for name in self.conditions)

    @cached_property
    def items(self) -> NDArray[np.generic]:
        """Item labels as an array (K,)."""
        return np.asarray(self.item)

    @cached_property
    def clusters(self) -> NDArray[np.generic]:
        """Cluster labels as an array (K,)."""
        return np.asarray(self.cluster)

    def under(self, *kinds: str) -> BoolArray:
        """Mask (K,) of the questions under conditions of these kinds that fitted."""
        codes = [code for code, condition in enumerate(self.parsed_conditions) if condition.kind in kinds]
        return np.asarray(np.isin(self.condition, codes) & self.fits)

    def of_runs(self, rows: Sequence[int]) -> Answers:
        """The answers of some of the runs."""
        chosen = list(rows)
        tables = {name: getattr(self, name)[chosen] for name in ("correct", "wrong", "abstained", "from_memory")}
        return replace(self, **tables)


def _distractors(judged: Judged, books: Mapping[str, Book], items: Mapping[str, ExamItem]) -> int:
    if judged.book not in books or judged.item not in items:
        return UNKNOWN
    evidence = set(items[judged.item].evidence)
    return sum(passage not in evidence for passage in books[judged.book].passages)


def answers(
    runs: Sequence[Sequence[Judged]],
    mode: Mode,
    books: Mapping[str, Book] | None = None,
    items: Mapping[str, ExamItem] | None = None,
) -> Answers:
    """Put the records of runs on the same questions into columns.

    Args:
        runs: The records of each run.
        mode: Scoring mode; records of other modes are ignored.
        books: Books by id, for their lengths and passages.
        items: Items by id, for their evidence.

    Raises:
        ValueError: If the runs were not asked the same questions.
    """
    by_key = [
        {(judged.item, judged.condition, judged.order): judged for judged in run if judged.mode == mode} for run in runs
    ]
    keys = sorted(by_key[0])
    if not keys or any(run.keys() != by_key[0].keys() for run in by_key):
        raise ValueError(f"the runs were not asked the same questions in mode {mode!r}")
    table = [[run[key] for key in keys] for run in by_key]
    first = table[0]
    books, items = books or {}, items or {}
    conditions = sorted({judged.condition for judged in first})

    def mask(*verdicts: Verdict) -> BoolArray:
        return np.array([[judged.verdict in verdicts for judged in row] for row in table], dtype=np.bool_)

    return Answers(
        item=[judged.item for judged in first],
        cluster=[judged.cluster for judged in first],
        condition=np.array([conditions.index(judged.condition) for judged in first], dtype=np.int64),
        conditions=tuple(conditions),
        taught=np.array([judged.tags.get("taught", "yes") == "yes" for judged in first], dtype=np.bool_),
        fits=np.asarray(~mask(Verdict.DOES_NOT_FIT).any(axis=0)),
        correct=mask(Verdict.CORRECT),
        wrong=mask(Verdict.WRONG),
        abstained=mask(Verdict.ABSTAINED),
        from_memory=np.array(
            [[bool(judged.memory) and judged.chosen == judged.memory for judged in row] for row in table]
        ),
        tokens=np.array([books[judged.book].tokens if judged.book in books else UNKNOWN for judged in first]),
        distractors=np.array([_distractors(judged, books, items) for judged in first]),
    )
