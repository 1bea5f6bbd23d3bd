"""Contamination: accuracy of every cell on all items and on those not found in training data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medctx.schemas.contamination import TAUGHT
from medctx.schemas.report import KNOWLEDGE, READING, Contamination
from medctx_eval.report.load.overlaps import Overlaps, contaminated_count, ways_of_items
from medctx_eval.report.load.verdict_matrix import MaskArray, VerdictMatrix
from medctx_eval.report.load.view import ModeView
from medctx_eval.report.sections import CleanScore


def _on_headline_axes(view: ModeView) -> MaskArray:
    masks = [view.masks[part] for part in (KNOWLEDGE, READING) if part in view.masks]
    return np.logical_or.reduce(masks) if masks else np.zeros(len(view.clusters), dtype=np.bool_)


def contamination(view: ModeView, overlaps: Overlaps) -> Contamination | None:
    """Contamination of the items of both axes; None if neither was asked."""
    by_item = ways_of_items(view.matrix, _on_headline_axes(view), overlaps)
    if not by_item:
        return None
    ways = list(by_item.values())
    exams = dict.fromkeys(exam for exam, _ in by_item)
    kinds = sorted({way for item_ways in ways for way in item_ways - {TAUGHT}})
    return Contamination(
        items=len(ways),
        contaminated=contaminated_count(ways),
        taught=sum(item_ways == {TAUGHT} for item_ways in ways),
        by_kind={kind: sum(kind in item_ways for item_ways in ways) for kind in kinds},
        unchecked_exams=() if overlaps.exams is None else tuple(exam for exam in exams if exam not in overlaps.exams),
    )


def _found(matrix: VerdictMatrix, overlaps: Overlaps) -> MaskArray:
    """Planned items (N,) found in training data, including those whose fact is taught on purpose."""
    items = [bool(overlaps.of(exam, item)) for exam, item in zip(matrix.exams, matrix.items, strict=True)]
    return np.array(items, dtype=np.bool_)[matrix.item[matrix.starts]]


def clean_scores(view: ModeView, overlaps: Overlaps) -> Iterator[CleanScore]:
    """Every cell on both axes, on all items and on the clean ones."""
    overlapping = _found(view.matrix, overlaps)
    for part in (KNOWLEDGE, READING):
        if part not in view.masks:
            continue
        mask = view.masks[part]
        kept = mask & ~overlapping
        values = view.matrix.values
        on_all, on_clean = view.shares(values, mask), view.shares(values, kept) if kept.any() else {}
        for cell in view.cells:
            yield CleanScore(cell=cell, part=part, all_items=on_all[cell], clean_items=on_clean.get(cell))
