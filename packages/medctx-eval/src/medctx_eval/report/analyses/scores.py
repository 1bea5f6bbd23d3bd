"""Accuracy of every cell on every part, and what became of the other answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medctx.schemas.records import Verdict
from medctx.schemas.report import READABLE, UNREADABLE, Score
from medctx.schemas.statistics import Accuracy
from medctx_eval.report.load.verdict_matrix import VERDICTS, MaskArray
from medctx_eval.report.load.view import ModeView


def _score(view: ModeView, cell: str, part: str, planned_items: MaskArray, accuracy: Accuracy) -> Score:
    matrix, rows = view.matrix, list(view.rows[cell])
    questions = matrix.questions_of(planned_items)
    counted = np.bincount(matrix.verdicts[rows][:, questions].ravel(), minlength=len(VERDICTS))
    counts = {verdict: int(count) for verdict, count in zip(VERDICTS, counted, strict=True)}
    total = int(questions.sum()) * len(rows)
    fitting = total - counts[Verdict.DOES_NOT_FIT]
    readable = sum(counts[verdict] for verdict in READABLE)
    unreadable = sum(counts[verdict] for verdict in UNREADABLE)
    return Score(
        cell=cell,
        part=part,
        mode=view.mode,
        n=total,
        verdicts=counts,
        accuracy=accuracy,
        validity=readable / fitting if fitting else 0.0,
        upper_bound=min(1.0, accuracy.value + unreadable / total),
        seeds=tuple(matrix.values[rows][:, planned_items].mean(axis=1).tolist()),
        dropped_for_others=int(matrix.dropped_for_others[rows][:, questions].sum()),
    )


def scores(view: ModeView) -> Iterator[Score]:
    """The score of every cell on every part of one mode."""
    accuracies = {part: view.shares(view.matrix.values, mask) for part, mask in view.masks.items()}
    for cell in view.cells:
        for part, mask in view.masks.items():
            yield _score(view, cell, part, mask, accuracies[part][cell])
