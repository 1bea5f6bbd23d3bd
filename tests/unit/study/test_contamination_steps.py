from __future__ import annotations

from pathlib import Path

import pytest

from medctx.schemas.contamination import ITEMS
from medctx.schemas.result import CommandResult
from study.config.cells import StudyCell
from study.stages.contamination import contamination_folders, contamination_step, contamination_tasks
from study.stages.exam_runs import ExamRun, exam_plans
from study.stages.records import CellResult
from study.workflow.graph import Results
from study.workflow.steps import Done


def result(name: str, mix: Path | None, digest: str) -> CellResult:
    cell = StudyCell(name=name, group=name, base="base", ratio="1:1" if mix else "")
    return CellResult(cell=cell, status="done", mix=mix, mix_digest=digest)


@pytest.fixture
def exam_plan(tmp_path: Path) -> Path:
    folder = tmp_path / "paper"
    folder.mkdir()
    (folder / ITEMS).write_bytes(b"items")
    return folder


def test_cells_that_share_a_mix_share_its_report_and_untouched_ones_have_none(exam_plan: Path, tmp_path: Path) -> None:
    cells = [
        result("base", None, ""),
        result("1:1 lora", tmp_path / "a", "same"),
        result("1:1 full", tmp_path / "b", "same"),
        result("0:1", tmp_path / "c", "other"),
    ]
    assert [task.name for task in contamination_tasks(cells, [exam_plan])] == [
        "contamination 1:1 lora",
        "contamination 0:1",
    ]
    assert len(contamination_tasks(cells, [exam_plan, tmp_path])) == 4


def test_a_report_is_keyed_by_mix_and_exam_plan_wherever_they_lie(exam_plan: Path, tmp_path: Path) -> None:
    here = contamination_step("a", tmp_path / "a", "mix", exam_plan)
    there = contamination_step("b", tmp_path / "b", "mix", exam_plan)
    assert here.key == there.key
    assert here.key != contamination_step("a", tmp_path / "a", "another", exam_plan).key
    (exam_plan / ITEMS).write_bytes(b"other items")
    assert here.key != contamination_step("a", tmp_path / "a", "mix", exam_plan).key


def test_every_exam_plan_is_taken_once(exam_plan: Path, tmp_path: Path) -> None:
    exams = {name: ExamRun(tmp_path / name, tmp_path, exam_plan) for name in ("base", "1:1")}
    without = {"old": ExamRun(tmp_path / "old", tmp_path, tmp_path / "gone")}
    assert exam_plans({**exams, **without}) == [exam_plan]


def test_one_missing_report_leaves_contamination_unsaid(exam_plan: Path, tmp_path: Path) -> None:
    step = contamination_step("a", tmp_path / "a", "mix", exam_plan)
    whole = Results(done={"contamination a": Done(step, tmp_path / "contamination", CommandResult())})
    assert contamination_folders(whole) == [tmp_path / "contamination"]
    assert contamination_folders(Results(done=whole.done, failed={"contamination b": "why"})) == []
