"""The verb contamination from outside: its files, its table, a second run, and one sentence with exit code 2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medctx.io.jsonl import read_record, read_records
from medctx.schemas.contamination import OVERLAPS, SUMMARY, ContaminationReport, Overlap
from medctx.schemas.records import Dialogue
from medctx.schemas.result import RESULT_FILE
from medctx_data.cli import main as cli
from medctx_data.contamination import report as contamination_report
from medctx_data.contamination.exam_files import read_exams
from medctx_data.contamination.exam_index import ExamIndex
from medctx_data.mix_folder import parquet as shards
from medctx_data.mix_folder import write as folder
from medctx_data.mixture.config import MixConfig
from tests.support.made_dialogues import made_of, qa_dialogue, supplied

pytest.importorskip("rensa")

STEM = (
    "In a child with a barking cough, hoarseness and noisy breathing at night, which diagnosis is the most likely one?"
)
OPTIONS = {"A": "croup of the upper airways", "B": "asthma", "C": "a foreign body in the lung"}


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["contamination", *map(str, arguments)])


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    rows = [
        {"id": "croup", "question": STEM, "options": OPTIONS, "answer": "A"},
        {"id": "other", "question": "What is asked here?", "options": {"A": "this", "B": "that"}, "answer": "A"},
    ]
    path = tmp_path / "cough.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A mix of 40 Dialogues in four shards, one of which holds an item."""
    pytest.importorskip("pyarrow")
    rows = [qa_dialogue(f"row-{number}", f"Question {number}?", f"Answer number {number}.") for number in range(40)]
    options = "\n".join(f"{letter}) {text}" for letter, text in zip("ABC", reversed(OPTIONS.values()), strict=True))
    rows[17] = qa_dialogue("row-17", f"{STEM}\n{options}", "C")
    sources = [{"source": "file", "name": "ward", "domain": "medical", "amount": "all"}]
    config = MixConfig.model_validate({"sources": sources, "format": "parquet"})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shards, "SHARD", 10)
        folder.write_mix(tmp_path / "mix", made_of(config, lambda source: supplied(source, rows)).draft)
    return tmp_path / "mix"


def test_the_report_names_row_item_kind_and_text(mixed: Path, exam: Path, tmp_path: Path) -> None:
    result = call(mixed, "--exam", f"cough={exam}", "--out", tmp_path / "out", "--set", "processes=1")
    assert result.exit_code == 0, result.output
    assert "1 of 40 Dialogues overlap with an exam" in result.stdout
    results = list(read_records(tmp_path / "out" / OVERLAPS, Overlap))
    assert [(verdict.exam, verdict.item, verdict.kind, verdict.where, verdict.row) for verdict in results] == [
        ("cough", "croup", "13-gram", "question", "row-17"),
        ("cough", "croup", "exact", "question", "row-17"),
        ("cough", "croup", "minhash", "question", "row-17"),
    ]
    assert all(passage.text.startswith("In a child with a barking cough") for passage in results)
    summary = read_record(tmp_path / "out" / SUMMARY, ContaminationReport)
    assert (summary.rows, summary.overlapping, summary.overlaps) == (40, 1, 3)
    assert summary.mix_digest == folder.manifest_of(mixed).digest
    (compared,) = summary.exams
    assert (compared.items, compared.overlapping) == (2, 1)
    assert compared.by_kind == {f"{kind} question": 1 for kind in ("13-gram", "exact", "minhash")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        OVERLAPS,
        SUMMARY,
        RESULT_FILE,
        "contamination.yaml",
    }


def test_without_a_name_an_exam_is_called_as_its_file(mixed: Path, exam: Path) -> None:
    assert call(mixed, "--exam", exam, "--set", "processes=1").exit_code == 0
    assert read_record(mixed / SUMMARY, ContaminationReport).exams[0].exam == "cough"


def test_an_own_csv_exam_overlaps_as_its_rows_do(mixed: Path, tmp_path: Path) -> None:
    lines = [
        ["question", *OPTIONS, "answer"],
        [STEM, *OPTIONS.values(), "A"],
        ["What is asked here?", "this", "that", "", "A"],
    ]
    table = tmp_path / "ward.csv"
    table.write_text("".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines), encoding="utf-8")
    result = call(mixed, "--exam", table, "--json")
    assert result.exit_code == 0, result.output
    numbers = json.loads(result.stdout)["numbers"]
    assert (numbers["overlapping"], numbers["overlapping.ward"]) == (1, 1)


def test_several_processes_find_the_same(mixed: Path, exam: Path, tmp_path: Path) -> None:
    manifest = folder.manifest_of(mixed)
    exams = read_exams([str(exam)])
    for processes in (1, 2):
        contamination_report.write_contamination_report(
            mixed, manifest, exams, 0.8, tmp_path / str(processes), processes
        )
    assert (tmp_path / "1" / OVERLAPS).read_bytes() == (tmp_path / "2" / OVERLAPS).read_bytes()


def test_after_a_kill_only_the_file_in_work_is_compared_again(
    mixed: Path, exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, exams = folder.manifest_of(mixed), read_exams([str(exam)])
    compared: list[str] = []
    search = contamination_report.find_overlaps

    def breaks(dialogues: Sequence[Dialogue], index: ExamIndex) -> list[Overlap]:
        if len(compared) == 2:
            compared.append("killed")
            raise KeyboardInterrupt
        compared.append(dialogues[0].id)
        return search(dialogues, index)

    monkeypatch.setattr(contamination_report, "find_overlaps", breaks)
    with pytest.raises(KeyboardInterrupt):
        contamination_report.write_contamination_report(mixed, manifest, exams, 0.8, tmp_path / "out", 1)
    assert not (tmp_path / "out" / SUMMARY).exists()
    result = contamination_report.write_contamination_report(mixed, manifest, exams, 0.8, tmp_path / "out", 1)
    assert result.overlaps == 3
    assert len(set(compared)) == len(compared) == 5
    assert contamination_report.write_contamination_report(mixed, manifest, exams, 0.8, tmp_path / "out", 1) == result
    assert len(compared) == 5


def test_a_dry_run_says_what_would_be_compared(mixed: Path, exam: Path) -> None:
    result = call(mixed, "--exam", f"cough={exam}", "--dry-run")
    assert result.stdout.splitlines()[0] == "cough: 2 items, 0 Passages"
    assert not (mixed / SUMMARY).exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no mix to compare with exams"),
        (["{mixed}"], "no exam to compare the mix with"),
        (["{mixed}", "--exam", "nowhere.jsonl"], "nowhere.jsonl does not exist"),
        (["nowhere", "--exam", "{exam}"], "nowhere does not exist"),
        (["{mixed}", "--exam", "{exam}", "--set", "similarity=2"], "less than or equal to 1"),
        (["{mixed}", "--exam", "{exam}", "--set", "similarty=0.9"], "did you mean 'similarity'"),
    ],
)
def test_what_is_wrong_is_one_sentence(mixed: Path, exam: Path, arguments: list[str], sentence: str) -> None:
    result = call(*(argument.format(mixed=mixed, exam=exam) for argument in arguments))
    assert result.exit_code == 2
    assert [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert sentence in result.stderr
