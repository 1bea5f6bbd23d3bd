"""``medctx-eval verify models:/...`` holds for what a study registers, and notices every change of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from medctx.io.jsonl import read_record
from medctx.schemas.decision import DECISION_FILE
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.report import REPORT_FILE, ReportCore
from medctx.tracking import mlflow_run
from medctx.tracking.cell_metrics import cell_metrics
from medctx_eval.artifacts import run_folder
from medctx_eval.cli.main import main
from study.config.study import StudyConfig
from study.tracking.cell_runs import track_cells
from study.workflow.lineage import Lineage
from tests.support import registered_study


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


def test_a_study_reported_again_updates_runs_and_models(registered: Path, call: Callable[[str], Result]) -> None:
    client = mlflow_run.client().MlflowClient()
    version = client.get_model_version_by_alias("ward", "take-1")
    core = read_record(registered / "report" / REPORT_FILE, ReportCore)
    changed = core.model_copy(
        update={
            "scores": tuple(
                score.model_copy(update={"accuracy": score.accuracy.model_copy(update={"low": 0.0123})})
                for score in core.scores
            )
        }
    )
    results = [
        registered_study.cell_result(name, registered / "weights", {name: registered / "runs" / name})
        for name in registered_study.NAMES
    ]
    config = StudyConfig(name="s", registered_model="ward", work=registered / "work")
    parent = client.get_run(version.run_id).data.tags["mlflow.parentRunId"]
    bases = {"base": registered_study.BASE}
    try:
        for report, low in ((changed, 0.0123), (core, None)):
            track_cells(config, Lineage(parent, "s"), bases, results, report, {})
            expected = cell_metrics(report, "1:1", "1:1-0")
            run = client.get_run(version.run_id).data.metrics
            model = client.get_logged_model(version.source.removeprefix("models:/"))
            latest: dict[str, tuple[int, float]] = {}
            for metric in model.metrics:
                latest[metric.key] = max(latest.get(metric.key, (0, 0.0)), (metric.timestamp, metric.value))
            assert {key: run[key] for key in expected} == expected
            assert {key: latest[key][1] for key in expected} == expected
            assert low is None or run["pooled_reading_low"] == low
    finally:
        track_cells(config, Lineage(parent, "s"), bases, results, core, {})
    assert call("models:/ward@take-1").exit_code == 0
