"""Every cell of a study as one flat child run: its axes as parameters, its scores as metrics, so that the tracker's
table of runs reads like the report's. Steps that other studies did are in it too, by where they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from study.stages.summary import CellResult
from study.workflow import manifests
from study.workflow.lineage import Lineage

PARTS = ("knowledge", "reading")


def _metrics(one: CellResult, report: manifests.ReportFile) -> dict[str, float]:
    found: dict[str, float] = {}
    for part, score in report.headline(one.cell.group).items():
        if part in PARTS:
            found |= {
                part: score.accuracy.value,
                f"{part}.low": score.accuracy.low,
                f"{part}.high": score.accuracy.high,
                f"{part}.n": float(score.n),
            }
    told = {
        "tokens": float(one.tokens),
        "train_seconds": one.seconds,
        "tokens_per_second": one.tokens_per_second,
        "general_share": one.general_share or 0.0,
    }
    return found | (told if one.cell.trained else {})


def track_cells(lineage: Lineage, cells: Sequence[CellResult], out: Path) -> None:
    """Log every cell; nothing without MLflow. Scores are those of the cell over all of its seeds."""
    if not lineage.on:
        return
    report = manifests.read(out / manifests.REPORT, manifests.ReportFile)
    for one in cells:
        folder = out / "cells" / one.cell.name.replace("/", "-")
        run_id = lineage.begin("cell", one.cell.name, folder)["MLFLOW_RUN_ID"]
        places = {"mix": one.mix, "trained": one.trained, "exam": one.exam}
        lineage.log(
            run_id,
            {f"cell.{axis}": value for axis, value in one.cell.axes.items()},
            _metrics(one, report),
            {
                "status": one.status,
                "group": one.cell.group,
                "weights_digest": one.weights_digest,
                **{name: place.name for name, place in places.items() if place is not None},
            },
        )
