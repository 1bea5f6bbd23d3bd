"""``medctx-eval verify models:/...`` holds for what a study registers, and notices every change of it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from medctx.io.jsonl import read_record, write_text
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.exam_run import EXAM_FILE, ExamManifest
from medctx.schemas.report import REPORT_FILE, ReportCore
from medctx.tracking import mlflow_run
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.checksums import CHECKSUMS
from medctx_eval.cli.main import main
from study.config.cells import StudyCell
from study.config.study import StudyConfig
from study.stages.bases import Base
from study.stages.exam_runs import ExamRun
from study.stages.records import CellResult
from study.tracking.cell_runs import track_cells
from study.tracking.model_card import description_of, model_card
from study.tracking.registry import StudyTracking, register_adapters
from study.workflow.lineage import Lineage
from tests.support import journalled_runs

NAMES = ("base", "1:1-0", "1:1-1")
BASE = Base(label="base", id="owner/base", weights_digest="b" * 64, licence="Apache-2.0")


def _result(name: str, folder: Path, runs: dict[str, Path]) -> CellResult:
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


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which a study of one ratio and two seeds has registered its adapters, and its report."""
    pytest.importorskip("mlflow")
    root = tmp_path_factory.mktemp("registered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCTX_TRACKING", "on")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/mlflow.db")
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        patch.chdir(root)
        report = journalled_runs.write_with_report(root, NAMES)
        runs = {name: root / "runs" / name for name in NAMES}
        results = [_result(name, root / "weights", runs) for name in NAMES]
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
    return root


@pytest.fixture
def call(registered: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Result]:
    monkeypatch.setenv("MEDCTX_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registered}/mlflow.db")
    monkeypatch.chdir(registered)
    mlflow_run.client().set_tracking_uri(f"sqlite:///{registered}/mlflow.db")
    return lambda source: CliRunner().invoke(main, ["verify", source])


@pytest.mark.parametrize("source", ["models:/ward/1", "models:/ward@take-2"])
def test_what_a_study_registers_holds(source: str, call: Callable[[str], Result]) -> None:
    result = call(source)
    assert result.exit_code == 0, result.output
    assert "numbers of its card" in result.stdout and " 0 numbers" not in result.stdout
    assert "verdicts recomputed from replies" in result.stdout and " 0 verdicts" not in result.stdout


SQL = {
    "metric": "update logged_model_metrics set metric_value = metric_value + 0.001 "
    "where metric_name like '%knowledge%'",
    "description": "update model_versions set description = replace(description, 'Evaluation', 'evaluation')",
    "score": "update model_versions set description = replace(description, '| knowledge |', '| knowledge  |')",
    "decision": "update model_version_tags set value = upper(value) where key = 'medctx.decision_digest'",
    "no decision": "delete from model_version_tags where key = 'medctx.decision_digest'",
    "gate": "update model_version_tags set value = 'champion' where key = 'gate'",
    "card": "update model_version_tags set value = upper(value) where key = 'medctx.card_digest'",
    "whole model": "update registered_models set description = replace(description, 'gate', 'gates')",
    "cell": "update model_version_tags set value = 'other' where key = 'cell'",
}


@pytest.mark.parametrize("change", SQL)
def test_a_change_in_the_store_is_named(change: str, registered: Path, call: Callable[[str], Result]) -> None:
    with closing(sqlite3.connect(registered / "mlflow.db")) as store, closing(sqlite3.connect(":memory:")) as whole:
        store.backup(whole)
        with store:
            assert store.execute(SQL[change]).rowcount > 0
        try:
            result = call("models:/ward@take-1")
            assert result.exit_code == 2, result.output
            named = "the model ward" if change == "whole model" else "models:/ward@take-1"
            assert isinstance(result.exception, SystemExit) and named in result.stderr
        finally:
            whole.backup(store)
    assert call("models:/ward@take-1").exit_code == 0


def test_changed_bytes_of_the_logged_exam_and_report_are_noticed(
    registered: Path, call: Callable[[str], Result]
) -> None:
    random = Random(3)
    assert call("models:/ward@take-1").exit_code == 0
    files = [
        file
        for folder in ("report", "exam/1-1-0", "exam/1:1-0")
        for file in registered.glob(f"**/artifacts/{folder}/*")
        if file.name in {REPORT_FILE, DECISION_FILE, run_folder.VERDICTS, run_folder.REPLIES, EXAM_FILE}
    ]
    assert len(files) == 5
    uri = str(mlflow_run.client().MlflowClient().get_model_version_by_alias("ward", "take-1").source)
    (readme,) = registered.glob(f"**/models/{uri.rpartition('/')[2]}/artifacts/artifacts/adapter/README.md")
    files.append(readme)
    for file in files:
        whole = file.read_bytes()
        for _ in range(int(os.environ.get("MEDCTX_FLIPS", "3"))):
            content = bytearray(whole)
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
            file.write_bytes(content)
            result = call("models:/ward@take-1")
            assert result.exit_code == 2 and isinstance(result.exception, SystemExit), (file, result.output)
        file.write_bytes(whole)
    assert call("models:/ward@take-1").exit_code == 0
