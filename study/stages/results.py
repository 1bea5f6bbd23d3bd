"""The outcome of a study cell by cell, ``summary.json``: for people, the tracker and later analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from medctx.io.jsonl import read_record
from medctx.schemas.records import Record
from study.config.cells import Cell
from study.stages.cell_steps import mix_digest, weights_of
from study.stages.task_names import merge_task, mix_task, weights_task
from study.workflow.graph import Results

SUMMARY_FILE = "summary.json"
Status = Literal["done", "failed", "not examined"]


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

    cell: Cell
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
    """What a finished study shows: the folder of its report, the report's table, the registered versions."""

    folder: Path
    table: str
    registered: tuple[Registered, ...]
    summary: StudySummary


def read_summary(folder: Path) -> StudySummary:
    """The summary of the study whose files are in ``folder`` (``work/studies/NAME``)."""
    return read_record(folder / SUMMARY_FILE, StudySummary)


def _made(cell: Cell, results: Results) -> dict[str, object]:
    """What a cell's steps made."""
    made: dict[str, object] = {}
    mix = results.done.get(mix_task(cell))
    if mix is not None:
        made |= {"mix": mix.folder, "mix_digest": mix_digest(mix), "general_share": mix.result.numbers["general_share"]}
    trained = results.done.get(weights_task(cell))
    if trained is not None:
        weights, numbers = weights_of(trained), trained.result.numbers
        made |= {
            "trained": trained.folder,
            "weights": weights.folder,
            "weights_kind": weights.kind,
            "weights_digest": weights.digest,
        }
        if "tokens" in numbers:
            made |= {"tokens": int(numbers["tokens"]), "steps": int(numbers["steps"])}
            made |= {key: numbers[key] for key in ("seconds", "tokens_per_second", "last_loss")}
    return made


def cell_results(
    cells: Sequence[Cell], results: Results, exams: Mapping[str, Path], lost: Mapping[str, str]
) -> tuple[CellResult, ...]:
    """Every cell's result.

    Args:
        cells: The cells of the study.
        results: The outcome of its tasks.
        exams: Run folders by cell.
        lost: Why a cell could not be started, by cell.
    """
    rows = []
    for cell in cells:
        reason = lost.get(cell.name, "")
        if not reason and cell.trained:
            reason = results.failed.get(weights_task(cell), "")
        status: Status = "failed"
        if not reason:
            status = "done" if cell.name in exams else "not examined"
            reason = "" if status == "done" else _why_not_examined(cell, results)
        made = _made(cell, results) if cell.trained else {}
        rows.append(CellResult(cell=cell, status=status, reason=reason, exam=exams.get(cell.name), **made))
    return tuple(rows)


def _why_not_examined(cell: Cell, results: Results) -> str:
    reasons = [reason for name, reason in results.failed.items() if name.startswith(("exam", merge_task(cell)))]
    return reasons[0] if reasons else "its exam did not say why"
