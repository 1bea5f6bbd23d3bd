"""A registered model: the verdicts and the report in the tracking store, and the card of the version."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.schemas.decision import DECISION_FILE, Card, Decision
from medctx.schemas.report import REPORT_FILE
from medctx.tracking import mlflow_run as tracking
from medctx_eval.artifacts import run_folder, run_source
from medctx_eval.artifacts.checksums import check_checksums
from medctx_eval.report.model import Report

DECISION_TAG, CELL_TAG, PARENT_TAG = "medctx.decision", "medctx.cell", "mlflow.parentRunId"
REPORT_ARTIFACTS = "report"


@dataclass(frozen=True)
class ModelCheck:
    """What was checked of a registered version."""

    version: str
    cell: str
    numbers: int


def _card(folder: Path, cell: str, source: str) -> Card:
    decision = read_record(folder / DECISION_FILE, Decision)
    card = next((card for card in decision.cards if card.cell == cell), None)
    if card is None:
        raise MedctxError(f"The report of {source} has no card of the cell {cell!r}.")
    return card


def verify_model(source: str, scratch: Path) -> ModelCheck:
    """Verify the card of a registered version against its report and its exam; artifacts are fetched to ``scratch``.

    Raises:
        MedctxError: Naming the first thing that does not hold.
    """
    (exam,) = run_source.resolve(source, scratch / "exam")
    run = run_folder.read_run(exam)
    client, version = run_source.model_version(source)
    parent = client.get_run(version.tags[run_source.RUN_TAG]).data.tags.get(PARENT_TAG)
    if parent is None:
        raise MedctxError(f"The exam of {source} belongs to no study in the tracking store, so its report is unknown.")
    target = scratch / "study"
    target.mkdir(parents=True)
    folder = Path(client.download_artifacts(parent, REPORT_ARTIFACTS, str(target)))
    check_checksums(folder, (REPORT_FILE, DECISION_FILE))
    report = read_record(folder / REPORT_FILE, Report)
    known = [run_of_cell.manifest for cell in report.cells for run_of_cell in cell.runs]
    if run.manifest not in known or len(run.judged) != run.manifest.n:
        raise MedctxError(f"The exam of {source} is not among the runs of its report.")
    card = _card(folder, version.tags.get(CELL_TAG, ""), source)
    stored = json.loads(version.tags.get(DECISION_TAG, "{}"))
    decision = read_record(folder / DECISION_FILE, Decision)
    if stored.get("champion") != decision.champion or not decision.reason.startswith(str(stored.get("reason", ""))):
        raise MedctxError(f"The tag {DECISION_TAG} of {source} is not the decision of its report.")
    if card.summary not in (version.description or ""):
        raise MedctxError(f"The description of {source} does not hold the summary of its report: {card.summary}")
    metrics = _metrics(version)
    for name, value in card.metrics.items():
        if metrics is not None and not math.isclose(metrics.get(name, math.nan), value, abs_tol=1e-9):
            raise MedctxError(f"The metric {name} of {source} is {metrics.get(name)}, in its report {value}.")
    return ModelCheck(str(version.version), card.cell, len(card.metrics))


def _metrics(version: object) -> dict[str, float] | None:
    """Metrics of the logged model of a version; None if it has none."""
    model_id = getattr(version, "model_id", None)
    if not model_id:
        return None
    model = tracking.client().get_logged_model(model_id)
    return {metric.key: metric.value for metric in model.metrics or ()}
