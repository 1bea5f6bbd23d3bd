"""The report of a small synthetic study, word by word; tests/golden/README.md says how to renew it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from medctx_eval.report.build import write_report
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.model import Report
from tests.support import synthetic_runs
from tests.support.paths import GOLDEN

DIGITS = 4


def rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    return [rounded(entry) for entry in value] if isinstance(value, list) else value


def as_text(value: object) -> str:
    return json.dumps(rounded(value), indent=1, ensure_ascii=False) + "\n"


def excerpt(report: Report) -> dict[str, object]:
    """A few records of ``report.json``, one of each kind that people look up."""
    score, comparison = report.score("0:1", "knowledge"), report.gain("0:1", "reading")
    assert score and comparison and report.contamination
    return {
        "cell": report.cells[-1].model_dump(mode="json", exclude={"runs"}),
        "score": score.model_dump(mode="json"),
        "comparison": comparison.model_dump(mode="json"),
        "contamination": report.contamination.model_dump(mode="json"),
        "option_orders": report.option_orders[0].model_dump(mode="json"),
        "gate_checks": [check.model_dump(mode="json") for check in report.gate_checks if check.cell == "0:1"],
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root: Path = tmp_path_factory.mktemp("golden")
    folders = synthetic_runs.write(root / "runs", ("base", "1:1-0", "1:1-1", "0:1-0"), facts=16, dossiers=12)
    config = ReportConfig(
        title="A small study",
        draws=200,
        contamination=(synthetic_runs.write_contamination_report(root / "contamination", [("k/3/0", "13-gram")]),),
        max_contaminated=0.05,
        training=synthetic_runs.write_training(root, ["0:1"]),
    )
    report = write_report(folders, root / "out", config)
    return {
        "report.md": (root / "out" / "report.md").read_text(encoding="utf-8"),
        "decision.json": as_text(json.loads((root / "out" / "decision.json").read_text(encoding="utf-8"))),
        "report_excerpt.json": as_text(excerpt(report)),
    }


@pytest.mark.parametrize("name", ["report.md", "decision.json", "report_excerpt.json"])
def test_the_report_is_the_golden_one(written: dict[str, str], name: str) -> None:
    file = GOLDEN / name
    if os.environ.get("RENEW_GOLDEN"):
        file.write_text(written[name], encoding="utf-8")
    assert written[name] == file.read_text(encoding="utf-8")
