"""Two files of one's own in one run: their items, verdicts and report stay apart though their ids are the same."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from medctx.schemas.records import Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.cli.main import main
from tests.support.exam_files import write_exam
from tests.support.scripted_server import arguments, serve

ROWS = 12


def test_two_own_exams_with_the_same_ids_are_run_and_reported_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    first = write_exam(tmp_path / "ward.jsonl", ROWS)
    rows = [json.loads(line) for line in first.read_text(encoding="utf-8").splitlines()]
    second = tmp_path / "clinic.jsonl"
    # The server always answers B, which is right for half of the first exam and for all of the second.
    second.write_text(
        "".join(
            json.dumps({**row, "question": f"Clinic {row['id']}?", "context": f"Clinic {row['id']}.", "answer": "B"})
            + "\n"
            for row in rows
        ),
        encoding="utf-8",
    )
    out, report = tmp_path / "runs", tmp_path / "report"
    with serve() as server:
        ran = CliRunner().invoke(main, arguments([server.url], first, out, f"exams=[{first}, {second}]"))
        assert ran.exit_code == 0, ran.output
        assert len(server.questions) == 2 * ROWS
    (folder,) = (path for path in out.iterdir() if (path / "exam.json").is_file())
    run = run_folder.read_run(folder)
    assert {card.name: card.items for card in run.manifest.exams} == {"ward": ROWS, "clinic": ROWS}
    assert {judged.item for judged in run.judged} == {
        f"{name}/i{number}" for name in ("ward", "clinic") for number in range(ROWS)
    }
    verdicts = Counter((judged.item.partition("/")[0], judged.verdict) for judged in run.judged)
    assert verdicts == {
        ("ward", Verdict.CORRECT): ROWS // 2,
        ("ward", Verdict.WRONG): ROWS // 2,
        ("clinic", Verdict.CORRECT): ROWS,
    }
    done = CliRunner().invoke(main, ["report", str(folder), "--set", "draws=200", "--out", str(report)])
    assert done.exit_code == 0, done.output
    written = json.loads((report / "report.json").read_text(encoding="utf-8"))
    (estimand,) = written["estimands"]
    assert {part["exam"]: part["items"] for part in estimand["parts"]} == {"ward": ROWS, "clinic": ROWS}
    assert {score["accuracy"]["value"] for score in written["scores"]} == {0.75}
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "ward" in page and "clinic" in page
