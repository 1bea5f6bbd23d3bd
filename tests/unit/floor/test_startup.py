"""What `--help` and dry runs import; bench/startup.py measures the seconds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "torch",
    "transformers",
    "vllm",
    "mlflow",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "datasets",
    "matplotlib",
    "httpx",
    "tenacity",
)
PROGRAMS = {
    "medctx-data": "medctx_data.cli.main",
    "medctx-train": "medctx_train.cli",
    "medctx-eval": "medctx_eval.cli.main",
    "study": "study.cli",
}
MOST_MODULES = 720
"""Of a program and all its --help together; the standard library's included."""

EVERY_HELP = """
import importlib, json, sys
import click
from click.testing import CliRunner

main = importlib.import_module(sys.argv[1]).main


def paths(group, path=()):
    yield path
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from paths(command, (*path, name))


asked = 0
for path in paths(main):
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0, (path, result.output)
    asked += 1
print(json.dumps({"asked": asked, "modules": sorted(sys.modules)}))
"""

DRY_RUN = """
import sys
from medctx_eval.cli.main import main

try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
unused = ("torch", "transformers", "mlflow", "vllm", "datasets", "pandas", "statsmodels", "matplotlib")
print([name for name in unused if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_of_every_command_imports_nothing_heavy(program: str) -> None:
    completed = subprocess.run(
        [sys.executable, "-c", EVERY_HELP, PROGRAMS[program]], capture_output=True, text=True, check=True
    )
    result = json.loads(completed.stdout.splitlines()[-1])
    assert result["asked"] >= 5
    assert [name for name in HEAVY if name in result["modules"]] == []
    assert len(result["modules"]) <= MOST_MODULES


def test_a_dry_run_of_an_exam_imports_neither_torch_nor_transformers(tokenizer_folder: Path, tmp_path: Path) -> None:
    rows = [{"id": "1", "question": "Which?", "options": {"A": "x", "B": "y"}, "answer": "A", "context": "It is x."}]
    model = tmp_path / "model"
    shutil.copytree(tokenizer_folder, model)
    (model / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 1000}))
    file = tmp_path / "items.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    keys = [
        f"models=[{{name: base, folder: {model}}}]",
        f"exams=[{{exam: file, items: {file}, conditions: [gold]}}]",
        "engine=transformers",
    ]
    options = [part for key in keys for part in ("--set", key)]
    completed = subprocess.run(
        [sys.executable, "-c", DRY_RUN, "run", *options, "--dry-run"], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr.splitlines()[-1] == "[]"
