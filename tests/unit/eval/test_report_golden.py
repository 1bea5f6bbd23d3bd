"""The report of a small synthetic study, word by word; tests/golden/README.md says how to renew it."""

from __future__ import annotations

import json
import os

import pytest

from medctx_eval.report import ReportConfig, build
from tests.support import synthetic_runs
from tests.support.paths import GOLDEN

DIGITS = 6


def rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("golden")
    folders = synthetic_runs.write(root / "runs", ("base", "1:1-0", "1:1-1", "0:1-0"), facts=16, dossiers=12)
    contamination_report = synthetic_runs.write_contamination_report(root / "contamination", [("k/3/0", "13-gram")])
    training = synthetic_runs.write_training(root, ["0:1"])
    config = ReportConfig(
        title="A small study", draws=200, contamination=contamination_report, max_contaminated=0.05, training=training
    )
    build(folders, root / "out", config)
    report = json.loads((root / "out" / "report.json").read_text(encoding="utf-8"))
    del report["configs"]  # where this run's files lay
    return {
        "report.json": json.dumps(rounded(report), indent=1, ensure_ascii=False) + "\n",
        "report.md": (root / "out" / "report.md").read_text(encoding="utf-8"),
    }


@pytest.mark.parametrize("name", ["report.md", "report.json"])
def test_the_report_is_the_golden_one(written: dict[str, str], name: str) -> None:
    file = GOLDEN / name
    if os.environ.get("RENEW_GOLDEN"):
        file.write_text(written[name], encoding="utf-8")
    assert written[name] == file.read_text(encoding="utf-8")
