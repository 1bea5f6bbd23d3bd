"""Contamination: what every cell scores on all items, and on those not found in training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medctx.io.jsonl import read_record, read_records
from medctx.schemas.contamination import OVERLAPS, SUMMARY, TAUGHT, Overlap
from medctx.schemas.contamination import ContaminationReport as LedgerSummary
from medctx_eval.report.load.verdict_matrix import Aligned
from medctx_eval.report.load.view import Sheet
from medctx_eval.report.model import KNOWLEDGE, READING, Clean, Contamination
from medctx_eval.stats.clusters import BoolArray


@dataclass(frozen=True)
class Touched:
    """Items found in training data and the ways they were found in, by exam and item; ``exams``: what was compared at
    all, nothing where the ledger does not say.
    """

    ways: dict[tuple[str, str], frozenset[str]]
    exams: frozenset[str] | None

    def of(self, exam: str, item: str) -> frozenset[str]:
        """The ways an item was found in; none where it is clean."""
        return self.ways.get((exam, item), frozenset())


def read_all(paths: Sequence[Path]) -> Touched:
    """Several ledgers as one: an item is touched where any says so, an exam was compared where all did."""
    ways: dict[tuple[str, str], frozenset[str]] = {}
    exams: frozenset[str] | None = None
    for one in map(read, paths):
        for item, own in one.ways.items():
            ways[item] = ways.get(item, frozenset()) | own
        if one.exams is not None:
            exams = one.exams if exams is None else exams & one.exams
    return Touched(ways, exams)


def read(path: Path) -> Touched:
    """The ledger of a mix: its folder or its lines; its summary is read where it lies beside them."""
    lines = path / OVERLAPS if path.is_dir() else path
    ways: dict[tuple[str, str], frozenset[str]] = {}
    for touch in read_records(lines, Overlap):
        key = (touch.exam, touch.item)
        ways[key] = ways.get(key, frozenset()) | {touch.category}
    summary = lines.parent / SUMMARY
    if not summary.is_file():
        return Touched(ways, None)
    compared = read_record(summary, LedgerSummary)
    return Touched(ways, frozenset(one.exam for one in compared.exams))


def _headline(sheet: Sheet) -> BoolArray:
    masks = [sheet.masks[part] for part in (KNOWLEDGE, READING) if part in sheet.masks]
    return np.logical_or.reduce(masks) if masks else np.zeros(len(sheet.clusters), dtype=np.bool_)


def contamination(sheet: Sheet, touched: Touched) -> Contamination | None:
    """Of the items of both axes; nothing where neither was asked."""
    aligned = sheet.aligned
    asked = np.unique(aligned.item[aligned.starts][_headline(sheet)]).tolist()
    if not asked:
        return None
    ways = [touched.of(aligned.exams[code], aligned.items[code]) for code in asked]
    exams = dict.fromkeys(aligned.exams[code] for code in asked)
    return Contamination(
        asked=len(asked),
        found=sum(bool(own - {TAUGHT}) for own in ways),
        taught=sum(own == {TAUGHT} for own in ways),
        kinds={way: sum(way in own for own in ways) for way in sorted({way for own in ways for way in own - {TAUGHT}})},
        forgotten=() if touched.exams is None else tuple(exam for exam in exams if exam not in touched.exams),
    )


def _dirty(aligned: Aligned, touched: Touched) -> BoolArray:
    """(N,): the item was found in training data, be it that its fact is taught on purpose."""
    items = [bool(touched.of(exam, item)) for exam, item in zip(aligned.exams, aligned.items, strict=True)]
    return np.array(items, dtype=np.bool_)[aligned.item[aligned.starts]]


def clean(sheet: Sheet, touched: Touched) -> Iterator[Clean]:
    """Every cell on both axes."""
    contaminated = _dirty(sheet.aligned, touched)
    for part in (KNOWLEDGE, READING):
        if part not in sheet.masks:
            continue
        every = sheet.masks[part]
        kept = every & ~contaminated
        values = sheet.aligned.values
        on_all, on_clean = sheet.shares(values, every), sheet.shares(values, kept) if kept.any() else {}
        for cell in sheet.cells:
            yield Clean(cell=cell, part=part, every=on_all[cell], clean=on_clean.get(cell))
