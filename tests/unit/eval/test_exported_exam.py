"""An exam exported to two harnesses, asked there, and read back: the logs are those that the harnesses wrote.

``interchange_files/exported`` holds ``ward.csv`` and what lm-eval 0.4.13 (``--tasks ward,ward_generate``, 512 tokens of
a random model) and inspect 0.3.285 (two epochs) logged for the tasks that ``medctx-eval export --evidence`` made of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Verdict
from medctx.schemas.result import CommandResult
from medctx_eval.artifacts import run_folder
from medctx_eval.cli.main import main
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.registry import build_exam
from medctx_eval.interchange import inspect_log, lm_eval_samples
from medctx_eval.interchange.foreign import ForeignAnswer, split_evidence
from medctx_eval.interchange.read_runs import resolve_runs

FILES = Path(__file__).with_name("interchange_files") / "exported"
LM_EVAL, INSPECT = FILES / "lm_eval", FILES / "inspect"
WARD = FILES / "ward.csv"


@pytest.fixture(scope="module")
def exam() -> Exam:
    config = ExamConfig.model_validate({"exam": str(WARD), "name": "ward"})
    return build_exam(config, CurriculumConfig.model_validate({}), 0)


def answers(log: Path) -> tuple[ForeignAnswer, ...]:
    (run,) = (inspect_log if log == INSPECT else lm_eval_samples).read(log)
    return run.answers


def by_item(found: Iterable[ForeignAnswer]) -> dict[str, ForeignAnswer]:
    return {answer.item: answer for answer in found}


@pytest.mark.parametrize("log", [LM_EVAL, INSPECT], ids=["lm-eval", "inspect"])
def test_items_come_back_as_they_were_exported(log: Path, exam: Exam) -> None:
    read = by_item(answers(log))
    assert read.keys() == {item.id for item in exam.items}
    for item in exam.items:
        answer = read[item.id]
        evidence = "\n\n".join(exam.by_id[name].text for name in item.evidence)
        assert answer.question == item.question
        assert answer.options == tuple(item.options.values())
        assert answer.gold == item.gold
        assert answer.cluster == item.cluster
        assert answer.passage.strip() == evidence.strip()


def test_summaries_of_the_inspect_log_are_shortened_and_its_samples_are_not() -> None:
    """The log tests something only while its longest input is longer than what inspect keeps in a summary."""
    assert max(len(answer.passage) for answer in answers(INSPECT)) > 5_120


def test_verdicts_are_those_of_the_harness() -> None:
    right = {(answer.item, answer.order) for answer in answers(INSPECT) if answer.verdict == Verdict.CORRECT}
    assert right == {("w4", 0), ("w4", 1)}
    file = next(LM_EVAL.rglob("samples_ward_2*.jsonl"))
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    letters = by_item(answer for answer in answers(LM_EVAL) if answer.mode == "letter")
    assert {row["doc"]["id"]: row["acc"] for row in rows} == {
        item: float(answer.verdict == Verdict.CORRECT) for item, answer in letters.items()
    }


def test_both_logs_are_compared_item_by_item(tmp_path: Path) -> None:
    words = ["compare", str(LM_EVAL), str(INSPECT), "--draws", "200", "--json"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "tiny (inspect 0.3.285): 6 of 6 items joined, 6 by id and 0 by text." in result.stderr
    labels = CommandResult.model_validate_json(result.stdout).labels
    assert (labels["mode"], labels["base"]) == ("generate", "tiny-random-llama")
    for folder in resolve_runs([str(LM_EVAL), str(INSPECT)], tmp_path):
        judged = [record for record in run_folder.read_run(folder).judged if record.mode == "generate"]
        conditions = {record.item.rpartition("/")[2]: record.condition for record in judged}
        assert conditions == dict.fromkeys(("w1", "w2"), "closed") | dict.fromkeys(("w3", "w4", "w5", "w6"), "gold")
        assert len({record.cluster for record in judged}) == 4


def test_an_own_exam_is_exported_under_the_name_of_its_file(tmp_path: Path) -> None:
    for form in ("lm-eval", "inspect"):
        result = CliRunner().invoke(main, ["export", form, str(WARD), "--evidence", "--out", str(tmp_path)])
        assert result.exit_code == 0, result.output
    names = {"ward.jsonl", "ward.yaml", "ward_generate.yaml", "ward.py", "result.json"}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert f"inspect eval {tmp_path}/ward.py" in result.stderr
    rows = [json.loads(line) for line in (tmp_path / "ward.jsonl").read_text(encoding="utf-8").splitlines()]
    row = next(row for row in rows if row["id"] == "w5")
    assert row["metadata"]["question"] == "Which drug of Carl Dahl was stopped?"
    assert row["input"] == f"{row['metadata']['passage']}\n\n{row['metadata']['question']}"


@pytest.mark.parametrize(
    ("prompt", "notes", "expected"),
    [
        ("A page.\n\nWhich?", {"question": "Which?"}, ("Which?", "A page.")),
        ("A page.\n\nWhich?", {"question": "Which?", "passage": "A pa..."}, ("Which?", "A page.")),
        ("A page.\n\nWhich?", {"context": "A page."}, ("Which?", "A page.")),
        ("Which?", {"question": "Which?"}, ("Which?", "")),
        ("Which?", {"context": "Elsewhere."}, ("Which?", "Elsewhere.")),
        ("A page.", {"context": "A page."}, ("A page.", "A page.")),
        ("Which?", {}, ("Which?", "")),
    ],
)
def test_a_prompt_is_split_into_passage_and_question(
    prompt: str, notes: dict[str, object], expected: tuple[str, str]
) -> None:
    assert split_evidence(prompt, notes) == expected
