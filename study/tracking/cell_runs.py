"""Every cell of a study as a child run with its own parameters, metrics, exam and logged model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medctx.schemas.exam_run import ExamManifest
from medctx.schemas.report import ReportCore
from medctx.tracking import logged_adapter, mlflow_run
from medctx.tracking.cell_metrics import DIGEST_CHARS, cell_metrics, exam_digest
from medctx.tracking.logged_adapter import AdapterCard
from study.config.study import StudyConfig
from study.stages.bases import Base
from study.stages.records import CellResult, file_name
from study.tracking.scores import TrackedCell, exam_manifest, training_metrics
from study.workflow.lineage import Lineage

if TYPE_CHECKING:
    from types import ModuleType

NOTE_TAG = "mlflow.note.content"
WEIGHTS_TAG = "medctx.weights_digest"


def _log_exam(client: Any, run_id: str, manifest: ExamManifest) -> None:
    """The exams as data sets of the run, each with its digest."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    client.log_inputs(
        run_id,
        [
            DatasetInput(
                Dataset(
                    name=exam.name,
                    digest=exam.digest[:DIGEST_CHARS],
                    source_type="local",
                    source=json.dumps({"uri": exam.source}),
                ),
                [InputTag("mlflow.data.context", "exam")],
            )
            for exam in manifest.exams
        ]
        + [
            # All exams together, as they were asked: the data set of the metrics.
            DatasetInput(
                Dataset(
                    name=manifest.exam_plan or "exam",
                    digest=exam_digest(manifest),
                    source_type="local",
                    source=json.dumps({"uri": ", ".join(exam.name for exam in manifest.exams)}),
                ),
                [InputTag("mlflow.data.context", "exam")],
            )
        ],
    )


def _plain_model(client: Any, lineage: Lineage, run_id: str, name: str, result: CellResult, digest: str) -> str:
    """A logged model without files: an untouched base or a whole checkpoint, known by the digest of its weights."""
    known = client.search_logged_models([lineage.experiment], filter_string=f"source_run_id = '{run_id}'")
    for model in known:
        if model.tags.get(WEIGHTS_TAG) == digest:
            return str(model.model_id)
    model = client.create_logged_model(
        lineage.experiment, name=name, source_run_id=run_id, tags={WEIGHTS_TAG: digest}, params=result.cell.axes
    )
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _adapter_model(
    mlflow: ModuleType, lineage: Lineage, run_id: str, base: Base, result: CellResult, digest: str
) -> str:
    """The adapter as the step that made it has logged it, else logged in the cell's run (another study made it)."""
    made_in = lineage.run_of(result.trained) if result.trained else ""
    for known in (made_in, run_id):
        model_id = logged_adapter.find_logged_adapter(mlflow, known, digest)
        if model_id:
            return model_id
    assert result.weights is not None
    card = AdapterCard(
        base=base.portable_name or base.id,
        base_revision=base.revision,
        base_digest=base.weights_digest,
        adapter_digest=digest,
        mix_digest=result.mix_digest,
    )
    params = {**result.cell.axes, "tokens": result.tokens}
    with mlflow.start_run(run_id=run_id, nested=True):
        return logged_adapter.log(mlflow, f"adapter-{result.cell.name}", result.weights, card, params)


def _model(mlflow: ModuleType, lineage: Lineage, run_id: str, base: Base, result: CellResult) -> str:
    if result.weights_kind == "adapter":
        return _adapter_model(mlflow, lineage, run_id, base, result, result.weights_digest)
    digest = result.weights_digest or base.weights_digest or base.id
    name = f"{'model' if result.cell.compared else 'base'}-{file_name(result.cell.name)}"
    return _plain_model(mlflow.MlflowClient(), lineage, run_id, name, result, digest)


def _link(client: Any, run_id: str, model_id: str) -> None:
    """Show the model on the run's page: its metrics alone do not."""
    from mlflow.entities import LoggedModelInput

    run = client.get_run(run_id)
    known = [*(run.inputs.model_inputs if run.inputs else ()), *(run.outputs.model_outputs if run.outputs else ())]
    if model_id and model_id not in {model.model_id for model in known}:
        client.log_inputs(run_id, models=[LoggedModelInput(model_id=model_id)])


def _log_changed(
    client: Any, run_id: str, metrics: Mapping[str, float], model_id: str, exam: ExamManifest | None = None
) -> None:
    """Log the metrics whose values run and model do not have yet, tied to the model and to the exam that measured them.

    The same value of another exam is logged again: the model would state it of the exam before.
    """
    logged = client.get_run(run_id).data.metrics
    measured_on = {"dataset_name": exam.exam_plan or "exam", "dataset_digest": exam_digest(exam)} if exam else {}
    stated = client.get_logged_model(model_id).metrics or () if model_id else ()
    measured = {metric.key for metric in stated if metric.dataset_digest == measured_on.get("dataset_digest")}
    for key, value in metrics.items():
        if logged.get(key) != value or (model_id and key not in measured):
            client.log_metric(run_id, key, value, model_id=model_id or None, **measured_on)


def track_cells(
    config: StudyConfig,
    lineage: Lineage,
    bases: Mapping[str, Base],
    cells: Sequence[CellResult],
    report: ReportCore,
    notes: Mapping[str, str],
) -> dict[str, TrackedCell]:
    """Log every cell with its own numbers, tied to its logged model and to the exam; nothing without MLflow.

    A study that is run again updates the numbers: those that changed are logged once more.

    Args:
        config: The study.
        lineage: The children of the study's run.
        bases: The bases by label.
        cells: The results of the cells.
        report: The study's report.
        notes: Markdown by cell, shown as the description of its run.
    """
    if not lineage.on:
        return {}
    mlflow = mlflow_run.client()
    client = mlflow.MlflowClient()
    tracked = {}
    for result in cells:
        run_id = lineage.open("cell", result.cell.name, config.folder / "cells" / file_name(result.cell.name))
        manifest = exam_manifest(result, report) if result.exam else None
        model_id = ""
        if result.cell.base in bases and result.status == "done":
            model_id = _model(mlflow, lineage, run_id, bases[result.cell.base], result)
            _link(client, run_id, model_id)
        if manifest is not None:
            _log_exam(client, run_id, manifest)
        base_digest = bases[result.cell.base].weights_digest if result.cell.base in bases else ""
        places = {"mix": result.mix, "trained": result.trained, "exam": result.exam}
        lineage.write(
            run_id,
            params={f"cell.{axis}": value for axis, value in result.cell.axes.items()},
            tags={
                "status": result.status,
                "group": result.cell.group,
                "weights_digest": result.weights_digest or ("" if result.cell.trained else base_digest),
                **{name: place.name for name, place in places.items() if place is not None},
            },
        )
        if result.cell.name in notes:
            client.set_tag(run_id, NOTE_TAG, notes[result.cell.name])
        _log_changed(client, run_id, training_metrics(result), model_id)
        if manifest is not None:
            _log_changed(client, run_id, cell_metrics(report, result.cell.group, result.cell.name), model_id, manifest)
        client.set_terminated(run_id, "FINISHED")
        tracked[result.cell.name] = TrackedCell(run_id, model_id)
    return tracked
