"""Which items the contamination reports found in training data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medctx.io.jsonl import read_record, read_records
from medctx.schemas.contamination import OVERLAPS, SUMMARY, TAUGHT, ContaminationReport, Overlap
from medctx_eval.report.load.verdict_matrix import MaskArray, VerdictMatrix

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


def ways_of_items(matrix: VerdictMatrix, mask: MaskArray, overlaps: Overlaps) -> dict[ItemKey, frozenset[str]]:
    """Each item asked in a part of the exam, with the ways it was found in training data."""
    items = [(matrix.exams[code], matrix.items[code]) for code in np.unique(matrix.item[matrix.starts][mask]).tolist()]
    return {item: overlaps.of(*item) for item in items}


def contaminated_count(ways_of_each: Iterable[frozenset[str]]) -> int:
    """Number of items, given by the ways they were found, that are in training data other than as a taught fact."""
    return sum(bool(ways - {TAUGHT}) for ways in ways_of_each)
