"""Runs as MLflow keeps them, with a real store and real kills."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from medctx.errors import MedctxError
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.run_reaper import ENDED_TAG, GONE, OWNER_TAG, watch_run

pytest.importorskip("mlflow")

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PATIENCE_S = 300

WRITER = """
import os, sys, time
from pathlib import Path
from medctx.tracking import mlflow_run as tracking

folder, children = Path(sys.argv[1]), int(sys.argv[2])
with tracking.run("step", "writer", run_file=folder / "run") as run:
    run.metrics({"loss": 1.0}, step=0)
    for _ in range(children):
        if not os.fork():
            time.sleep(600)
    (folder / "ready").write_text(run.id)
    time.sleep(600)
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import mlflow

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MEDCTX_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    before = mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri(before)


def client() -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient()


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while not path.is_file() or not path.read_text():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)
    return path.read_text()


def ended(run_id: str) -> Run:
    """The run once it is no longer RUNNING."""
    deadline = time.monotonic() + PATIENCE_S
    while (run := client().get_run(run_id)).info.status == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
    return run


def killed_writer(folder: Path, children: int = 0) -> str:
    """The id of the run of a process that was killed while it wrote."""
    command = [sys.executable, "-c", WRITER, str(folder), str(children)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        run_id = wait_for(folder / "ready")
        assert client().get_run(run_id).info.status == "RUNNING"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert ended(run_id).info.status == "FAILED"
    finally:
        os.killpg(process.pid, signal.SIGKILL) if children else process.kill()
    return run_id


def test_a_run_whose_process_is_killed_is_failed_and_the_next_start_goes_on_with_it(store: str, tmp_path: Path) -> None:
    run_id = killed_writer(tmp_path)
    assert client().get_run(run_id).data.tags[ENDED_TAG] == GONE
    with tracking.run("step", "writer", run_file=tmp_path / "run") as run:
        assert run.id == run_id
        assert run.last_step("loss") == 0
        assert client().get_run(run_id).info.status == "RUNNING"
    assert client().get_run(run_id).info.status == "FINISHED"
    assert len(client().search_runs(["0", "1"])) == 1


def test_children_that_live_on_do_not_hide_the_end_of_their_parent(store: str, tmp_path: Path) -> None:
    killed_writer(tmp_path, children=1)


def children() -> set[psutil.Process]:
    return set(psutil.Process().children())


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_ends_as_its_block_does(store: str, error: type[BaseException] | None, status: str) -> None:
    seen, before = "", children()
    try:
        with tracking.run("step", "one") as run:
            seen = run.id
            assert len(children() - before) == 1  # the watcher
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert client().get_run(seen).info.status == status
    assert not children() - before  # the watcher went with it


def test_a_watcher_leaves_a_run_alone_that_another_process_went_on_with(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medctx.tracking import run_reaper as watcher

    run_id = client().create_run("0", tags={OWNER_TAG: "second"}).info.run_id
    watcher._mark(run_id, "first")
    assert client().get_run(run_id).info.status == "RUNNING"
    watcher._mark(run_id, "second")
    assert client().get_run(run_id).info.status == "FAILED"


def test_mlflow_run_id_says_which_run_is_joined(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tracking.run("step", "one", run_file=tmp_path / "run") as run:
        kept = run.id
    other_run = client().create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", other_run)
    with tracking.run("step", "one", run_file=tmp_path / "run", prefer_file=True) as run:
        assert run.id == kept
    assert client().get_run(other_run).data.tags[tracking.CONTINUED_TAG] == kept
    monkeypatch.setenv("MLFLOW_RUN_ID", other_run)  # which MLflow has forgotten
    with tracking.run("step", "one", run_file=tmp_path / "run") as run:
        assert run.id == other_run
    assert (tmp_path / "run").read_text().strip() == other_run


@pytest.mark.parametrize(
    ("given", "tags", "shown"),
    [
        ("skillful-calf-382", {"mlflow.project.entryPoint": "main"}, "quick"),
        ("mine", {"mlflow.project.entryPoint": "main"}, "mine"),
        ("skillful-calf-382", {}, "skillful-calf-382"),
    ],
    ids=["made up by mlflow run", "given by the user", "of another program"],
)
def test_a_run_of_mlflow_run_is_named_and_its_experiment_is_one_of_training(
    given: str, tags: dict[str, str], shown: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = client().create_run("0", run_name=given, tags=tags).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", started)
    with tracking.run("study", "quick") as run:
        assert run.id == started
    assert client().get_run(started).info.run_name == shown
    assert client().get_experiment("0").tags[tracking.KIND_TAG] == tracking.KIND


def test_the_kind_that_an_experiment_was_given_stays(store: str) -> None:
    client().set_experiment_tag(client().create_experiment("medctx"), tracking.KIND_TAG, "finetuning")
    with tracking.run("step", "one"):
        pass
    assert client().get_experiment_by_name("medctx").tags[tracking.KIND_TAG] == "finetuning"


def test_a_run_that_the_store_no_longer_has_is_started_again(store: str, tmp_path: Path) -> None:
    with tracking.run("step", "one", run_file=tmp_path / "run") as run:
        first = run.id
    client().delete_run(first)
    with tracking.run("step", "one", run_file=tmp_path / "run") as run:
        assert run.id not in {"", first}
    (tmp_path / "run").write_text("0123456789abcdef0123456789abcdef\n")
    with tracking.run("step", "one", run_file=tmp_path / "run") as run:
        assert run.id != "0123456789abcdef0123456789abcdef"


def test_a_watcher_is_let_go_without_reaching_for_the_store() -> None:
    begun = time.monotonic()
    with watch_run("none", "nobody", "http://localhost:9"):
        pass
    assert time.monotonic() - begun < PATIENCE_S / 10, "it went looking for a server that is not there"


@pytest.mark.slow
def test_a_run_on_a_server_is_marked_too(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
    command += ["--workers", "1", "--artifacts-destination", str(tmp_path / "artifacts")]
    server = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.5)
        import mlflow

        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        mlflow.set_tracking_uri(uri)
        killed_writer(tmp_path)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/none/mlflow.db"])
def test_a_store_that_is_away_is_refused_before_the_work(
    uri: str, store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the work it costs the log only."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri(uri)
    with pytest.raises(MedctxError, match=r"The MLflow store .* cannot be used \(.*MEDCTX_TRACKING=off"):
        tracking.require_store()
    with pytest.raises(MedctxError, match="cannot be used"), tracking.run("step", "one"):
        pytest.fail("the work was begun")
    with tracking.run("step", "one", after_work=True) as run:
        run.metrics({"loss": 1.0})
        assert run.id == ""
    assert "The results are kept" in " ".join(capsys.readouterr().err.split())


def break_store(store: str) -> None:
    """Take the tables away, as a lost database does, under the connections that are open."""
    with sqlite3.connect(store.removeprefix("sqlite:///")) as database:
        for (name,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            database.execute(f'alter table "{name}" rename to "gone_{name}"')


def test_a_store_that_fails_in_mid_run_costs_the_log_only(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tracking.run("step", "one") as run:
        run.metrics({"loss": 1.0}, step=0)
        break_store(store)
        for step in (1, 2):
            run.metrics({"loss": 1.0}, step=step)
        run.params({"rank": 4})
        run.tags({"kind": "made"})
        assert run.last_step("loss") == -1
        (tmp_path / "file").write_text("x")
        run.artifact(tmp_path / "file")
    printed = " ".join(capsys.readouterr().err.split())
    assert printed.count("The MLflow store failed") == 1
    assert "The end of the MLflow run was not logged" in printed and "Traceback" not in printed


def test_a_strict_run_raises_errors_of_the_store(store: str) -> None:
    with tracking.run("step", "one", strict=True) as run:
        break_store(store)
        with pytest.raises(tracking.store_errors()):
            run.metrics({"loss": 1.0})
