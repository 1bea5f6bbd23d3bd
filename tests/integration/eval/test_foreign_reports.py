"""Logs of other harnesses in a report and in a comparison as JSON, through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from medctx.io.jsonl import read_record
from medctx.schemas.report import REPORT_FILE, ReportCore
from medctx.schemas.result import CommandResult
from medctx_eval.cli.main import main
from tests.support.paths import ROOT

FILES = ROOT / "tests" / "unit" / "eval" / "interchange_files"
PAIRS = {
    "lm-evaluation-harness": ([FILES / "lm_eval" / "first", FILES / "lm_eval" / "second"], "letter"),
    "inspect": ([FILES / "inspect" / "first.eval", FILES / "inspect" / "second.json"], "generate"),
    "inspect and Every Eval Ever": ([FILES / "inspect", FILES / "every_eval" / "from_inspect"], "generate"),
    "olmo-eval and lm-evaluation-harness": ([FILES / "olmo", FILES / "lm_eval" / "first"], "text-raw"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_logs_stand_in_a_report_as_they_do_in_a_comparison(name: str, tmp_path: Path) -> None:
    sources, mode = PAIRS[name]
    words = [str(source) for source in sources]
    compared = CliRunner().invoke(main, ["compare", *words, "--mode", mode, "--draws", "200", "--json"])
    assert compared.exit_code == 0, compared.output
    shares = {cell["cell"]: cell["accuracy"]["value"] for cell in json.loads(compared.stdout)["details"]["accuracies"]}
    assert len(shares) >= 2 and "items joined" in compared.stderr
    settings = ["--set", f"mode={mode}", "--set", "draws=200", "--out", str(tmp_path / "report")]
    written = CliRunner().invoke(main, ["report", *words, *settings, "--json"])
    assert written.exit_code == 0, written.output
    result = CommandResult.model_validate_json(written.stdout)
    assert [output.kind for output in result.outputs] == ["report", "report", "decision"]
    report = read_record(tmp_path / "report" / REPORT_FILE, ReportCore)
    assert {cell.name for cell in report.cells} >= set(shares)
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
