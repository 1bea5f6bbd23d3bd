"""How often every cell is right on every part, and what became of the other answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medctx.schemas.records import Verdict
from medctx.schemas.report import Accuracy, Score
from medctx_eval.report.load.verdict_matrix import VERDICTS
from medctx_eval.report.load.view import Sheet
from medctx_eval.stats.clusters import BoolArray

READABLE = (Verdict.CORRECT, Verdict.WRONG, Verdict.ABSTAINED)
UNREADABLE = (Verdict.UNPARSABLE, Verdict.TRUNCATED, Verdict.FAILED)


def _score(sheet: Sheet, cell: str, part: str, planned_items: BoolArray, found: Accuracy) -> Score:
    aligned, rows = sheet.aligned, list(sheet.rows[cell])
    keys = aligned.keys_of(planned_items)
    counted = np.bincount(aligned.verdicts[rows][:, keys].ravel(), minlength=len(VERDICTS))
    counts = {verdict: int(count) for verdict, count in zip(VERDICTS, counted, strict=True)}
    total = int(keys.sum()) * len(rows)
    fitting = total - counts[Verdict.DOES_NOT_FIT]
    readable = sum(counts[verdict] for verdict in READABLE)
    unreadable = sum(counts[verdict] for verdict in UNREADABLE)
    return Score(
        cell=cell,
        part=part,
        mode=sheet.mode,
        n=total,
        verdicts=counts,
        accuracy=found,
        validity=readable / fitting if fitting else 0.0,
        upper=min(1.0, found.value + unreadable / total),
        seeds=tuple(aligned.values[rows][:, planned_items].mean(axis=1).tolist()),
        imposed=int(aligned.imposed[rows][:, keys].sum()),
    )


def scores(sheet: Sheet) -> Iterator[Score]:
    """Every cell on every part of one mode."""
    accuracies = {part: sheet.shares(sheet.aligned.values, mask) for part, mask in sheet.masks.items()}
    for cell in sheet.cells:
        for part, mask in sheet.masks.items():
            yield _score(sheet, cell, part, mask, accuracies[part][cell])
