"""The three starts of docs/start, timed as a newcomer goes through them: an empty home, an environment of its own.

``python -m bench.looks.first_starts exam`` installs medctx-eval alone and examines a model behind a local server.
``... experiment`` clones the checkout and runs ``make study STUDY=smoke`` (downloads everything, about 4 GB).
``... registry --study FOLDER`` browses a finished study (the folder with mlflow.db) in MLflow, with this environment's
packages, and loads a version. CPU seconds say what a machine without other work would take.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import sys
from medctx_eval.demo.server import DemoConfig, serve_models
with serve_models(DemoConfig(items=8)) as config:
    print(config.urls[0], flush=True)
    sys.stdin.read()
"""
LOAD = """
import sys, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
messages = [{"role": "user", "content": "What is a typical finding in Marfan syndrome?"}]
print(model.predict({"messages": messages}, params={"max_new_tokens": 8}))
"""
PATIENCE_S = 600
Row = tuple[str, str, float, float]


def environment(home: Path) -> dict[str, str]:
    """Variables of a newcomer: an empty home, nothing of this checkout's Python or MLflow."""
    hidden = ("MLFLOW", "MEDCTX", "PYTHON", "VIRTUAL_ENV", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    home.mkdir(parents=True)
    return {**kept, "HOME": str(home), "MLFLOW_DISABLE_TELEMETRY": "true"}


class Stopwatch:
    """Times steps; CPU seconds are those of the finished processes that a step started."""

    def __init__(self, start: str) -> None:
        self.start = start
        self.rows: list[Row] = []

    def step(self, name: str, work: Callable[[], object]) -> None:
        """Do the work of a step and note how long it took."""
        began, cpu = time.monotonic(), _cpu_seconds()
        work()
        self.rows.append((self.start, name, time.monotonic() - began, _cpu_seconds() - cpu))
        print(f"{name}: {self.rows[-1][2]:.0f} s", file=sys.stderr)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> str:
    """Run a command to its end; returns what it prints."""
    done = subprocess.run(command, cwd=folder, env=dict(variables), text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def exam(scratch: Path) -> list[Row]:
    """Install medctx-eval alone, run its demo, examine a model behind a server."""
    watch, variables, venv = Stopwatch("exam only"), environment(scratch / "home"), scratch / "venv"
    run([sys.executable, "-m", "venv", str(venv)], scratch, variables)
    variables["PATH"] = f"{venv / 'bin'}{os.pathsep}{variables['PATH']}"
    package = str(ROOT / "packages" / "medctx-eval")
    watch.step("pip install ./packages/medctx-eval", lambda: run(["pip", "install", package], scratch, variables))
    watch.step("medctx-eval demo", lambda: run(["medctx-eval", "demo"], scratch, variables))
    command = [str(venv / "bin" / "python"), "-c", SERVER]
    with subprocess.Popen(command, env=variables, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        asked = ["medctx-eval", "run", "--endpoint", url, "--model", "oracle", "--exam", "needle"]
        asked += ["--condition", "closed", "--condition", "gold", "--limit", "8", "--out", "runs"]
        watch.step("medctx-eval run --endpoint", lambda: run(asked, scratch, variables))
        server.communicate()
    return watch.rows


def experiment(scratch: Path) -> list[Row]:
    """Clone the checkout and run the smallest study."""
    watch, variables = Stopwatch("whole experiment"), environment(scratch / "home")
    clone = scratch / "medctx"
    run(["git", "clone", "--quiet", str(ROOT), str(clone)], scratch, variables)
    watch.step("make install", lambda: run(["make", "install"], clone, variables))
    watch.step("make study STUDY=smoke", lambda: run(["make", "study", "STUDY=smoke"], clone, variables))
    return watch.rows


def _wait_for(url: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{url} did not answer")


def registry(scratch: Path, study: Path) -> list[Row]:
    """Open MLflow on a finished study, read the card of a version, load it."""
    from mlflow import MlflowClient

    from tests.support.mlflow_pages import free_port

    watch, variables = Stopwatch("registry"), environment(scratch / "home")
    variables["MLFLOW_TRACKING_URI"] = store = f"sqlite:///{study.resolve()}/mlflow.db"
    packages = [str(ROOT / "packages" / f"medctx-{name}" / "src") for name in ("data", "train", "eval")]
    variables["PYTHONPATH"] = os.pathsep.join(packages)
    client = MlflowClient(store)
    models = {model.name: model for model in client.search_registered_models()}
    name, model = next(iter(models.items()))
    version = model.aliases.get("champion", "1")
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store, "--port", str(port)]
    with subprocess.Popen(command, cwd=study, env=variables, stderr=subprocess.DEVNULL, start_new_session=True) as ui:
        try:
            watch.step("mlflow ui answers", lambda: _wait_for(f"{url}/health"))
            query = f"{url}/api/2.0/mlflow/model-versions/get?name={name}&version={version}"
            watch.step(f"card of {name} version {version}", lambda: _card(query))
        finally:
            os.killpg(ui.pid, 15)
    watch.step(
        "load it and ask", lambda: run([sys.executable, "-c", LOAD, f"models:/{name}/{version}"], study, variables)
    )
    return watch.rows


def _card(query: str) -> None:
    with urllib.request.urlopen(query, timeout=60) as answer:
        description = json.load(answer)["model_version"]["description"]
    assert "Not a medical device" in description


def table(rows: Sequence[Row]) -> str:
    """The times as a Markdown table."""
    lines = ["| start | step | s | CPU s |", "|---|---|---:|---:|"]
    return "\n".join([*lines, *(f"| {start} | `{name}` | {wall:.0f} | {cpu:.0f} |" for start, name, wall, cpu in rows)])


def main() -> None:
    """Time one start or several."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("starts", nargs="+", choices=("exam", "experiment", "registry"))
    parser.add_argument("--study", type=Path, default=ROOT, help="folder with the mlflow.db of a finished study")
    args = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="medctx-starts-"))
    rows: list[Row] = []
    try:
        for start in args.starts:
            folder = scratch / start
            folder.mkdir()
            rows += (
                registry(folder, args.study)
                if start == "registry"
                else {"exam": exam, "experiment": experiment}[start](folder)
            )
    finally:
        shutil.rmtree(scratch)
    print(table(rows))
    print(f"\n{os.cpu_count()} cores, load of the last minute at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
