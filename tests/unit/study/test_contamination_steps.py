from __future__ import annotations

from pathlib import Path

import pytest

from medctx.schemas.contamination import ITEMS
from study.config.cells import Cell
from study.stages import contamination as contamination_reports
from study.stages.exam_runs import Examined
from study.stages.summary import CellResult
from study.workflow.graph import Done, Results


def result(name: str, mix: Path | None, digest: str) -> CellResult:
    cell = Cell(name=name, group=name, base="base", ratio="1:1" if mix else "")
    return CellResult(cell=cell, status="done", mix=mix, mix_digest=digest)


@pytest.fixture
def exam_plan(tmp_path: Path) -> Path:
    folder = tmp_path / "paper"
    folder.mkdir()
    (folder / ITEMS).write_bytes(b"items")
    return folder


def test_cells_that_share_a_mix_share_its_ledger_and_untouched_ones_have_none(exam_plan: Path, tmp_path: Path) -> None:
    cells = [
        result("base", None, ""),
        result("1:1 lora", tmp_path / "a", "same"),
        result("1:1 full", tmp_path / "b", "same"),
        result("0:1", tmp_path / "c", "other"),
    ]
    assert [task.name for task in contamination_reports.tasks(cells, [exam_plan])] == ["ledger 1:1 lora", "ledger 0:1"]
    assert len(contamination_reports.tasks(cells, [exam_plan, tmp_path])) == 4


def test_a_ledger_is_keyed_by_mix_and_paper_wherever_they_lie(exam_plan: Path, tmp_path: Path) -> None:
    here = contamination_reports.ledger_step("a", tmp_path / "a", "mix", exam_plan)
    there = contamination_reports.ledger_step("b", tmp_path / "b", "mix", exam_plan)
    assert here.key == there.key
    assert here.key != contamination_reports.ledger_step("a", tmp_path / "a", "another", exam_plan).key
    (exam_plan / ITEMS).write_bytes(b"other items")
    assert here.key != contamination_reports.ledger_step("a", tmp_path / "a", "mix", exam_plan).key


def test_every_paper_is_taken_once(exam_plan: Path, tmp_path: Path) -> None:
    exams = {name: Examined(tmp_path / name, tmp_path, exam_plan) for name in ("base", "1:1")}
    without = {"old": Examined(tmp_path / "old", tmp_path, tmp_path / "gone")}
    assert contamination_reports.exam_plans({**exams, **without}) == [exam_plan]


def test_one_missing_ledger_leaves_contamination_unsaid(exam_plan: Path, tmp_path: Path) -> None:
    step = contamination_reports.ledger_step("a", tmp_path / "a", "mix", exam_plan)
    whole = Results(done={"contamination a": Done(step, tmp_path / "contamination")})
    assert contamination_reports.contamination_reports(whole) == [tmp_path / "contamination"]
    assert contamination_reports.contamination_reports(Results(done=whole.done, failed={"ledger b": "why"})) == []
