"""MLflow's own pages of a registered study: a real server, a real browser, and what a visitor must be able to read."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import chromium

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from playwright.sync_api import Page

PATIENCE_S = 180
SETTINGS = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
    "mlflow.workflowType_v1": '"machine_learning"',
}
"""What MLflow keeps of a visitor: the chat beside every page is closed, and "Model training" is chosen."""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(store: str, artifacts: Path, log: Path, environment: dict[str, str] | None = None) -> Iterator[str]:
    """Serve a store and artifacts; yields the address."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
    command += ["--workers", "1", "--artifacts-destination", str(artifacts)]
    switches = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env={**(environment or os.environ), **switches},
            start_new_session=True,
            stdout=stream,
            stderr=stream,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(url):
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.5)
        yield url
    finally:
        with suppress(ProcessLookupError):  # it did not start
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True)
class Visit:
    """One page: its name, its address below the server's, and texts that stand on it once it is loaded.

    ``scroll_to``: the text to bring to the top before the picture; ``frame``: whether the texts stand in the preview.
    """

    name: str
    path: str
    texts: Sequence[str]
    scroll_to: str = ""
    frame: bool = False


def _of_comparison(client: MlflowClient, model: str, version: str) -> str:
    """A number that stands on the page of a comparison: the pooled one where a cell has several seeds."""
    metrics = client.get_run(client.get_model_version(model, version).run_id).data.metrics
    return next(
        name for name in ("pooled_reading_gain_low", "reading_gain_low", "knowledge_gain_low") if name in metrics
    )


def visits(client: MlflowClient, study: Run, model: str, versions: Sequence[str]) -> list[Visit]:
    """The pages that a visitor of a study opens, and what must stand there."""
    run, experiment = study.info.run_id, study.info.experiment_id
    name = client.get_experiment(experiment).name
    models = client.search_logged_models([experiment])
    runs_path = f"/#/experiments/{experiment}"
    return [
        Visit("experiments", "/#/experiments", [name]),
        Visit("runs", f"{runs_path}/runs", [study.info.run_name, "matching runs"]),
        Visit("study", f"{runs_path}/runs/{run}", [study.info.run_name, "general data %", "not told apart"]),
        Visit("report", f"{runs_path}/runs/{run}/artifacts/report/report.html", ["By condition"], frame=True),
        Visit("registered-model", f"/#/models/{model}", [model, "general data %", "Not a medical device"]),
        Visit(
            "version",
            f"/#/models/{model}/versions/{versions[0]}",
            ["accuracy % [95 %]", "blind %", f"models:/{model}/{versions[0]}", "Contamination"],
        ),
        Visit("models", f"{runs_path}/models", [model_.name for model_ in models[:2]]),
        Visit(
            "comparison",
            f"/#/compare-model-versions?name=%22{model}%22&runs={{%22"
            + "%22,%22".join(f"{key}%22:%22{client.get_model_version(model, key).run_id}" for key in versions[:2])
            + "%22}",
            ["Comparing 2 Versions", _of_comparison(client, model, versions[0])],
        ),
    ]


def open_visit(tab: Page, url: str, visit: Visit) -> None:
    """Open a page and wait until every text stands on it."""
    tab.goto("about:blank")
    tab.goto(url + visit.path)
    place = tab.frame_locator("iframe") if visit.frame else tab
    for text in visit.texts:
        place.get_by_text(text).first.wait_for(state="attached", timeout=1000 * PATIENCE_S)
    if visit.scroll_to:
        tab.get_by_text(visit.scroll_to).first.scroll_into_view_if_needed()
    tab.wait_for_timeout(1500)


@contextmanager
def visitor(url: str, width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A browser that has been on the pages before: no chat is opened, and training is what it looks at."""
    with chromium.browser() as page:
        page.size(width, height)
        kept = json.dumps(SETTINGS)
        page.tab.add_init_script(f"for (const [key, value] of Object.entries({kept})) localStorage.setItem(key, value)")
        page.tab.set_default_timeout(1000 * PATIENCE_S)
        yield page.tab
