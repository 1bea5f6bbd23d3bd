"""A registered model: the verdicts and the report in the tracking store, and the card of the version."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.exam_run import EXAM_FILE, ExamManifest
from medctx.schemas.records import ExamItem, Judged
from medctx.schemas.report import REPORT_FILE
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.cell_metrics import DESCRIPTION_TAG, DIGEST_CHARS, cell_metrics, score_lines
from medctx_eval.artifacts import run_folder, run_source
from medctx_eval.artifacts.checksums import check_checksums
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.report.model import Report

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

DECISION_TAG, CELL_TAG, PARENT_TAG = "medctx.decision", "cell", "mlflow.parentRunId"
REPORT_ARTIFACTS = "report"
Recompute = Callable[[Path, Iterable[Judged], Mapping[str, ExamItem]], int]
"""Recomputes the verdicts of a run folder; returns how many."""


@dataclass(frozen=True)
class ModelCheck:
    """What was checked of a registered version."""

    version: str
    cell: str
    numbers: int
    verdicts: int


def _require_description(report: Report, group: str, version: ModelVersion, source: str) -> None:
    """Compare the description with its digest, and its table of scores with the report; its end may be cut off."""
    description = version.description or ""
    if version.tags.get(DESCRIPTION_TAG) != digest.of_text(description):
        raise MedctxError(f"The description of {source} was changed after it was registered (its digest differs).")
    for line in score_lines(report, group):
        if line not in description:
            if description.rstrip().rpartition("\n")[2].startswith("|"):
                return
            raise MedctxError(f"The description of {source} lacks what its report says: {line}")


def _require_metrics(expected: Mapping[str, float], version: ModelVersion, exam: ExamManifest, source: str) -> None:
    """Compare the metrics of the version's logged model that were measured in this exam with those of the report."""
    from mlflow.exceptions import MlflowException

    try:
        model = tracking.client().get_logged_model(str(version.source).removeprefix(run_source.MODELS))
    except MlflowException:
        raise MedctxError(
            f"{source} has no logged model and so no metrics; register it again with its study."
        ) from None
    measured: dict[str, tuple[int, float]] = {}
    for metric in model.metrics or ():
        if metric.dataset_digest == exam.key[:DIGEST_CHARS]:
            measured[metric.key] = max(measured.get(metric.key, (0, 0.0)), (metric.timestamp, metric.value))
    for name, value in expected.items():
        if name not in measured or not math.isclose(measured[name][1], value, abs_tol=1e-9):
            stated = measured[name][1] if name in measured else "missing"
            raise MedctxError(f"The metric {name} of {source} is {stated}, in its report {value}.")


def verify_model(source: str, scratch: Path, recompute: Recompute) -> ModelCheck:
    """Verify the card of a registered version against its report and its exam.

    Args:
        source: The registered version.
        scratch: Where its artifacts are fetched to.
        recompute: ``medctx_eval.verify.recompute.recompute_verdicts``.

    Raises:
        MedctxError: Naming the first thing that does not hold.
    """
    (exam,) = run_source.resolve(source, scratch / "exam")
    run = run_folder.read_run(exam)
    client, version = run_source.model_version(source)
    _fetch_items(client, version.tags[run_source.RUN_TAG], run, exam.parent, source)
    check_checksums(exam, (EXAM_FILE, run_folder.VERDICTS, run_folder.REPLIES), partial=True)
    verdicts = recompute(exam, run.judged, run_folder.read_items(exam, run.manifest))
    parent = client.get_run(version.tags[run_source.RUN_TAG]).data.tags.get(PARENT_TAG)
    if parent is None:
        raise MedctxError(f"The exam of {source} belongs to no study in the tracking store, so its report is unknown.")
    folder = _report(client, parent, scratch / "study", source)
    check_checksums(folder, (REPORT_FILE, DECISION_FILE))
    report, decision = read_record(folder / REPORT_FILE, Report), read_record(folder / DECISION_FILE, Decision)
    place = next(
        (
            (cell.name, examined.name)
            for cell in report.cells
            for examined in cell.runs
            if examined.manifest == run.manifest
        ),
        None,
    )
    if place is None or place[0] != version.tags.get(CELL_TAG) or len(run.judged) != run.manifest.n:
        raise MedctxError(f"The exam of {source} is not that of its cell in its report.")
    stored = _stored_decision(version, source)
    if stored.get("champion") != decision.champion or not decision.reason.startswith(str(stored.get("reason", ""))):
        raise MedctxError(f"The tag {DECISION_TAG} of {source} is not the decision of its report.")
    expected = cell_metrics(report, *place)
    _require_description(report, place[0], version, source)
    _require_metrics(expected, version, run.manifest, source)
    return ModelCheck(str(version.version), place[0], len(expected), verdicts)


def _fetch_items(client: MlflowClient, run_id: str, run: RunFolder, target: Path, source: str) -> None:
    """Fetch the items that an exam asked to where its run folder expects them."""
    from mlflow.exceptions import MlflowException

    plan = run.manifest.exam_plan
    try:
        fetched = Path(client.download_artifacts(run_id, f"{run_source.PLAN_ARTIFACTS}/{plan}", str(target)))
        fetched.rename(target / plan)
    except (MlflowException, OSError):
        raise MedctxError(f"The exam of {source} has logged no items; examine the model again.") from None


def _report(client: MlflowClient, parent: str, target: Path, source: str) -> Path:
    from mlflow.exceptions import MlflowException

    target.mkdir(parents=True)
    try:
        return Path(client.download_artifacts(parent, REPORT_ARTIFACTS, str(target)))
    except (MlflowException, OSError):
        raise MedctxError(f"The study of {source} has logged no report; run the study again.") from None


def _stored_decision(version: ModelVersion, source: str) -> Mapping[str, object]:
    try:
        stored = json.loads(version.tags.get(DECISION_TAG, "{}"))
    except ValueError:
        stored = None
    if not isinstance(stored, dict):
        raise MedctxError(f"The tag {DECISION_TAG} of {source} is no decision; it was changed after it was written.")
    return stored
