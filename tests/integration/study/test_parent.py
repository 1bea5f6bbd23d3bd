"""A study that is killed goes on in the MLflow run it has; real store, real kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from medctx.config import loading as configs
from medctx.tracking import mlflow_run as tracking
from study.config.study import STUDIES, StudyConfig
from study.pipeline import study_run

RUN = "MLFLOW_RUN_ID"

mlflow = pytest.importorskip("mlflow")

if TYPE_CHECKING:
    from mlflow import MlflowClient

PATIENCE_S = 300
STARTED = """
import sys, time
from pathlib import Path
from medctx.config import loading as configs
from study.config.study import StudyConfig
from study.pipeline import study_run

RUN = "MLFLOW_RUN_ID"

with study_run(configs.load(StudyConfig, Path(sys.argv[1])), Path(sys.argv[2])) as tracked:
    Path(sys.argv[2], "ready").write_text(tracked.id)
    time.sleep(600)
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    for name in (RUN, "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MEDCTX_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    before, uri = mlflow.get_tracking_uri(), f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)


def quick(*overrides: str) -> StudyConfig:
    return configs.load(StudyConfig, STUDIES / "quick.yaml", overrides)


def killed(folder: Path) -> str:
    """The id of the run of a study whose process was killed."""
    command = [sys.executable, "-c", STARTED, str(STUDIES / "quick.yaml"), str(folder)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not (folder / "ready").is_file() or not (folder / "ready").read_text():
            assert time.monotonic() < deadline, "the study did not begin"
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    return (folder / "ready").read_text()


def test_a_killed_study_goes_on_in_its_run(
    client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = killed(tmp_path)
    deadline = time.monotonic() + PATIENCE_S
    while client.get_run(first).info.status == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert client.get_run(first).info.status == "FAILED"
    launcher = client.create_run("0").info.run_id
    monkeypatch.setenv(RUN, launcher)  # as `mlflow run` starts it: with a new run
    with study_run(quick(), tmp_path) as tracked:
        assert tracked.id == first
        assert client.get_run(first).info.status == "RUNNING"
    assert client.get_run(first).info.status == "FINISHED"
    assert client.get_run(launcher).data.tags[tracking.CONTINUED_TAG] == first
    assert os.environ[RUN] == launcher


def test_a_study_that_is_told_something_else_has_a_run_of_its_own(client: MlflowClient, tmp_path: Path) -> None:
    results = []
    for overrides in ((), ("tokens=50000",), ()):
        with study_run(quick(*overrides), tmp_path) as tracked:
            results.append(tracked.id)
    assert results[0] == results[2] != results[1]
