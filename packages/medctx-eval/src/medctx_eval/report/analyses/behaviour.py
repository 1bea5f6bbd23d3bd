"""What cells do beside being right or wrong, and where their losses come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import ExamItem, Verdict
from medctx.schemas.report import KNOWLEDGE, READING, Cell
from medctx_eval.report.load.cells import pairs_of
from medctx_eval.report.load.exam_contents import BookOutline
from medctx_eval.report.load.verdict_matrix import VERDICTS, MaskArray, VerdictMatrix
from medctx_eval.report.load.view import ModeView
from medctx_eval.report.sections import CellAttribution, CellBehaviour
from medctx_eval.stats.answers import UNKNOWN, Answers
from medctx_eval.stats.attribution import attributions
from medctx_eval.stats.behaviour import behaviours

STRATUM_DRAWS = 2000
"""Largest number of bootstrap resamples of a stratum: strata are many and decide nothing."""


def _lengths(
    matrix: VerdictMatrix, items: Mapping[str, ExamItem], books: Mapping[str, BookOutline]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens of the Book and its passages beside the item's own evidence, both (K,); -1 if unknown."""
    tokens = np.full(len(matrix.item), UNKNOWN, dtype=np.int64)
    distractors = tokens.copy()
    known: dict[tuple[int, int], int] = {}
    for question, (item_code, book_code) in enumerate(zip(matrix.item.tolist(), matrix.book.tolist(), strict=True)):
        book, item = books.get(matrix.books[book_code]), items.get(matrix.items[item_code])
        if book is None:
            continue
        tokens[question] = book.tokens
        if item is not None:
            if (item_code, book_code) not in known:
                known[item_code, book_code] = len(set(book.passages) - set(item.evidence))
            distractors[question] = known[item_code, book_code]
    return tokens, distractors


def answer_matrix(matrix: VerdictMatrix, items: Mapping[str, ExamItem], books: Mapping[str, BookOutline]) -> Answers:
    """The matrix as the statistics of behaviour and attribution read it."""

    def mask(verdict: Verdict) -> MaskArray:
        return np.asarray(matrix.verdicts == VERDICTS.index(verdict))

    tokens, distractors = _lengths(matrix, items, books)
    return Answers(
        item=matrix.item.astype(np.int64),
        cluster=matrix.cluster.astype(np.int64),
        condition=matrix.condition.astype(np.int64),
        conditions=matrix.conditions,
        taught=matrix.taught,
        fits=matrix.questions_of(matrix.fits),
        correct=mask(Verdict.CORRECT),
        wrong=mask(Verdict.WRONG),
        abstained=mask(Verdict.ABSTAINED),
        from_memory=np.asarray((matrix.memory > 0) & (matrix.chosen == matrix.memory)),
        tokens=tokens if books else None,
        distractors=distractors if books else None,
    )


def cell_behaviours(view: ModeView, answers: Answers, *, draws: int, seed: int) -> Iterator[CellBehaviour]:
    """The behaviour of every cell: knows, reads, trusts memory, invents, and what Books add.

    What it knows and reads are its scores on the two axes.
    """
    known, read = (
        list(view.shares(view.matrix.values, view.masks[axis]).values()) if axis in view.masks else None
        for axis in (KNOWLEDGE, READING)
    )
    results = behaviours(
        answers, list(view.rows.values()), untrained=view.untrained, draws=draws, seed=seed, knows=known, reads=read
    )
    for cell, behaviour in zip(view.rows, results, strict=True):
        yield CellBehaviour(cell=cell, behaviour=behaviour)


def cell_attributions(
    view: ModeView, answers: Answers, cells: Sequence[Cell], *, draws: int
) -> Iterator[CellAttribution]:
    """The difference of every tuned cell to its base, split into strata."""
    pairs, _ = pairs_of(cells, view.cells)
    results = attributions(
        answers,
        [(view.rows[cell], view.rows[base]) for cell, base in pairs],
        untrained=view.untrained,
        draws=min(draws, STRATUM_DRAWS),
    )
    for (cell, _), attribution in zip(pairs, results, strict=True):
        yield CellAttribution(cell=cell, attribution=attribution)
