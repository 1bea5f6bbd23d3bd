"""The commands of the pages that train, merge, repair and examine a model, run as printed on a tiny one."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

from medctx.io.jsonl import write_records
from tests.support.documentation import blocks, command_lines, run_command, run_python
from tests.support.made_training import dialogue
from tests.support.paths import ROOT

TINY = {"smollm2-135m-instruct": "tiny-random-llama"}
TRAINING = ("sft", "merge", "repair", "base", "estimate", "config")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def workspace(tiny: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages suppose: a base model, two mixes, and the config that the package's README prints."""
    for place in ("models/base", "path/to/model"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).symlink_to(tiny)
    for place, first in {"mix": 0, "mixes/one": 0, "mixes/one-to-one": 0, "mixes/general": 100}.items():
        write_records(tmp_path / place / "dialogues.jsonl", [dialogue(n) for n in range(first, first + 24)])
    (printed,) = blocks("packages/medctx-train/README.md", "yaml")
    config = yaml.safe_load(printed) | {"base": "models/base"}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setenv("MEDCTX_CACHE", str(cache))
    return tmp_path


def training_commands(name: str) -> list[list[str]]:
    words = command_lines(ROOT / name)
    return [line for line in words if line[0] == "medctx-train" and line[1] in TRAINING]


def test_the_commands_of_the_package_run_in_their_order(workspace: Path) -> None:
    commands = training_commands("packages/medctx-train/README.md")
    assert len(commands) >= 6
    for words in commands:
        run_command(words, TINY)
    assert (workspace / "runs/adapter/sft.json").is_file() and (workspace / "merged/merge.json").is_file()


def test_the_commands_of_own_data_and_own_model_run_in_their_order(workspace: Path) -> None:
    commands = training_commands("docs/how-to/own-data.md") + training_commands("docs/how-to/own-model.md")
    run_command(shlex.split("medctx-train sft --set 'base=path/to/model mix=mixes/one' --out runs/medical"), {})
    for words in commands:
        run_command(words, TINY)
    assert (workspace / "runs/retuned/sft.json").is_file() and (workspace / "runs/half/repair.json").is_file()


def test_the_python_of_the_package_runs_as_printed(workspace: Path) -> None:
    (code,) = blocks("packages/medctx-train/README.md", "python")
    run_python(code.replace("smollm2-135m-instruct", "tiny-random-llama"), "README.md")
    assert (workspace / "merged/model.safetensors").is_file()


def test_the_python_of_the_exam_runs_as_printed(workspace: Path) -> None:
    (code,) = blocks("packages/medctx-eval/README.md", "python")
    assert 'exam="phenotypes-facts", conditions' in code
    small = code.replace('exam="phenotypes-facts"', 'exam="needle", limit=4').replace(
        "models=(", 'engine="transformers", models=('
    )
    run_python(small, "README.md")
    assert list((workspace / "runs").glob("base-*/exam.json"))
