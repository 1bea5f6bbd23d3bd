"""The study's command line as a user meets it: exit codes and sentences, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def study(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MEDCTX_TRACKING": "off", "MEDCTX_CACHE": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, "-m", "study", *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "quik"), "There is no config 'quik' (did you mean 'quick'?)"),
        (("run", "quick", "--set", "exm.mode=text"), "Unknown key 'exm'"),
        (("run", "smoke", "--set", "ratios=['0:0']"), "sums to nothing"),
        (("run", "smoke", "--set", "mix.sorces=[]"), "Unknown key 'sorces'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    pytest.importorskip("medctx_train")
    found = study(*arguments, "--set", f"work={tmp_path / 'work'}", folder=tmp_path)
    assert found.returncode == 2, found.stderr
    assert sentence in found.stderr
    assert "Traceback" not in found.stderr


def test_a_store_that_cannot_be_reached_is_said_before_any_work(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": "http://me:topsecret99@127.0.0.1:1",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MEDCTX_CACHE": str(tmp_path / "cache"),
    }
    environment.pop("MEDCTX_TRACKING", None)
    command = [sys.executable, "-m", "study", "run", "smoke", "--set", f"work={tmp_path / 'work'}"]
    found = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
    assert found.returncode == 2, found.stderr
    assert "cannot be used" in found.stderr and "set MLFLOW_TRACKING_URI" in found.stderr
    assert "topsecret99" not in found.stderr + found.stdout
    assert not (tmp_path / "work" / "steps").exists() and not (tmp_path / "cache").exists()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    found = study("run", "quick", "--dry-run", "--set", f"work={tmp_path / 'work'}", folder=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "base, 1:0, 1:1, 0:1" in found.stdout
    assert not (tmp_path / "work").exists()


def test_commands_that_fit_no_law_do_not_wait_for_its_libraries() -> None:
    heavy = ("matplotlib", "scipy", "sklearn", "statsmodels", "torch", "mlflow", "ray")
    code = f"import sys, study.cli; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert found.stdout.strip() == "[]"
