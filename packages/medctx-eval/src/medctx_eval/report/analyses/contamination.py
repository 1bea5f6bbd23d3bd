"""Contamination: accuracy of every cell on all items and on those not found in training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medctx.io.jsonl import read_record, read_records
from medctx.schemas.contamination import OVERLAPS, SUMMARY, TAUGHT, ContaminationReport, Overlap
from medctx.schemas.report import KNOWLEDGE, READING, Contamination
from medctx_eval.report.load.verdict_matrix import MaskArray, VerdictMatrix
from medctx_eval.report.load.view import ModeView
from medctx_eval.report.sections import CleanScore

ItemKey = tuple[str, str]
"""Exam and item."""


@dataclass(frozen=True)
class Overlaps:
    """Items found in training data and the ways they were found.

    Attributes:
        ways: Ways by item.
        exams: Exams that were checked; None if the report does not say.
    """

    ways: dict[ItemKey, frozenset[str]]
    exams: frozenset[str] | None

    def of(self, exam: str, item: str) -> frozenset[str]:
        """The ways an item was found; empty if it is clean."""
        return self.ways.get((exam, item), frozenset())


def read_overlaps(paths: Sequence[Path]) -> Overlaps:
    """Read contamination reports as one.

    An item counts as found if any report found it, an exam as checked if all reports checked it.
    """
    ways: dict[ItemKey, frozenset[str]] = {}
    exams: frozenset[str] | None = None
    for overlaps in map(_read, paths):
        for item, item_ways in overlaps.ways.items():
            ways[item] = ways.get(item, frozenset()) | item_ways
        if overlaps.exams is not None:
            exams = overlaps.exams if exams is None else exams & overlaps.exams
    return Overlaps(ways, exams)


def _read(path: Path) -> Overlaps:
    """One contamination report, given as its folder or as its lines; the summary is read if it lies beside them."""
    lines = path / OVERLAPS if path.is_dir() else path
    ways: dict[ItemKey, frozenset[str]] = {}
    for overlap in read_records(lines, Overlap):
        key = (overlap.exam, overlap.item)
        ways[key] = ways.get(key, frozenset()) | {overlap.category}
    summary = lines.parent / SUMMARY
    if not summary.is_file():
        return Overlaps(ways, None)
    checked = read_record(summary, ContaminationReport)
    return Overlaps(ways, frozenset(exam.exam for exam in checked.exams))


def _on_headline_axes(view: ModeView) -> MaskArray:
    masks = [view.masks[part] for part in (KNOWLEDGE, READING) if part in view.masks]
    return np.logical_or.reduce(masks) if masks else np.zeros(len(view.clusters), dtype=np.bool_)


def _ways(view: ModeView, mask: MaskArray, overlaps: Overlaps) -> dict[ItemKey, frozenset[str]]:
    """Each item asked in a part of the exam, with the ways it was found in training data."""
    matrix = view.matrix
    items = [(matrix.exams[code], matrix.items[code]) for code in np.unique(matrix.item[matrix.starts][mask]).tolist()]
    return {item: overlaps.of(*item) for item in items}


def contaminated_items(view: ModeView, mask: MaskArray, overlaps: Overlaps) -> int:
    """Number of items asked in a part of the exam and found in training data, other than as a taught fact."""
    return sum(bool(ways - {TAUGHT}) for ways in _ways(view, mask, overlaps).values())


def contamination(view: ModeView, overlaps: Overlaps) -> Contamination | None:
    """Contamination of the items of both axes; None if neither was asked."""
    mask = _on_headline_axes(view)
    by_item = _ways(view, mask, overlaps)
    if not by_item:
        return None
    ways = list(by_item.values())
    exams = dict.fromkeys(exam for exam, _ in by_item)
    kinds = sorted({way for item_ways in ways for way in item_ways - {TAUGHT}})
    return Contamination(
        items=len(ways),
        contaminated=contaminated_items(view, mask, overlaps),
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
