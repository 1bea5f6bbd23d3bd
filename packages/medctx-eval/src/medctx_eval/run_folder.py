"""What one examined model leaves on disk: a manifest and one Judged record per item x Condition x mode."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from medctx.jsonl import read_record, read_records, write_record, write_records
from medctx.records import Judged, Record
from medctx_eval.exams.exam import ExamCard

VERDICTS = "verdicts.jsonl"
MANIFEST = "exam.json"
REPLIES = "replies.jsonl"


class Cost(Record):
    """What the exam of one model cost."""

    requests: int = 0
    prompt_tokens: int = 0
    computed_tokens: int = 0
    books: int = 0
    book_prefills: float = 0.0
    seconds: float = 0.0


class Manifest(Record):
    """One examined model. ``mode`` is the scoring mode its headline numbers use, ``key`` the digest of model and
    paper: a run of the same key need not be done again.
    """

    model: str
    key: str = ""
    weights_digest: str
    adapter_digest: str = ""
    engine: str
    mode: str
    exams: tuple[ExamCard, ...]
    conditions: tuple[str, ...]
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
