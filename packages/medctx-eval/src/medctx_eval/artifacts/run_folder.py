"""The files of one examined model: a manifest and one Judged record per item, Condition, mode and option order."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, read_records, write_record, write_records
from medctx.io.lock import LOCK_FILE
from medctx.schemas.exam_run import EXAM_FILE, VERDICTS_FILE, ExamManifest
from medctx.schemas.records import Book, ExamItem, Judged, Record
from medctx_eval.artifacts.checksums import write_checksums

VERDICTS = VERDICTS_FILE
REPLIES = "replies.jsonl"
ITEMS = "items.jsonl.gz"
BOOKS = "books.jsonl.gz"


class RunFolder(Record):
    """The contents of a finished run folder."""

    manifest: ExamManifest
    judged: tuple[Judged, ...]


def write_run(folder: Path, manifest: ExamManifest, judged: list[Judged]) -> None:
    """Write the verdicts first, and last the manifest with their digest: a folder with a manifest is complete."""
    # An earlier manifest would not be that of these verdicts.
    (folder / EXAM_FILE).unlink(missing_ok=True)
    write_records(folder / VERDICTS, judged)
    manifest = manifest.model_copy(update={"verdicts_digest": digest.of_file(folder / VERDICTS)})
    write_record(folder / EXAM_FILE, manifest)
    write_run_checksums(folder, manifest)


def write_run_checksums(folder: Path, manifest: ExamManifest) -> None:
    """Write the checksums of a run's files and of the items and Books it was asked."""
    plan = folder.parent / manifest.exam_plan
    files = [folder / VERDICTS, folder / EXAM_FILE, folder / REPLIES, plan / ITEMS, plan / BOOKS]
    write_checksums(folder, [file for file in files if file.is_file()])


def read_verdicts(folder: Path, manifest: ExamManifest) -> Iterator[Judged]:
    """Read the verdicts of a finished run one by one; raises MedctxError at once if they were changed."""
    verdicts = folder / VERDICTS
    if manifest.verdicts_digest and verdicts.is_file() and digest.of_file(verdicts) != manifest.verdicts_digest:
        raise MedctxError(
            f"{verdicts} was changed after {EXAM_FILE} was written (its digest differs); remove {folder / EXAM_FILE} "
            "and run the exam again, which judges the stored answers again."
        )
    return read_records(verdicts, Judged)


def read_run(folder: Path) -> RunFolder:
    """Read a finished run; raises MedctxError if it is not one, or its verdicts were changed."""
    manifest = read_record(folder / EXAM_FILE, ExamManifest)
    return RunFolder(manifest=manifest, judged=tuple(read_verdicts(folder, manifest)))


def copy_as(folder: Path, finished: Path, *, model: str, cell: str, training_seed: int | None) -> None:
    """Copy a finished run to ``folder`` under another name: the same weights were asked the same plan."""
    scratch = folder.with_name(f".{folder.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(finished, scratch, ignore=shutil.ignore_patterns(f"{LOCK_FILE}*"))
    manifest = read_record(finished / EXAM_FILE, ExamManifest)
    names = {"model": model, "cell": cell, "training_seed": training_seed}
    renamed = manifest.model_copy(update=names)
    write_record(scratch / EXAM_FILE, renamed)
    write_run_checksums(scratch, renamed)
    os.replace(scratch, folder)


def read_items(folder: Path, manifest: ExamManifest) -> dict[str, ExamItem]:
    """The items of a run by id; empty if the plan's folder is missing."""
    file = folder.parent / manifest.exam_plan / ITEMS
    return {item.id: item for item in read_records(file, ExamItem)} if manifest.exam_plan and file.is_file() else {}


def read_books(folder: Path, manifest: ExamManifest) -> dict[str, Book]:
    """The Books of a run by id; empty if the plan's folder is missing."""
    file = folder.parent / manifest.exam_plan / BOOKS
    return {book.id: book for book in read_records(file, Book)} if manifest.exam_plan and file.is_file() else {}
