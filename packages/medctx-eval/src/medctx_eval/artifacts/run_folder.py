"""What one examined model leaves on disk: a manifest and one Judged record per item x Condition x mode."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pydantic import Field

from medctx.io.jsonl import read_record, read_records, write_record, write_records
from medctx.schemas.records import Book, ExamItem, Judged, Mode, Record
from medctx_eval.engines.usage import Usage
from medctx_eval.exams.exam import ExamCard

VERDICTS = "verdicts.jsonl"
MANIFEST = "exam.json"
REPLIES = "replies.jsonl"
ITEMS = "items.jsonl.gz"
BOOKS = "books.jsonl.gz"


class Cost(Usage):
    """What the exam of one model cost in all its sessions, and how many ``books`` it has."""

    books: int = 0


class Manifest(Record):
    """One examined model. ``mode`` is the scoring mode its headline numbers use, ``key`` the digest of model and
    paper: a run of the same key need not be done again.

    ``possible`` are the modes the engine was found to allow, ``means`` says how it reads or holds answers. ``proof``
    is how far the adapter moves the canary in the reference and as served, in nats. ``cell`` names what was trained
    and ``training_seed`` which repetition of it this is: runs of one cell differ in the seed alone. ``exam_plan`` is
    the sibling folder that holds the items and Books asked; ``unalterable`` by exam how many items were left out of
    ``counterfactual`` because their evidence cannot be altered with certainty.
    """

    model: str
    cell: str = ""
    training_seed: int | None = None
    key: str = ""
    weights_digest: str
    adapter_digest: str = ""
    engine: str
    mode: Mode
    modes: tuple[Mode, ...] = ()
    possible: tuple[Mode, ...] = ()
    means: dict[str, str] = Field(default_factory=dict)
    proof: dict[str, float] = Field(default_factory=dict)
    exam_plan: str = ""
    exams: tuple[ExamCard, ...]
    conditions: tuple[str, ...]
    unalterable: dict[str, int] = Field(default_factory=dict)
    n: int = Field(ge=0)
    cost: Cost = Cost()
    versions: dict[str, str] = Field(default_factory=dict)
    seed: int = 0


class RunFolder(Record):
    """A finished run."""

    manifest: Manifest
    judged: tuple[Judged, ...]


def write(folder: Path, manifest: Manifest, judged: list[Judged]) -> None:
    """Write verdicts first and the manifest last: a folder with a manifest is whole."""
    write_records(folder / VERDICTS, judged)
    write_record(folder / MANIFEST, manifest)


def read(folder: Path) -> RunFolder:
    """Read a finished run; raises MedctxError where it is not one."""
    manifest = read_record(folder / MANIFEST, Manifest)
    return RunFolder(manifest=manifest, judged=tuple(read_records(folder / VERDICTS, Judged)))


def adopt(folder: Path, finished: Path, *, model: str, cell: str, training_seed: int | None) -> None:
    """Make ``folder`` what ``finished`` is, under another name: the same weights were asked the same paper."""
    scratch = folder.with_name(f".{folder.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(finished, scratch)
    manifest = read_record(finished / MANIFEST, Manifest)
    named = {"model": model, "cell": cell, "training_seed": training_seed}
    write_record(scratch / MANIFEST, manifest.model_copy(update=named))
    os.replace(scratch, folder)


def read_items(folder: Path, manifest: Manifest) -> dict[str, ExamItem]:
    """The items asked in a run by id; empty where the paper's folder is gone."""
    file = folder.parent / manifest.exam_plan / ITEMS
    return {item.id: item for item in read_records(file, ExamItem)} if manifest.exam_plan and file.is_file() else {}


def read_books(folder: Path, manifest: Manifest) -> dict[str, Book]:
    """The Books of a run by id; empty where the paper's folder is gone."""
    file = folder.parent / manifest.exam_plan / BOOKS
    return {book.id: book for book in read_records(file, Book)} if manifest.exam_plan and file.is_file() else {}
