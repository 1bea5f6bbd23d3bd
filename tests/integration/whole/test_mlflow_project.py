"""``mlflow run`` on this project: by path, from a folder of a repository on a server, in an environment it builds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import pytest
import yaml

from tests.support.mlflow_pages import free_port
from tests.support.paths import ROOT

mlflow = pytest.importorskip("mlflow")
PATIENCE_S = 60
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.org")


def config(folder: Path, tokenizer: Path) -> Path:
    file = folder / "mix.yaml"
    keys = {"tokenizer": str(tokenizer), "tokens": 4000, "ratio": "1:1", "sources": ["everyday", "phenotypes"]}
    file.write_text(yaml.safe_dump(keys))
    return file


def started(uri: str, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_") and key != "PYTHONPATH"}
    kept |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    command = [sys.executable, "-m", "mlflow", "run", uri, "--experiment-name", "medctx", *arguments]
    return subprocess.run(command, cwd=folder, env=kept | variables, text=True, capture_output=True, check=False)


def mixed(uri: str, folder: Path, tokenizer: Path, manager: str = "local", **variables: str) -> None:
    """Run the entry point ``mix`` and look at what MLflow then holds."""
    out, file = folder / "mix", config(folder, tokenizer)
    entry = ("-e", "mix", "--env-manager", manager, "-P", f"config={file}", "-P", f"out={out}")
    result = started(uri, folder, *entry, **variables)
    assert result.returncode == 0, result.stderr[-3000:]
    assert (out / "mix.json").is_file()
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("medctx")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "mix"), "no name that MLflow made up"
    assert run.data.tags["mlflow.project.entryPoint"] == "mix"
    assert run.data.metrics["mix.tokens"] > 3000


def git(*words: str, folder: Path) -> None:
    subprocess.run(["git", *IDENTITY, *words], cwd=folder, check=True, capture_output=True)


@contextmanager
def served(repositories: Path) -> Iterator[str]:
    """Serve the repositories in a folder; yields the beginning of their addresses."""
    port = free_port()
    command = ["git", "daemon", "--export-all", f"--base-path={repositories}", f"--port={port}", "--listen=127.0.0.1"]
    with subprocess.Popen([*command, str(repositories)], stderr=subprocess.DEVNULL) as daemon:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while socket().connect_ex(("127.0.0.1", port)):
                assert daemon.poll() is None and time.monotonic() < deadline, "git daemon did not start"
                time.sleep(0.1)
            yield f"git://127.0.0.1:{port}"
        finally:
            # Its own process answers; the one that was started hands on no signal.
            daemon.terminate()


def test_by_path(tmp_path: Path, alphabet: Path) -> None:
    mixed(str(ROOT), tmp_path, alphabet)


@pytest.mark.slow
def test_from_a_folder_of_a_git_repository(tmp_path: Path, alphabet: Path) -> None:
    pytest.importorskip("git")
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git, or no checkout of it")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    repository = tmp_path / "served" / "big"
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("docs/", "tests/")):
            (repository / "inner" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / "inner" / name)
    git("init", "--quiet", "--initial-branch=main", folder=repository)
    git("add", "--all", folder=repository)
    git("commit", "--quiet", "--message=all", folder=repository)
    (tmp_path / "work").mkdir()
    with served(tmp_path / "served") as address:
        mixed(f"{address}/big#inner", tmp_path / "work", alphabet)


@pytest.mark.slow
def test_in_an_environment_that_mlflow_builds(tmp_path: Path, alphabet: Path) -> None:
    if shutil.which("pyenv") is None:
        pytest.skip("pyenv is not installed")
    mixed(str(ROOT), tmp_path, alphabet, "virtualenv", MLFLOW_ENV_ROOT=str(tmp_path / "environments"))


@pytest.mark.slow
def test_in_an_environment_that_uv_makes_of_the_lock_file(tmp_path: Path, alphabet: Path) -> None:
    environments = tmp_path / "environments"
    mixed(str(ROOT), tmp_path, alphabet, "uv", MLFLOW_ENV_ROOT=str(environments))
    (python,) = environments.glob("*/bin/python")
    locked = {
        package["name"]: package["version"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    code = "from importlib.metadata import version; print(version('transformers'))"
    shown = subprocess.run([python, "-c", code], text=True, capture_output=True, check=True).stdout.strip()
    assert shown == locked["transformers"]


def test_what_fails_is_one_sentence_and_a_failed_run(tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "none")
    parameters = ("-P", f"config={file}", "-P", f"out={tmp_path / 'mix'}")
    result = started(str(ROOT), tmp_path, "-e", "mix", "--env-manager", "local", *parameters)
    assert result.returncode != 0 and "error: The model folder" in result.stderr
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("medctx").experiment_id])
    assert run.info.status == "FAILED"


def test_the_environment_has_what_the_extras_of_medctx_data_ask_for() -> None:
    """It cannot ask for the extras themselves; without dedupe a study would have no contamination check."""
    text = (ROOT / "packages" / "medctx-data" / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    listed = yaml.safe_load((ROOT / "python_env.yaml").read_text(encoding="utf-8"))["dependencies"]
    for extra in ("dedupe", "general", "phenotypes", "tracking"):
        assert set(extras[extra]) <= set(listed), extra
    assert not [entry for entry in listed if "medctx-data" in entry]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", line.replace("_", "-"), maxsplit=1)[0].lower() for line in requirements}


def test_the_root_lists_what_the_packages_ask_for_because_uv_sees_nothing_else() -> None:
    def project(folder: Path) -> dict[str, Any]:
        tree = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        hook = tree["tool"].get("hatch", {}).get("metadata", {}).get("hooks", {}).get("custom", {})
        return {"dependencies": hook.get("dependencies", []), **tree["project"]}

    data, train, exam = (project(ROOT / "packages" / f"medctx-{name}") for name in ("data", "train", "eval"))
    needed = [*data["dependencies"], *train["dependencies"], *exam["dependencies"], "scikit-learn"]
    for extra in ("fetch", "tokens", "models", "parquet", "dedupe", "general", "phenotypes", "tracking"):
        needed += data["optional-dependencies"][extra]
    needed += exam["optional-dependencies"]["transformers"]
    assert names(project(ROOT)["dependencies"]) == names(needed)


def test_every_entry_point_is_documented() -> None:
    text = (ROOT / "MLproject").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "start" / "experiment.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    entries = yaml.safe_load(text)["entry_points"]
    for name, entry in entries.items():
        assert lines[lines.index(f"  {name}:") - 1].startswith("  # ")
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert all(f"`{parameter}`" in row for parameter in entry["parameters"])
