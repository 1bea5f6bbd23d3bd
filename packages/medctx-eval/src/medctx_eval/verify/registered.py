"""A registered model: the verdicts and the report in the tracking store, and the card of the version."""

from __future__ import annotations

import math
import re
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
from medctx.tracking.adapter_card import EVALUATION
from medctx.tracking.cell_metrics import CARD_TAG, DECISION_TAG, DESCRIPTION_TAG, cell_metrics, exam_digest
from medctx.tracking.evaluation import evaluation_lines, gate_of
from medctx.tracking.logged_adapter import ADAPTER_ARTIFACTS, README
from medctx_eval.artifacts import run_folder, run_source
from medctx_eval.artifacts.checksums import check_checksums
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.report.model import Report

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CELL_TAG, GATE_TAG, PARENT_TAG = "cell", "gate", "mlflow.parentRunId"
REPORT_ARTIFACTS = "report"
_NUMBER = re.compile(r"[-+−]?\d[\d.,]*")
Recompute = Callable[[Path, Iterable[Judged], Mapping[str, ExamItem]], int]
"""Recomputes the verdicts of a run folder; returns how many."""


@dataclass(frozen=True)
class ModelCheck:
    """What was checked of a registered version."""

    version: str
    cell: str
    numbers: int
    verdicts: int


def _require_text(text: str, expected: str | None, what: str) -> None:
    if digest.of_text(text) != expected:
        raise MedctxError(f"{what} was changed after it was registered (its digest differs).")


def _require_lines(text: str, lines: Iterable[str], what: str) -> None:
    """Compare the numbers of a card with what the report says, line by line.

    Words are held by the digest of the card: another release of medctx may say the same in others.
    """
    stated = {tuple(_NUMBER.findall(line)) for line in text.splitlines()}
    for line in lines:
        if tuple(_NUMBER.findall(line)) not in stated:
            raise MedctxError(f"{what} lacks what its report says: {line}")


def _require_description(lines: Iterable[str], version: ModelVersion, source: str) -> None:
    description = version.description or ""
    _require_text(description, version.tags.get(DESCRIPTION_TAG), f"The description of {source}")
    if EVALUATION in description:  # a table too long for a description occurs in the README alone
        _require_lines(description, lines, f"The description of {source}")


def _require_readme(lines: Iterable[str], version: ModelVersion, scratch: Path, source: str) -> None:
    """Compare the README in the adapter's folder with its digest and the report."""
    from mlflow.exceptions import MlflowException

    scratch.mkdir(parents=True)
    try:
        mlflow = tracking.client()
        model = mlflow.get_logged_model(str(version.source).removeprefix(run_source.MODELS))
        uri = f"{model.artifact_location}/{ADAPTER_ARTIFACTS}/{README}"
        text = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(scratch))).read_text(encoding="utf-8")
    except (MlflowException, OSError, UnicodeDecodeError):
        raise MedctxError(f"{source} has no readable {README} beside its adapter; register it again.") from None
    _require_text(text, version.tags.get(CARD_TAG), f"The {README} of {source}")
    _require_lines(text, lines, f"The {README} of {source}")


def _require_model_description(client: MlflowClient, version: ModelVersion) -> None:
    model = client.get_registered_model(version.name)
    _require_text(
        model.description or "", model.tags.get(DESCRIPTION_TAG), f"The description of the model {version.name}"
    )


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
        if metric.dataset_digest == exam_digest(exam):
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
    if version.tags.get(DECISION_TAG) != digest.of_record(decision):
        raise MedctxError(f"The tag {DECISION_TAG} of {source} is not that of the decision of its report.")
    if version.tags.get(GATE_TAG) != gate_of(decision, place[0]):
        raise MedctxError(f"The tag {GATE_TAG} of {source} is not what its report decided.")
    expected = cell_metrics(report, *place)
    lines = evaluation_lines(report, decision, *place)
    _require_description(lines, version, source)
    _require_readme(lines, version, scratch / "card", source)
    _require_model_description(client, version)
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
