"""The contamination report: the Dialogues of a mix compared with exams, file by file.

Contract for programs that call the console command::

    medctx-data contamination MIX --exam PATH [--exam [NAME=]PATH ...] [--out FOLDER]

MIX is a folder that ``medctx-data mix`` wrote. PATH is a file of ExamItem or Passage records or of the row schema
(``medctx_data.contamination.exam_files``), or a folder ``exam-plan-...`` that ``medctx-eval run`` writes next to its
run folders and names in each run's ``exam.json`` under ``exam_plan``: it holds the items (``items.jsonl.gz``) and the
Passages of their evidence (``passages.jsonl.gz``). An item is identified by its exam and its id. Without NAME both are
those of the records, which are those of the verdicts, so that a report finds them again.

Written to ``--out`` (default: into MIX), each file whole or not at all: ``overlaps.jsonl`` with one ``Overlap``
per line, and last ``contamination.json``, the ``ContaminationReport``, which marks it complete. The same call
again does nothing; after a kill it continues with the files of the mix that are missing. The exit code is 0 whatever
is found; the gate decides what follows from it::

    medctx-eval report RUNS... --set contamination=FOLDER --set max_contaminated=0.01
    medctx-eval report RUNS... --set "contamination=[FOLDER, FOLDER]"

A Dialogue that names the fact of a closed-book item among its ``facts`` may contain the words of that fact: such an
overlap is ``taught``, and the item does not count as touched for it (``Overlap``).

Several reports, one per mix, are combined: an item with an overlap in any of them is contaminated for every cell
(differences are paired on the same items), and an exam that one of them did not compare counts as not compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import medctx
from medctx.io import digest
from medctx.io.jsonl import read_record, read_records, write_record, write_records
from medctx.io.mix_folder import files_of, read_file
from medctx.process.progress import Advance, track
from medctx.schemas.contamination import OVERLAPS, SUMMARY, TAUGHT, CheckedExam, ContaminationReport, Overlap
from medctx.schemas.mix import MixManifest
from medctx_data.cleaning.fingerprints import dialogue_batches
from medctx_data.contamination.exam_files import ExamTexts
from medctx_data.contamination.exam_index import GRAM, ExamIndex
from medctx_data.contamination.overlap import find_overlaps
from medctx_data.row_store.parallel import work

_VERSION = 3


class Piece(NamedTuple):
    """One file of a mix and the file of its overlaps."""

    path: Path
    part: Path


@dataclass(frozen=True)
class _Compare:
    """Compares one file of a mix with the exams and writes its overlaps."""

    index: ExamIndex

    def __call__(self, piece: Piece) -> None:
        self.with_progress(piece, lambda step: None)

    def with_progress(self, piece: Piece, advance: Advance) -> None:
        """The same; ``advance`` is called with the number of Dialogues compared."""

        def overlaps() -> Iterator[Overlap]:
            for batch in dialogue_batches(read_file(piece.path)):
                yield from find_overlaps(batch, self.index)
                advance(len(batch))

        write_records(piece.part, overlaps(), checked=True)


def _compare(pieces: Sequence[Piece], index: ExamIndex, manifest: MixManifest, processes: int) -> None:
    missing = [piece for piece in pieces if not piece.part.is_file()]
    task = _Compare(index)
    total = manifest.dialogues * len(missing) / len(pieces)
    with track("comparing", total, "Dialogues") as advance:
        if len(missing) == 1:
            task.with_progress(missing[0], advance)
        else:
            for _ in work(task, missing, processes):
                advance(total / len(missing))


class _Count:
    """Counts of the overlaps for the summary."""

    def __init__(self) -> None:
        self.overlaps = 0
        self.rows: set[str] = set()
        self.items: dict[str, dict[str, set[str]]] = {}

    def watch(self, overlaps: Iterable[Overlap]) -> Iterator[Overlap]:
        for overlap in overlaps:
            self.overlaps += 1
            self.rows.add(overlap.row)
            if overlap.item:
                kinds = self.items.setdefault(overlap.exam, {})
                kinds.setdefault(overlap.category, set()).add(overlap.item)
            yield overlap

    def of(self, exam: ExamTexts) -> CheckedExam:
        kinds = self.items.get(exam.exam, {})
        overlapping = [items for category, items in kinds.items() if category != TAUGHT]
        return CheckedExam(
            exam=exam.exam,
            digest=exam.digest,
            items=len(exam.questions),
            passages=len(exam.passages),
            overlapping=len(set().union(*overlapping)),
            by_kind={kind: len(items) for kind, items in sorted(kinds.items())},
        )


def write_contamination_report(
    mix: Path, manifest: MixManifest, exams: Sequence[ExamTexts], similarity: float, out: Path, processes: int = 0
) -> ContaminationReport:
    """Compare a mix with exams and write the report to ``out``; an existing report of the same is returned unchanged.

    A kill loses the files in work; overlaps of finished files are kept.
    """
    request = digest.of_value(
        [_VERSION, manifest.digest, [[exam.exam, exam.digest] for exam in exams], similarity, GRAM]
    )
    if (out / SUMMARY).is_file():
        existing = read_record(out / SUMMARY, ContaminationReport)
        if existing.request == request:
            return existing
    parts = out / f".parts-{request[: digest.SHORT]}"
    pieces = [Piece(path, parts / f"{number:05d}.jsonl") for number, path in enumerate(files_of(mix))]
    _compare(pieces, ExamIndex(exams, similarity), manifest, processes)
    count = _Count()
    overlaps = (overlap for piece in pieces for overlap in read_records(piece.part, Overlap))
    write_records(out / OVERLAPS, count.watch(overlaps))
    report = ContaminationReport(
        medctx=medctx.__version__,
        request=request,
        mix_digest=manifest.digest,
        rows=manifest.dialogues,
        overlapping=len(count.rows),
        overlaps=count.overlaps,
        gram=GRAM,
        similarity=similarity,
        exams=tuple(count.of(exam) for exam in exams),
    )
    write_record(out / SUMMARY, report)
    shutil.rmtree(parts)
    return report
