"""A whole study on a Ray of two workers of this machine, one of which is killed while it trains a cell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from medctx.schemas.mix import MIX_FILE
from medctx.schemas.sft import SFT_FILE, TRAINING_LOG
from study.workflow.job import ATTEMPTS
from tests.support.paths import ROOT

for needed in ("ray", "torch", "peft", "medctx_train", "medctx_eval", "medctx_data"):
    pytest.importorskip(needed)

pytestmark = pytest.mark.slow

FINISHED = (MIX_FILE, SFT_FILE, "contamination.json")


def run(folder: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MEDCTX_TRACKING": "off", "MEDCTX_CACHE": str(folder / "cache")}
    overrides = [f"work={folder / 'work'}", "executor.kind=ray", "executor.workers=2", "tokens=12000", *extra]
    command = [
        sys.executable,
        "-m",
        "study",
        "run",
        "smoke",
        *(part for override in overrides for part in ("--set", override)),
    ]
    print("$", " ".join(command))
    completed = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)
    print(completed.stderr, completed.stdout, sep="\n")
    return completed


def attempts(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / ATTEMPTS).read_text().splitlines()]


def kill_a_trainer(work: Path, killed: list[Path]) -> None:
    """SIGKILL the Ray worker of the first training step that has made a step."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        for journal in (work / "steps").glob(f"train-*/{TRAINING_LOG}"):
            if journal.read_text():
                os.kill(int(str(attempts(journal.parent)[-1]["worker"])), signal.SIGKILL)
                killed.append(journal.parent)
                return
        time.sleep(0.05)


def finished(work: Path) -> dict[Path, int]:
    """When every step of a study was finished."""
    return {path: path.stat().st_mtime_ns for name in FINISHED for path in (work / "steps").glob(f"*/{name}")}


@pytest.mark.parametrize("retries", [1, 0])
def test_a_study_outlives_a_killed_worker(retries: int, tmp_path: Path) -> None:
    work, killed = tmp_path / "work", list[Path]()
    killer = threading.Thread(target=kill_a_trainer, args=(work, killed))
    killer.start()
    first = run(tmp_path, f"executor.retries={retries}")
    killer.join()
    (folder,) = killed
    data = json.loads((work / "studies/smoke-trial/summary.json").read_text())
    status = {cell["cell"]["name"]: cell["status"] for cell in data["cells"]}
    if retries:
        assert first.returncode == 0, first.stderr[-3000:]
        assert set(status.values()) == {"done"}
        assert len(attempts(folder)) == 2
        return
    assert first.returncode == 1, "a study that lacks cells says so by its exit code"
    assert sorted(status.values()) == ["done", "done", "failed"], "the others went on"
    assert "1 of 3 cells is missing from the report" in first.stderr
    assert "its worker was lost" in first.stderr
    assert not (folder / SFT_FILE).exists()
    before = finished(work)
    again = run(tmp_path, "executor.retries=0")
    assert again.returncode == 0, again.stderr[-3000:]
    after = finished(work)
    assert {path: after[path] for path in before} == before, "done cells are not done again"
    assert (folder / SFT_FILE).is_file()
    steps = [json.loads(line)["step"] for line in (folder / TRAINING_LOG).read_text().splitlines()]
    assert steps == list(range(len(steps))), "it went on from its last step"
