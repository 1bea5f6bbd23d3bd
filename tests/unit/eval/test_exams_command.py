"""``medctx-eval exams``: list, show, check, schema."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medctx_eval.cli.exams import exams
from medctx_eval.exams import registry, schema
from tests.support.paths import REAL_DATA

OPTIONS = {"A": "red", "B": "blue", "C": "green"}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(exams, [str(word) for word in words])


def written(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def row(number: int, **changes: object) -> dict[str, object]:
    base = {"id": f"q{number}", "question": f"Which colour has chair {number}?", "options": OPTIONS}
    return {**base, "answer": "ABC"[number % 3], **changes}


def test_a_good_file_is_summed_up(tmp_path: Path) -> None:
    rows: list[object] = [row(n, book_id=f"r{n}", note="x") for n in range(8)]
    altered = {"context": "It is red.", "answer": "A"}
    rows += [row(8, context="It is green.", counterfactual=altered, answer="C"), row(9, answer="AB")]
    rows.append(row(0, id="again", book_id="r0"))
    books = written(tmp_path / "books.jsonl", [{"book_id": f"r{n}", "text": f"Room {n}."} for n in range(9)])
    done = run("check", written(tmp_path / "items.jsonl", rows), "--passages", books)
    assert done.exit_code == 0, done.output
    for line in (
        "11 rows, 11 usable items",
        "gold letters  A 5 (42%), B 4 (33%), C 3 (25%)",
        "multiple      1 items may have several right options",
        "evidence      10 items with, 1 without",
        "altered       1 items with a counterfactual",
        "passages      9, of which 1 are no item's evidence",
        "repeated      1 items repeat an earlier one",
        "ignored       columns note",
        "No problems.",
    ):
        assert line in done.output


def test_every_problem_is_told_with_its_line(tmp_path: Path) -> None:
    rows = [
        row(0),
        "not json\n",
        row(2, answer="E"),
        row(3, question="", options={"A": "x", "B": ""}),
        row(0, answer="B", id="other"),
        row(0),
        row(6, book_id="r6"),
    ]
    books = written(tmp_path / "books.jsonl", [{"book_id": "r0", "text": "x"}, {"book_id": "r0", "text": "y"}, {}])
    file = written(tmp_path / "items.jsonl", rows)
    done = run("check", file, "--passages", books)
    assert done.exit_code == 2
    for problem in (
        f"{file}:2 is not JSON",
        f"{file}:3 (item 'q2') has the answer E, but its options are A, B, C; correct the letter.",
        f"{file}:4 (item 'q3') has no question; write one or remove the row.",
        f"{file}:4 (item 'q3') has an empty option B; give its text or remove it.",
        f"{file}:5 (item 'other') asks the question of line 1 but has the answer B, not A; correct one of them.",
        f"{file}:6 (item 'q0') has the id of an earlier row",
        f"{file}:7 (item 'q6') names the book_id 'r6', which {books} does not contain; add it.",
        f"{books}:2 repeats the book_id 'r0'",
        f"{books}:3 is not a passage",
        "9 problems.",
    ):
        assert problem in done.output


def test_problems_beyond_twenty_are_counted(tmp_path: Path) -> None:
    done = run("check", written(tmp_path / "items.jsonl", [row(n, answer="") for n in range(50)]))
    assert done.output.count("has no gold") == 20
    assert "... and 30 more." in done.output and "50 problems." in done.output


def test_an_empty_file_has_a_problem_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert run("check", written(tmp_path / "items.jsonl", [])).exit_code == 2
    missing = run("check", tmp_path / "nowhere.jsonl")
    assert missing.exit_code == 2 and "error: The file" in missing.stderr and not missing.stdout


def test_the_list_names_every_exam() -> None:
    done = run("list")
    assert done.exit_code == 0
    assert all(name in done.output for name in registry.EXAMS)


def test_show_prints_a_card_and_what_the_columns_mean() -> None:
    done = run("show", "medmcqa")
    assert done.exit_code == 0
    assert "citation: 'Pal et al." in done.output and "opa, opb, opc, opd" in done.output
    assert run("show", "medmcq").exit_code == 2


def test_show_prints_an_item_of_a_local_file(tmp_path: Path) -> None:
    file = written(tmp_path / "items.jsonl", [row(0, context="It is red.")])
    done = run("show", "file", "--path", file)
    assert done.exit_code == 0, done.output
    assert "id: q0" in done.output and "It is red." in done.output and "items: 1" in done.output


def test_show_prints_an_item_of_a_generated_exam() -> None:
    done = run("show", "needle")
    assert done.exit_code == 0, done.output
    assert "generated: true" in done.output and "question:" in done.output


def test_the_schema_names_every_column() -> None:
    done = run("schema")
    assert all(column in done.output for column in schema.COLUMNS)


@pytest.mark.parametrize(
    ("exam", "file", "items", "dropped"),
    [
        ("pubmedqa", "pubmedqa_test", 500, {}),
        ("medqa", "medqa_usmle_test", 1273, {}),
        ("medmcqa", "medmcqa_dev", 4179, {"right option offered twice": 4}),
        ("mmlu-medical", "mmlu_medical_test", 1011, {"asked before": 78}),
        ("cmexam", "zh_exams_test", 8558, {"asked before": 16, "right option offered twice": 1}),
    ],
)
def test_real_files_are_read_whole_and_what_is_dropped_counted(
    exam: str, file: str, items: int, dropped: dict[str, int]
) -> None:
    from medctx.facts.curriculum import CurriculumConfig
    from medctx_eval.exams.config import ExamConfig

    path = REAL_DATA / f"{file}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the real file {path} is not on this machine")
    result = registry.build_exam(ExamConfig(exam=exam, path=path), CurriculumConfig.model_validate({}), 0)
    assert (result.card.items, result.card.dropped) == (items, dropped)
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        golds = {entry["id"]: entry["answer"] for entry in map(json.loads, rows)}
    assert all(item.gold == (golds[item.id],) for item in result.items)


@pytest.mark.parametrize(("subject", "items", "passages"), [("anatomy", 708, 169), ("psychology", 311, 88)])
def test_real_textbook_files_pass_their_check(subject: str, items: int, passages: int) -> None:
    file, books = (REAL_DATA / f"openstax_{subject}_{kind}.jsonl.gz" for kind in ("items", "books"))
    if not file.is_file():
        pytest.skip(f"the real file {file} is not on this machine")
    done = run("check", file, "--passages", books)
    assert done.exit_code == 0, done.output
    assert (
        f"{items} rows, {items} usable items" in done.output and f"passages      {passages}, of which 0" in done.output
    )
