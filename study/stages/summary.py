"""What came of a study, cell by cell: the one file that says everything, for people, the tracker and later analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from medctx.io.jsonl import read_record
from medctx.schemas.records import Record
from study.config.cells import Cell
from study.stages.tasks import mix_of, weights_of
from study.workflow import manifests
from study.workflow.graph import Results

FILE = "summary.json"
Status = Literal["done", "failed", "not examined"]


class CellResult(Record):
    """One cell and what was made for it. Folders as they were named when the study ran.

    ``reason``: why it is not done. ``tokens`` trained in all, in ``steps`` and ``seconds``; ``general_share``: the
    realised general part of its data, in [0, 1]; ``exam``: the run folder with its verdicts.
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
    exam: Path | None = None


class Summary(Record):
    """A study that has run. ``report`` is the folder of its report; ``run_id`` its MLflow run, "" without one."""

    study: str
    title: str
    cells: tuple[CellResult, ...]
    report: Path | None = None
    run_id: str = ""

    @property
    def missing(self) -> tuple[CellResult, ...]:
        """The cells that are not done."""
        return tuple(one for one in self.cells if one.status != "done")


def read(folder: Path) -> Summary:
    """The summary of the study whose files are in ``folder`` (``work/studies/NAME``)."""
    return read_record(folder / FILE, Summary)


def _made(cell: Cell, results: Results) -> dict[str, object]:
    """What a cell's steps left on disk."""
    found: dict[str, object] = {}
    if mix_of(cell) in results.done:
        folder = results.done[mix_of(cell)].folder
        mixed = manifests.read(folder / manifests.MIX, manifests.MixFile)
        found |= {"mix": folder, "mix_digest": mixed.digest, "general_share": mixed.general_share}
    if weights_of(cell) in results.done:
        folder = results.done[weights_of(cell)].folder
        weights = manifests.weights_of(folder)
        found |= {
            "trained": folder,
            "weights": weights.folder,
            "weights_kind": weights.kind,
            "weights_digest": weights.digest,
        }
        if (folder / manifests.TRAIN).is_file():
            run = manifests.read(folder / manifests.TRAIN, manifests.TrainFile)
            keys = ("tokens", "steps", "seconds", "tokens_per_second")
            found |= {key: getattr(run, key) for key in keys}
    return found


def results_of(
    cells: Sequence[Cell], results: Results, exams: Mapping[str, Path], lost: Mapping[str, str]
) -> tuple[CellResult, ...]:
    """Every cell's result; ``exams``: run folders by cell; ``lost``: why a cell could not even begin."""
    found = []
    for cell in cells:
        made = _made(cell, results) if cell.trained else {}
        reason = lost.get(cell.name, "") or results.failed.get(weights_of(cell), "") if cell.trained else ""
        reason = reason or lost.get(cell.name, "")
        status: Status = "failed"
        if not reason:
            status = "done" if cell.name in exams else "not examined"
            reason = "" if status == "done" else _why_not_examined(cell, results)
        found.append(CellResult(cell=cell, status=status, reason=reason, exam=exams.get(cell.name), **made))
    return tuple(found)


def _why_not_examined(cell: Cell, results: Results) -> str:
    reasons = [why for name, why in results.failed.items() if name.startswith(("exam", f"merge {cell.name}"))]
    return reasons[0] if reasons else "its exam did not say why"
