"""What cells do rather than how often they are right, and where their losses lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medctx.schemas.records import ExamItem, Verdict
from medctx.schemas.report import Cell
from medctx_eval.report.analyses.comparisons import pairs_of
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.exam_contents import BookFacts
from medctx_eval.report.load.verdict_matrix import VERDICTS, Aligned
from medctx_eval.report.load.view import Sheet
from medctx_eval.report.model import Conduct, Losses
from medctx_eval.stats.answers import UNKNOWN, Answers
from medctx_eval.stats.attribution import attributions
from medctx_eval.stats.behaviour import behaviours
from medctx_eval.stats.clusters import BoolArray

DRAWS = 2000
"""Of every part a loss is taken into: there are many, and they carry no verdict."""


def _lengths(
    aligned: Aligned, items: Mapping[str, ExamItem], books: Mapping[str, BookFacts]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(K,) tokens of the Book, and how many Passages beside the item's own evidence it has; -1 where unknown."""
    tokens = np.full(len(aligned.item), UNKNOWN, dtype=np.int64)
    distractors = tokens.copy()
    known: dict[tuple[int, int], int] = {}
    for key, (code, own) in enumerate(zip(aligned.item.tolist(), aligned.book.tolist(), strict=True)):
        facts, item = books.get(aligned.books[own]), items.get(aligned.items[code])
        if facts is None:
            continue
        tokens[key] = facts.tokens
        if item is not None:
            if (code, own) not in known:
                known[code, own] = len(set(facts.passages) - set(item.evidence))
            distractors[key] = known[code, own]
    return tokens, distractors


def answers(aligned: Aligned, items: Mapping[str, ExamItem], books: Mapping[str, BookFacts]) -> Answers:
    """The columns as the statistics read them."""

    def marks(verdict: Verdict) -> BoolArray:
        return np.asarray(aligned.verdicts == VERDICTS.index(verdict))

    tokens, distractors = _lengths(aligned, items, books)
    return Answers(
        item=aligned.item.astype(np.int64),
        cluster=aligned.cluster.astype(np.int64),
        condition=aligned.condition.astype(np.int64),
        conditions=aligned.conditions,
        taught=aligned.taught,
        fits=aligned.keys_of(aligned.fits),
        correct=marks(Verdict.CORRECT),
        wrong=marks(Verdict.WRONG),
        abstained=marks(Verdict.ABSTAINED),
        remembered=np.asarray((aligned.memory > 0) & (aligned.chosen == aligned.memory)),
        tokens=tokens if books else None,
        distractors=distractors if books else None,
    )


def conduct(sheet: Sheet, asked: Answers, config: ReportConfig) -> Iterator[Conduct]:
    """Every cell: knows, reads, trusts memory, invents, and what Books add."""
    found = behaviours(
        asked, list(sheet.rows.values()), untrained=sheet.untrained, draws=config.draws, seed=config.seed
    )
    for cell, own in zip(sheet.rows, found, strict=True):
        yield Conduct(cell=cell, behaviour=own)


def losses(sheet: Sheet, asked: Answers, cells: Sequence[Cell], config: ReportConfig) -> Iterator[Losses]:
    """Every tuned cell's difference to its base, taken apart."""
    pairs, _ = pairs_of(cells, sheet.cells)
    found = attributions(
        asked,
        [(sheet.rows[cell], sheet.rows[base]) for cell, base in pairs],
        untrained=sheet.untrained,
        draws=min(config.draws, DRAWS),
    )
    for (cell, _), own in zip(pairs, found, strict=True):
        yield Losses(cell=cell, attribution=own)
