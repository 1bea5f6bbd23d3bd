"""The paper's five tables from end to end with a tiny random model on made files, and planned without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.config.grid import cells
from study.config.study import load_study
from tests.support import made_zh
from tests.support.paths import REAL_DATA, ROOT

for needed in ("torch", "peft", "medctx_train", "medctx_eval", "medctx_data"):
    pytest.importorskip(needed)

PAPERS = ("paper-general", "paper-medical", "paper-retune", "paper-ratio", "paper-amount")
SMALL = {
    "paper-general": (["bases=[GPT-4,DeepSeek]"], "small-zh"),
    "paper-medical": (["bases=[PULSE,WiNGPT2]"], "small-zh"),
    "paper-retune": (["bases=[PULSE,WiNGPT2]"], "small-zh"),
    "paper-ratio": (["bases=[1.8B,4B] ratios=['9:1']"], "small-zh"),
    "paper-amount": (["amounts=[10,20]"], "small-zh-medicine"),
}


def study(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "MEDCTX_TRACKING": "off",
        "MEDCTX_CACHE": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hub"),
    }
    command = [sys.executable, "-m", "study", "run", name, "--set", f"work={folder / 'work'}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("name", PAPERS)
def test_every_paper_study_is_planned_without_a_network(name: str, tmp_path: Path) -> None:
    result = study(tmp_path, name, "--dry-run")
    config = load_study(name)
    local = [label for label in config.labels if not config.model(label).urls]
    # Nothing can be fetched here: the plan is shown all the same, and what would stop the study is named.
    assert result.returncode == 1, result.stderr
    assert all(f"error: base {label}:" in result.stderr for label in local) and "Traceback" not in result.stderr
    assert f"cells       {len(cells(config))}:" in result.stdout
    assert all(config.model(label).id in result.stdout for label in config.labels)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("name", PAPERS)
def test_published_values_are_of_cells_the_study_has(name: str) -> None:
    config = load_study(name)
    published = config.report["published"]
    assert isinstance(published, dict) and isinstance(published["values"], dict)
    assert set(published["values"]) <= {cell.group for cell in cells(config)}
    conditions = [exam["conditions"] for exam in config.exam["exams"]]  # type: ignore[union-attr,index,call-overload]
    assert all(published["part"] in condition for condition in conditions)  # type: ignore[operator]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One work folder for all five: what one study did is not done by another."""
    folder = tmp_path_factory.mktemp("papers")
    made_zh.write(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS)
def test_every_paper_study_runs_from_end_to_end(name: str, shared: Path) -> None:
    overrides, overlay = SMALL[name]
    settings = [part for override in (*overrides, f"data={shared}") for part in ("--set", override)]
    result = study(shared, name, "--with", overlay, *settings)
    assert result.returncode == 0, result.stderr[-3000:]
    out = shared / "work/studies" / f"{name}-trial"
    summary = json.loads((out / "summary.json").read_text())
    assert {cell["status"] for cell in summary["cells"]} == {"done"}
    report = json.loads((out / "report.json").read_text())
    assert {cell["name"] for cell in report["cells"]} == {cell["cell"]["group"] for cell in summary["cells"]}
    measured = {cell["cell"] for cell in report["published"]["cells"] if cell["measured"]}
    examined = {cell["cell"]["group"] for cell in summary["cells"]}
    assert measured == examined & {cell["cell"] for cell in report["published"]["cells"]}
    assert "Published beside measured" in (out / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS)
def test_every_paper_study_runs_on_real_files(name: str, tmp_path: Path) -> None:
    if not (REAL_DATA / "zh_exams_test.jsonl.gz").is_file():
        pytest.skip(f"needs the files in {REAL_DATA}")
    overrides, overlay = SMALL[name]
    settings = [part for override in (*overrides, f"data={REAL_DATA}") for part in ("--set", override)]
    result = study(tmp_path, name, "--with", overlay, *settings)
    assert result.returncode == 0, result.stderr[-3000:]
