"""What medctx exports is taken by the harnesses themselves, where their programs are installed (not by default).

Every Eval Ever needs Python 3.12, lm-eval brings a gigabyte: install each in an environment of its own and put its
``bin`` on the PATH. That their logs are read is tested without them, in tests/unit/eval/test_exported_exam.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from medctx_eval.cli.main import main
from medctx_eval.interchange.lm_eval_samples import read
from tests.support import synthetic_runs
from tests.support.paths import ROOT

WARD = ROOT / "tests" / "unit" / "eval" / "interchange_files" / "exported" / "ward.csv"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYTHONPATH": ""}


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"the program {name} is not installed")
    return path


def called(*words: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env=os.environ | OFFLINE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def exported(*words: str | Path) -> str:
    result = CliRunner().invoke(main, ["export", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stderr


def test_every_eval_ever_finds_no_error_in_exported_runs(tmp_path: Path) -> None:
    validate = program("every_eval_ever")
    runs = synthetic_runs.write(tmp_path / "runs", ("base", "1:1"))
    for run in runs:
        said = exported("every-eval-ever", run, "--out", tmp_path / "eee", "--developer", "acme")
        assert "validate 'data/*/*/*/*'" in said
    printed = called(validate, "validate", "data/*/*/*/*", folder=tmp_path / "eee")
    assert "0 failed (0 errors, 0 warnings)" in printed


def test_lm_eval_asks_an_exported_exam_and_its_log_is_read(tmp_path: Path) -> None:
    lm_eval = program("lm_eval")
    exported("lm-eval", WARD, "--evidence", "--out", tmp_path / "tasks")
    called(
        lm_eval, "--model", "dummy", "--tasks", "ward,ward_generate", "--include_path", "tasks", "--log_samples",
        "--output_path", "logs", folder=tmp_path,
    )  # fmt: skip
    (run,) = read(tmp_path / "logs")
    assert {answer.mode for answer in run.answers} == {"letter", "generate"}
    assert len(run.answers) == 12 and all(answer.cluster for answer in run.answers)
