"""The study's command line as a user meets it: exit codes and sentences, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medctx.config.cli import TRUST_VARIABLE
from study.config.study import STUDIES
from tests.support import forked, made_real
from tests.support.paths import ROOT

Study = Callable[..., subprocess.CompletedProcess[str]]


def environment_of(folder: Path) -> dict[str, str]:
    return {**os.environ, "MEDCTX_TRACKING": "off", "MEDCTX_CACHE": str(folder / "cache")}


@pytest.fixture(scope="module")
def study() -> Iterator[Study]:
    """Calls ``study`` with arguments and a folder of its own; it and the commands it calls are forked."""
    with forked.steps() as address:

        def called(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
            return forked.called(["study", *arguments], ROOT, environment_of(folder), address)

        yield called


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "quik"), "There is no config 'quik' (did you mean 'quick'?)"),
        (("run", "quick", "--set", "exm.mode=text"), "Unknown key 'exm'"),
        (("run", "smoke", "--set", "ratios=['0:0']"), "sums to nothing"),
        (("run", "smoke", "--set", "mix.sorces=[]"), "Unknown key 'sorces'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], sentence: str, study: Study, tmp_path: Path
) -> None:
    pytest.importorskip("medctx_train")
    result = study(*arguments, "--set", f"work={tmp_path / 'work'}", folder=tmp_path)
    assert result.returncode == 2, result.stderr
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


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
    completed = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
    assert completed.returncode == 2, completed.stderr
    assert "cannot be used" in completed.stderr and "set MLFLOW_TRACKING_URI" in completed.stderr
    assert "topsecret99" not in completed.stderr + completed.stdout
    assert not (tmp_path / "work" / "steps").exists() and not (tmp_path / "cache").exists()


def test_a_trusted_study_may_choose_programs_and_servers(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    arguments = ("power", "smoke", "--set", "exam.vllm.extra_args=[--seed=1]")
    refused = study(*arguments, folder=tmp_path)
    assert refused.returncode == 2 and "gives vLLM the arguments --seed=1" in refused.stderr
    assert "--trust-config" in refused.stderr and "Traceback" not in refused.stderr
    trusted = study(*arguments, "--trust-config", folder=tmp_path)
    assert trusted.returncode == 0, trusted.stderr


def test_a_dry_run_of_the_installed_commands_writes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "study", "run", "quick", "--dry-run", "--set", f"work={tmp_path / 'work'}"]
    environment = environment_of(tmp_path)
    result = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "base, 1:0, 1:1, 0:1" in result.stdout
    assert not (tmp_path / "work").exists()


SHIPPED = sorted(file.stem for file in STUDIES.glob("*.yaml") if not file.stem.startswith("paper-"))
"""Studies that need no hub; those of the paper are rehearsed in test_paper_studies.py."""


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_study_passes_its_dry_run(name: str, study: Study, tmp_path: Path) -> None:
    """With the embedded sources, or with small files in the form of the user's own."""
    pytest.importorskip("medctx_train")
    made_real.write(tmp_path)
    overrides = ["--set", f"work={tmp_path / 'work'}", "--set", f"data={tmp_path}"]
    result = study("run", name, "--dry-run", *overrides, folder=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "points are seen with power" in result.stdout, "the plan that would be registered"
    assert not (tmp_path / "work").exists()


def test_power_is_answered_before_anything_is_trained(study: Study, tmp_path: Path) -> None:
    arguments = ("--set", f"work={tmp_path / 'work'}", "--difference", "0.05", "--power", "0.9")
    result = study("power", "smoke", *arguments, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "power for 5 points" in result.stdout
    assert "points seen with power 0.9" in result.stdout
    assert not (tmp_path / "work").exists()
    nothing = study("power", "smoke", "--set", "ratios=[]", folder=tmp_path)
    assert nothing.returncode == 2
    assert "has no contrast" in nothing.stderr


def test_commands_that_fit_no_law_do_not_wait_for_its_libraries() -> None:
    heavy = ("matplotlib", "scipy", "sklearn", "statsmodels", "torch", "mlflow", "ray")
    code = f"import sys, study.cli; print([name for name in {heavy} if name in sys.modules])"
    completed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert completed.stdout.strip() == "[]"
