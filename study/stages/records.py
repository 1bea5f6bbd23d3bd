"""The outcome of a study cell by cell, ``summary.json``: for people, the tracker and later analysis."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from medctx.schemas.records import Record
from medctx.schemas.report import Registration
from study.config.cells import StudyCell

SUMMARY_FILE = "summary.json"
_UNSAFE = re.compile(r"[^\w.+-]+")
Status = Literal["done", "failed", "not examined"]


def file_name(cell: str) -> str:
    """A cell's name as the name of a file."""
    return _UNSAFE.sub("-", cell).strip(".") or "cell"


class CellResult(Record):
    """One cell and what was made for it; folders as they were named when the study ran.

    Attributes:
        cell: The cell.
        status: Whether it was made and examined.
        reason: Why it is not done.
        mix: Folder of its training data.
        mix_digest: Digest of its Dialogues.
        trained: Folder of the step that made its weights.
        weights: Folder of its weights.
        weights_kind: Whether these are an adapter or a model.
        weights_digest: Their digest.
        tokens: Trained tokens in all, in ``steps`` optimizer steps and ``seconds``.
        general_share: Realised general fraction of its data, in [0, 1].
        last_loss: Training loss of the last step in nats per token.
        exam: Run folder with its verdicts.
    """

    cell: StudyCell
    status: Status
    reason: str = ""
    mix: Path | None = None
    mix_digest: str = ""
    trained: Path | None = None
    weights: Path | None = None
    weights_kind: Literal["", "adapter", "model"] = ""
    weights_digest: str = ""
    tokens: int = Field(0, ge=0)
    general_share: float | None = None
    steps: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    tokens_per_second: float = Field(0.0, ge=0)
    last_loss: float | None = None
    exam: Path | None = None


class StudySummary(Record):
    """A study that has run. ``report`` is the folder of its report; ``run_id`` its MLflow run, "" without one."""

    study: str
    title: str
    cells: tuple[CellResult, ...]
    report: Path | None = None
    run_id: str = ""

    @property
    def missing(self) -> tuple[CellResult, ...]:
        """The cells that are not done."""
        return tuple(result for result in self.cells if result.status != "done")


@dataclass(frozen=True, slots=True)
class Registered:
    """One registered version: of which cell, and the aliases that point at it."""

    cell: str
    model: str
    version: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished study shows: the folder of its report, the report's table, the registered versions, the primary
    contrast as predicted and as measured, and the selected cells that were not confirmed.
    """

    folder: Path
    table: str
    registered: tuple[Registered, ...]
    summary: StudySummary
    primary: Registration | None = None
    unconfirmed: tuple[str, ...] = ()
