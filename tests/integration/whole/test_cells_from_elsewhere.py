"""A study of one trained cell, an adapter and a model from elsewhere, and a model behind an endpoint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("mlflow")
pytest.importorskip("medctx_train")
pytest.importorskip("medctx_eval")

import torch

from medctx.model.identity import model_digest
from medctx_eval.demo.server import serve
from tests.support.exam_files import write_exam
from tests.support.made_adapters import make, whole
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow  # a whole study: 40 s of processor time before its first test ends


class AlwaysYes:
    """A model that answers "yes" to everything."""

    rule_models = ("yes-man",)

    def answer(self, model: str, content: str) -> str:
        return "yes"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(AlwaysYes()) as server:  # type: ignore[arg-type]
        yield server.url


@pytest.fixture(scope="module")
def study(strong: Path, url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the study's file, an adapter and a model."""
    folder = tmp_path_factory.mktemp("elsewhere")
    base = folder / "base"
    shutil.copytree(strong, base)
    adapter = make(base, folder / "run")
    model = whole(base)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    shutil.copytree(base, folder / "tuned")
    model.save_pretrained(folder / "tuned")  # type: ignore[operator]
    settings = {
        "name": "mixed",
        "base": str(base),
        "ratios": ["0:1"],
        "tokens": 1000,
        "cells": [
            {"name": "their adapter", "adapter": str(adapter)},
            {"model": str(folder / "tuned")},
            {"endpoint": url, "model": "yes-man"},
        ],
        "mix": {"sources": ["everyday", "phenotypes"], "max_tokens": 1024},
        "train": {"lora": {"rank": 4, "alpha": 8}, "row_tokens": 1024, "rows_per_step": 1},
        "exam": {
            "engine": "transformers",
            "precision": "float32",
            "exams": [{"exam": str(write_exam(folder / "own.jsonl")), "name": "own", "conditions": ["closed", "gold"]}],
        },
        "report": {"draws": 200, "different_means": True},
        "check_contamination": False,
        "registered_model": "medctx-mixed",
        "work": str(folder / "work"),
    }
    (folder / "mixed.yaml").write_text(yaml.safe_dump(settings))
    return folder


def called(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MEDCTX_CACHE": str(folder / "cache"),
        "MEDCTX_TRUST_CONFIG": "1",
    }
    environment.pop("MLFLOW_RUN_ID", None)
    command = [sys.executable, "-m", "study", "run", str(folder / "mixed.yaml"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def done(study: Path) -> subprocess.CompletedProcess[str]:
    before = {path: path.read_bytes() for path in (study / "run" / "adapter").iterdir()}
    result = called(study)
    assert result.returncode == 0, result.stderr[-4000:]
    assert {path: path.read_bytes() for path in (study / "run" / "adapter").iterdir()} == before
    return result


def test_a_dry_run_names_them_and_finds_one_that_is_missing(study: Path) -> None:
    result = called(study, "--dry-run")
    assert result.returncode == 0, result.stderr[-3000:]
    assert "cells       5: 1 untouched, 1 trained, 3 from elsewhere" in result.stdout
    assert "their adapter: adapter" in result.stdout
    assert "yes-man is asked at http" in result.stdout
    missing = called(study, "--dry-run", "--set", f"cells=[{{adapter: {study / 'nothing'}}}]")
    assert missing.returncode == 1
    assert "cell nothing: The model folder" in missing.stderr


def test_they_are_compared_with_the_base_as_the_plan_says(study: Path, done: subprocess.CompletedProcess[str]) -> None:
    out = study / "work/studies/mixed"
    plan = json.loads((out / "plan.json").read_text())
    elsewhere = ["their adapter", "tuned", "yes-man"]
    assert plan["cells"] == ["base", "0:1", *elsewhere]
    assert plan["axes"]["from elsewhere"] == elsewhere
    assert plan["primary"]["cell"] == "0:1"
    against = {(row["cell"], row["against"]) for row in plan["family"]["contrasts"]}
    assert against == {(cell, "base") for cell in plan["cells"][1:]}
    report = json.loads((out / "report.json").read_text())
    cells = {cell["name"]: cell for cell in report["cells"]}
    assert set(cells) == set(plan["cells"])
    assert [name for name, cell in cells.items() if cell["base"]] == ["base"]
    for name, method in zip(elsewhere, ("adapter", "model", "endpoint"), strict=True):
        assert cells[name]["recipe"]["method"] == f"{method} from elsewhere"
        assert cells[name]["recipe"]["general_share"] is None
    assert report["registration"]["deviations"] == [], "they have no training seeds, which is no deviation"


def test_adapters_are_registered_models_logged_and_endpoints_said_not_to_be(
    study: Path, done: subprocess.CompletedProcess[str]
) -> None:
    import mlflow

    said = " ".join(done.stderr.split())
    assert "yes-man is behind an endpoint, so there are no weights of it to register" in said
    client = mlflow.MlflowClient(f"sqlite:///{study}/mlflow.db")
    versions = {version.tags["cell"]: version for version in client.search_model_versions("name = 'medctx-mixed'")}
    assert set(versions) == {"0:1", "their adapter"}
    digest = model_digest(study / "run" / "adapter")
    assert versions["their adapter"].tags["medctx.adapter_digest"] == digest
    assert "Not recorded." in versions["their adapter"].description, "this study did not train it"
    (experiment,) = client.search_experiments(filter_string="name = 'medctx'")
    models = {model.name for model in client.search_logged_models([experiment.experiment_id])}
    assert {"base-base", "model-tuned", "model-yes-man"} <= models
