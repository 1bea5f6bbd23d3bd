"""From two mixes and an exam to clean scores and the gate, by the console commands alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from medctx.io.jsonl import read_record, read_records, write_records
from medctx.schemas.contamination import ITEMS, PASSAGES, SUMMARY, ContaminationReport
from medctx.schemas.records import Dialogue, ExamItem, Passage, Turn
from medctx_data.cli import main as data_cli
from medctx_eval.cli import main as eval_cli
from medctx_eval.report.model import Report
from tests.support import synthetic_runs

pytest.importorskip("rensa")
pytest.importorskip("tokenizers")


def run(program: click.Group, *arguments: str | Path) -> None:
    result = CliRunner(env={"MEDCTX_TRACKING": "off"}).invoke(program, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tokenizers
    import transformers

    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    fast.chat_template = "{% for m in messages %}{{ m.content }} {% endfor %}"
    folder = tmp_path_factory.mktemp("model")
    fast.save_pretrained(folder)
    return folder


def dialogue(name: str, question: str, answer: str) -> Dialogue:
    turns = (Turn(role="user", content=question), Turn(role="assistant", content=answer))
    return Dialogue(id=name, domain="medical", source="ward", turns=turns)


def mixed(folder: Path, rows: list[Dialogue], tokenizer: Path) -> Path:
    write_records(folder / "rows.jsonl", rows)
    source = f"{{source: file, path: {folder / 'rows.jsonl'}, domain: medical, amount: all}}"
    keys = ["--set", f"tokenizer={tokenizer}", "--set", f"sources=[{source}]"]
    run(data_cli.main, "mix", *keys, "--out", folder / "mix")
    return folder / "mix"


def test_items_of_any_mix_are_left_out_of_clean_scores_and_stop_the_gate(tmp_path: Path, tokenizer: Path) -> None:
    runs = synthetic_runs.write(tmp_path / "runs", ("base", "1:1"))
    exam_plan = tmp_path / "runs" / synthetic_runs.EXAM_PLAN
    items = {item.id: item for item in read_records(exam_plan / ITEMS, ExamItem)}
    page = "The page of dossier three says in many words what is found in whom and when it was first seen there."
    write_records(exam_plan / PASSAGES, [Passage(id="page/dossier-3", text=page)])
    harmless = dialogue("plain", "How are you today, and how was the night?", "Fine.")
    first = mixed(tmp_path / "one", [harmless, dialogue("leak", items["k/0/0"].question, "x")], tokenizer)
    second = mixed(tmp_path / "two", [harmless, dialogue("page", "Continue.", page)], tokenizer)
    for mix in (first, second):
        run(data_cli.main, "contamination", mix, "--exam", exam_plan)
    summaries = [read_record(mix / SUMMARY, ContaminationReport).exams for mix in (first, second)]
    assert [[(exam.exam, exam.items, exam.overlapping) for exam in exams] for exams in summaries] == [
        [("synthetic", len(items), 1)],
        [("synthetic", len(items), 4)],
    ]
    out = tmp_path / "report"
    both = f"contamination=[{first}, {second}]"
    command = ("report", *runs, "--set", "draws=200 margin=0.3", "--set", both, "--out", out)
    run(eval_cli.main, *command, "--set", "max_contaminated=0.05")
    report = read_record(next(out.glob("report.json")), Report)
    assert report.contamination is not None
    assert (report.contamination.contaminated, report.contamination.unchecked_exams) == (1 + 4, ())
    clean = {(score.cell, score.part): score for score in report.clean_scores}
    for cell in ("base", "1:1"):
        knowledge, reading = clean[cell, "knowledge"], clean[cell, "reading"]
        assert knowledge.clean_items is not None and reading.clean_items is not None
        assert knowledge.all_items.n - knowledge.clean_items.n == 1
        assert (
            reading.all_items.n - reading.clean_items.n == 1 + 4 * 3
        )  # k/0/0 with its page; four items in three Books
    allowed = json.loads((out / "decision.json").read_text())
    shutil.rmtree(out)
    run(eval_cli.main, *command, "--set", "max_contaminated=0.001")
    stopped = json.loads((out / "decision.json").read_text())
    assert allowed["champion"] == "1:1"
    assert stopped["champion"] != "1:1"
    assert "are in the training data" in stopped["reason"]
