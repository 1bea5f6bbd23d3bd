"""A study of synthetic runs that has registered its adapters in a store of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medctx.io.jsonl import read_record, write_text
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.exam_run import EXAM_FILE, ExamManifest
from medctx.schemas.report import REPORT_FILE, ReportCore
from medctx.tracking import mlflow_run
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.checksums import CHECKSUMS
from study.config.cells import StudyCell
from study.config.study import StudyConfig
from study.stages.bases import Base
from study.stages.exam_runs import ExamRun
from study.stages.records import CellResult
from study.tracking.cell_runs import NOTE_TAG, track_cells
from study.tracking.model_card import description_of, model_card, study_card
from study.tracking.registry import StudyTracking, register_adapters
from study.tracking.scores import study_metrics
from study.workflow.lineage import Lineage
from tests.support import journalled_runs

NAMES = ("base", "1:1-0", "1:1-1")
BASE = Base(label="base", id="owner/base", weights_digest="b" * 64, licence="Apache-2.0")


def cell_result(name: str, folder: Path, runs: dict[str, Path]) -> CellResult:
    group, _, seed = name.partition("-")
    if not seed:
        cell = StudyCell(name=name, group=group, base="base")
        return CellResult(cell=cell, status="done", exam=runs[name])
    weights = folder / name
    write_text(weights / "adapter_config.json", json.dumps({"base_model_name_or_path": BASE.id, "peft_type": "LORA"}))
    (weights / "adapter_model.safetensors").write_bytes(name.encode())
    manifest = read_record(runs[name] / EXAM_FILE, ExamManifest)
    return CellResult(
        cell=StudyCell(name=name, group=group, base="base", ratio=group, amount=1000, seed=int(seed)),
        status="done",
        weights=weights,
        weights_kind="adapter",
        weights_digest=manifest.adapter_digest,
        tokens=1000,
        exam=runs[name],
    )


def register(root: Path, store: str = "") -> str:
    """Register the adapters of a study of one ratio and two seeds, in a store in the folder or at another address.

    Returns:
        The ID of the run of the study.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCTX_TRACKING", "on")
        uri = store or f"sqlite:///{root}/mlflow.db"
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        mlflow_run.client().set_tracking_uri(uri)
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        root.mkdir(exist_ok=True)
        patch.chdir(root)
        report = journalled_runs.write_with_report(root, NAMES)
        runs = {name: root / "runs" / name for name in NAMES}
        results = [cell_result(name, root / "weights", runs) for name in NAMES]
        client = mlflow_run.client().MlflowClient()
        with mlflow_run.run("study", "study") as tracked:
            tracked.artifact(report, "report")
            parent = tracked.id
        lineage = Lineage(parent, "s")
        exam_run = lineage.open("exam", "all", root / "runs")
        for folder in runs.values():
            for file in (run_folder.VERDICTS, run_folder.REPLIES, EXAM_FILE, CHECKSUMS):
                client.log_artifact(exam_run, str(folder / file), f"exam/{folder.name}")
            plan = read_record(folder / EXAM_FILE, ExamManifest).exam_plan
            client.log_artifact(exam_run, str(folder.parent / plan / run_folder.ITEMS), f"exam-plan/{plan}")
        config = StudyConfig(name="s", registered_model="ward", work=root / "work")
        core, decision = read_record(report / REPORT_FILE, ReportCore), read_record(report / DECISION_FILE, Decision)
        cards = {
            result.cell.name: model_card(config, BASE, result, core, decision)
            for result in results
            if result.cell.trained
        }
        notes = {name: description_of(card) for name, card in cards.items()}
        cells = track_cells(config, lineage, {"base": BASE}, results, core, notes)
        exams = {name: ExamRun(run=runs[name], step=root / "runs") for name in NAMES}
        study = StudyTracking(core, decision, {"base": BASE}, exams, cells, cards, moves_aliases=True)
        registered = register_adapters(config, lineage, results, study)
        assert [entry.version for entry in registered] == ["1", "2"]
        for version in ("1", "2"):
            client.set_registered_model_alias("ward", f"take-{version}", version)
        lineage.write_study(
            study_metrics(core, results, decision.champion),
            {NOTE_TAG: description_of(study_card(config, results, core, decision))},
        )
        return parent
