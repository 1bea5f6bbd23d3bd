"""MLflow runs of a study's steps: created when the step starts, never left RUNNING. Real store, real signals."""

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

from tests.support.made_command import install
from tests.support.paths import ROOT

mlflow = pytest.importorskip("mlflow")

if TYPE_CHECKING:
    from mlflow.entities import Run

PATIENCE_S = 120
DRIVER = """
import signal, sys
from pathlib import Path
from medctx.tracking import mlflow_run
from study.cli import Terminated, _terminate
from study.config.study import ExecutorConfig
from study.workflow.executors.local import LocalExecutor
from study.workflow.graph import Setting, Task, run_tasks
from study.workflow.lineage import Lineage
from tests.support.made_command import step

signal.signal(signal.SIGTERM, _terminate)
# A shell that starts the tests in the background lets them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
folder = Path(sys.argv[1])
settings = [{}, {}, {"fails": True}] if sys.argv[2] == "all" else [{"seconds": 60}]
with mlflow_run.run("study", "made") as tracked:
    tasks = [
        Task(str(number), lambda done, number=number, keys=keys: step(folder / "log", str(number), **keys))
        for number, keys in enumerate(settings)
    ]
    executor = LocalExecutor(ExecutorConfig())
    run_tasks(tasks, Setting(executor, Lineage(tracked.id, "made"), folder / "work"))
    executor.close()
"""


@pytest.fixture
def store(tmp_path: Path) -> str:
    install(tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


def start(folder: Path, store: str, what: str) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    environment |= {"MLFLOW_TRACKING_URI": store, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("MEDCTX_TRACKING", None)
    command = [sys.executable, "-c", DRIVER, str(folder), what]
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)


def runs(store: str) -> dict[str, Run]:
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("medctx")
    result = client.search_runs([experiment.experiment_id]) if experiment else []
    return {run.info.run_name: run for run in result}


def wait_until_it_runs(folder: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not list((folder / "work/steps").glob("*/try-0")):
        assert time.monotonic() < end, "the step did not start"
        time.sleep(0.1)


def statuses(store: str) -> Iterator[str]:
    return (str(run.info.status) for run in runs(store).values())


def test_commands_that_log_nothing_leave_ended_runs_that_began_in_turn(tmp_path: Path, store: str) -> None:
    assert start(tmp_path, store, "all").wait(PATIENCE_S) == 0
    result = runs(store)
    assert {name: run.info.status for name, run in result.items()} == {
        "made": "FINISHED", "made 0": "FINISHED", "made 1": "FINISHED", "made 2": "FAILED",
    }  # fmt: skip
    for earlier, later in (("made 0", "made 1"), ("made 1", "made 2")):
        assert result[later].info.start_time >= result[earlier].info.end_time, "not before its turn"


@pytest.mark.parametrize(
    ("sent", "to_all", "status"),
    [(signal.SIGINT, True, "KILLED"), (signal.SIGTERM, False, "KILLED"), (signal.SIGKILL, False, "FAILED")],
    ids=["interrupted", "terminated", "killed"],
)
def test_a_study_that_is_stopped_leaves_no_run_running(
    sent: signal.Signals, to_all: bool, status: str, tmp_path: Path, store: str
) -> None:
    process = start(tmp_path, store, "slow")
    wait_until_it_runs(tmp_path)
    if to_all:
        os.killpg(process.pid, sent)  # as Ctrl-C in a terminal
    else:
        process.send_signal(sent)
    process.wait(PATIENCE_S)
    end = time.monotonic() + PATIENCE_S
    while "RUNNING" in statuses(store) and time.monotonic() < end:
        time.sleep(0.5)
    assert {name: run.info.status for name, run in runs(store).items()} == {"made": status, "made 0": status}
