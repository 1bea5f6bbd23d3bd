"""The numbers of a cell as metrics: its own run's, and those pooled over its training seeds under other names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medctx.schemas.exam_run import ExamManifest
from medctx.schemas.report import Cell, ReportCore
from medctx.tracking.cell_metrics import POOLED, cell_metrics
from study.stages.records import CellResult

VERSION = "VERSION"
"""Stands for the number of a registered version until it is known."""


@dataclass(frozen=True, slots=True)
class TrackedCell:
    """The MLflow run of a cell and the logged model its metrics are tied to."""

    run_id: str
    model_id: str


def _cell(report: ReportCore, name: str) -> Cell | None:
    return next((cell for cell in report.cells if cell.name == name), None)


def exam_manifest(result: CellResult, report: ReportCore) -> ExamManifest | None:
    """The manifest of the exam of one cell's own run."""
    cell = _cell(report, result.cell.group)
    runs = cell.runs if cell else ()
    return next((run.manifest for run in runs if run.name == result.cell.name), runs[0].manifest if runs else None)


def training_metrics(result: CellResult) -> dict[str, float]:
    """What training the cell came to; empty for an untouched model."""
    if not result.cell.trained:
        return {}
    metrics = {
        "tokens": float(result.tokens),
        "train_seconds": result.seconds,
        "tokens_per_second": result.tokens_per_second,
        "general_share": result.general_share or 0.0,
    }
    return metrics | ({} if result.last_loss is None else {"last_train_loss": result.last_loss})


def study_metrics(report: ReportCore, cells: Sequence[CellResult], champion: str) -> dict[str, float]:
    """The numbers of the first base and of the champion, under names that say whose they are."""
    metrics: dict[str, float] = {}
    for whose, group in (("base", report.base), ("champion", champion)):
        result = next((result for result in cells if result.cell.group == group), None)
        if result is not None:
            values = cell_metrics(report, result.cell.group, result.cell.name)
            pooled = {key.removeprefix(POOLED): value for key, value in values.items() if key.startswith(POOLED)}
            metrics |= {f"{whose}.{key}": value for key, value in (pooled or values).items()}
    return metrics
