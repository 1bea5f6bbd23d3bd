"""A tracking server with served artifacts: a study registers there (on PostgreSQL), is verified, and outlives it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from medctx.errors import MedctxError
from medctx.tracking import mlflow_run
from medctx_eval.cli.main import main
from tests.support import mlflow_pages, postgres, registered_study

pytest.importorskip("mlflow")
needs_postgres = pytest.mark.skipif(
    postgres.programs() is None or find_spec("psycopg2") is None,
    reason="no PostgreSQL server or no psycopg2 here (apt-get install postgresql; make install)",
)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres.database() as uri:
        yield uri


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MEDCTX_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow_run.client().set_tracking_uri(url)


@pytest.mark.slow
@needs_postgres
def test_a_study_registers_on_a_server_and_is_verified_from_it(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow_pages.server(database, tmp_path / "artifacts", tmp_path / "log") as url:
        use(monkeypatch, url)
        study = registered_study.register(tmp_path / "study", url)
        client = mlflow_run.client().MlflowClient()
        run = client.get_run(study)
        assert run.info.artifact_uri.startswith("mlflow-artifacts:")
        runs = client.search_runs([run.info.experiment_id])
        assert {run.info.status for run in runs if run.data.tags.get("medctx.step") != "exam"} == {"FINISHED"}
        result = CliRunner().invoke(main, ["verify", "models:/ward@take-2"])
        assert result.exit_code == 0, result.output


def test_a_server_that_stops_costs_the_log_only_and_is_refused_before_other_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = f"sqlite:///{tmp_path}/mlflow.db"
    with mlflow_pages.server(store, tmp_path / "artifacts", tmp_path / "log") as url:
        use(monkeypatch, url)
        started = mlflow_run.run("step", "one")
        run = started.__enter__()
        run.metrics({"loss": 2.0}, step=0)
    run.metrics({"loss": 1.0}, step=1)
    (tmp_path / "file").write_text("x")
    run.artifact(tmp_path / "file")
    started.__exit__(None, None, None)
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("The MLflow store failed") == 1 and "The end of the MLflow run was not logged" in said
    with pytest.raises(MedctxError, match="cannot be used"):
        mlflow_run.require_store()
