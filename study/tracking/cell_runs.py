"""Every cell of a study as a child run: its axes as parameters, its scores as metrics, like a row of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medctx.io.jsonl import read_record
from medctx.schemas.report import REPORT_FILE, ReportCore
from study.stages.results import CellResult
from study.workflow.lineage import Lineage, log_child

PARTS = ("knowledge", "reading")


def _metrics(result: CellResult, report: ReportCore) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for part in PARTS:
        score = report.score(result.cell.group, part)
        if score is not None:
            metrics |= {
                part: score.accuracy.value,
                f"{part}_low": score.accuracy.low,
                f"{part}_high": score.accuracy.high,
                f"{part}_n": float(score.n),
            }
    trained = {
        "tokens": float(result.tokens),
        "train_seconds": result.seconds,
        "tokens_per_second": result.tokens_per_second,
        "general_share": result.general_share or 0.0,
    }
    return metrics | (trained if result.cell.trained else {})


def track_cells(lineage: Lineage, cells: Sequence[CellResult], out: Path) -> None:
    """Log every cell; nothing without MLflow. Scores are those of the cell over all of its seeds."""
    if not lineage.on:
        return
    report = read_record(out / REPORT_FILE, ReportCore)
    for result in cells:
        folder = out / "cells" / result.cell.name.replace("/", "-")
        places = {"mix": result.mix, "trained": result.trained, "exam": result.exam}
        log_child(
            lineage.child("cell", result.cell.name, folder),
            params={f"cell.{axis}": value for axis, value in result.cell.axes.items()},
            metrics=_metrics(result, report),
            tags={
                "status": result.status,
                "group": result.cell.group,
                "weights_digest": result.weights_digest,
                **{name: place.name for name, place in places.items() if place is not None},
            },
        )
