"""Exams of other countries and of long records, from files in their publisher's form with invented contents."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import ExamItem
from medctx_eval.cli.main import main
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.published import igakuqa, medxpertqa, mlcr
from medctx_eval.exams.readers.open_answers import offered
from tests.support.publisher import published

Row = dict[str, Any]
TEXTS = ["rest", "water", "insulin", "iodine", "aspirin", "quinine", "heparin", "zinc", "iron", "oxygen"]
ROWS = 4


def built(config: object) -> Exam:
    return registry.build_exam(ExamConfig.model_validate(config), CurriculumConfig.model_validate({}), 0)


def by_id(exam: Exam) -> dict[str, ExamItem]:
    return {item.id: item for item in exam.items}


def as_lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def as_parquet(rows: list[Row]) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    stream = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_pylist(rows), stream)
    return bytes(stream.getvalue())


def expert(number: int) -> Row:
    letters = dict(zip("ABCDEFGHIJ", TEXTS, strict=True))
    listed = " ".join(f"({letter}) {text}" for letter, text in letters.items())
    return {
        "id": f"Text-{number}",
        "question": f"Which remedy has case {number}?\nAnswer Choices: {listed}",
        "options": letters,
        "label": "ABCDEFGHIJ"[number],
        "medical_task": "Treatment",
        "body_system": "Nervous",
        "question_type": "Reasoning",
    }


def spanish(number: int, **more: object) -> Row:
    answers = [{"aid": place + 1, "atext": text} for place, text in enumerate(TEXTS[:4])]
    row = {"name": "Cuaderno_1", "year": "2016", "category": "nursery", "qid": number, "qtext": f"¿Caso {number}?"}
    return {**row, "ra": number % 4 + 1, "image": None, "answers": answers, **more}


def japanese(number: int, **more: object) -> Row:
    row = {"problem_id": f"116A{number}", "problem_text": f"症例{number}", "choices": TEXTS[:5], "text_only": True}
    return {**row, "answer": ["abcde"[number % 5]], "points": "1", **more}


def french(number: int, right: list[str]) -> Row:
    row = {"id": f"f{number}", "question": f"Cas {number} ?", "answers": dict(zip("abcde", TEXTS, strict=False))}
    return {**row, "correct_answers": right, "subject_name": "pharmacie", "type": "simple", "nbr_correct_answers": 1}


def test_medxpertqa_has_ten_options_and_a_question_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with published(tmp_path, monkeypatch) as hub:
        (remote,) = medxpertqa.SOURCE.remotes
        commit = hub.commit(remote.repo, {remote.file: as_lines([expert(n) for n in range(ROWS)])})
        exam = built("medxpertqa")
    item = by_id(exam)["medxpertqa/Text-3"]
    assert (item.question, list(item.options.values()), item.gold) == ("Which remedy has case 3?", TEXTS, ("D",))
    assert item.tags == {"medical_task": "Treatment", "body_system": "Nervous", "question_type": "Reasoning"}
    assert (exam.card.revision, exam.card.licence, exam.card.language) == (commit, "MIT", "en")


@pytest.mark.parametrize("name", ["headqa", "headqa-en"])
def test_headqa_counts_from_1_and_leaves_pictures_out(name: str, tmp_path: Path) -> None:
    rows = [spanish(n) for n in range(ROWS)] + [spanish(9, image="scan.png"), spanish(10, ra=7)]
    for row in rows:
        row["image"] = {"bytes": b"x", "path": row["image"]} if row["image"] else None
    (tmp_path / "0000.parquet").write_bytes(as_parquet(rows))
    exam = built({"exam": name, "path": tmp_path / "0000.parquet"})
    assert {item.id: item.gold for item in exam.items} == {f"headqa/Cuaderno_1/{n}": ("ABCD"[n],) for n in range(ROWS)}
    assert exam.card.dropped == {"needs a picture": 1, "no gold": 1}
    item = by_id(exam)["headqa/Cuaderno_1/2"]
    assert (item.language, item.tags) == ("en" if name == "headqa-en" else "es", {"year": "2016", "subject": "nursery"})


@pytest.mark.parametrize("form", ["archive", "authors", "hub"])
def test_frenchmedmcqa_has_one_or_several_answers(form: str, tmp_path: Path) -> None:
    rows = [french(0, ["b"]), french(1, ["a", "e"]), french(2, ["f"])]
    if form == "hub":
        for row in rows:
            answers, letters = row.pop("answers"), row["correct_answers"]
            row |= {f"answer_{mark}": text for mark, text in answers.items()}
            row["correct_answers"] = ["abcdef".index(mark) for mark in letters]
    path = tmp_path / {"archive": "data.zip", "authors": "test.json", "hub": "0000.parquet"}[form]
    path.write_bytes(as_parquet(rows) if form == "hub" else json.dumps(rows).encode())
    if form == "archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("test.json", json.dumps(rows))
    exam = built({"exam": "frenchmedmcqa", "path": path})
    first, second = by_id(exam)["frenchmedmcqa/f0"], by_id(exam)["frenchmedmcqa/f1"]
    assert (first.gold, first.multiple, first.language, first.tags) == (("B",), False, "fr", {"subject": "pharmacie"})
    assert (second.gold, second.multiple, list(second.options.values())) == (("A", "E"), True, TEXTS[:5])
    assert sum(exam.card.dropped.values()) == 1


def test_frenchmedmcqa_reads_the_copy_of_questions_with_one_answer(tmp_path: Path) -> None:
    rows = [{**french(n, []), "correct_answers": n, "number_correct_answers": 0} for n in range(5)]
    for row in rows:
        row |= {f"answer_{mark}": text for mark, text in row.pop("answers").items()}
    (tmp_path / "0000.parquet").write_bytes(as_parquet(rows))
    exam = built({"exam": "frenchmedmcqa", "path": tmp_path / "0000.parquet"})
    golds = {item.id: item.gold for item in exam.items}
    assert golds == {f"frenchmedmcqa/f{place}": (letter,) for place, letter in enumerate("ABCDE")}
    assert not any(item.multiple for item in exam.items)


def test_an_archive_of_frenchmedmcqa_without_its_test_split_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("train.json", "[]")
    with pytest.raises(MedctxError, match=r"holds no readable test\.json"):
        built({"exam": "frenchmedmcqa", "path": tmp_path / "data.zip"})


def test_igakuqa_is_thirty_files_without_pictures_and_numbers(tmp_path: Path) -> None:
    for place, remote in enumerate(igakuqa.SOURCE.remotes):
        rows = (
            [japanese(place * 10, problem_id=f"p{place}")]
            if place
            else [
                japanese(0),
                japanese(1, answer=["a", "c"]),
                japanese(2, text_only=False),
                japanese(3, choices=[], answer=["42"]),
                japanese(34, points="0"),
                japanese(71),
                japanese(30, problem_id="112B30"),
            ]
        )
        file = tmp_path / remote.url.partition("{revision}/")[2]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_lines(rows))
        file.with_name(f"{file.stem}_translate.jsonl").write_bytes(b"{}\n")
    exam = built({"exam": "igakuqa", "path": tmp_path})
    assert len(igakuqa.SOURCE.remotes) == 30 and exam.card.items == 31
    several = "several answers accepted by the examiners"
    assert exam.card.dropped == {
        "asks for a number": 1,
        "needs a picture": 1,
        "not scored by the examiners": 1,
        several: 2,
    }
    item = by_id(exam)["igakuqa/116A1"]
    assert (item.gold, item.multiple, item.language) == (("A", "C"), True, "ja")
    assert item.tags == {"points": "1", "part": "116A"}


def needles(language: str) -> list[Row]:
    return [
        {
            "needle": f"Ward {n} is led by doctor {name}.",
            "input": f"Who leads ward {n}?",
            "ground_truth": [name, f"Doctor {name}"],
            "type": "med",
            "id": n,
        }
        for n, name in enumerate(["Ash", "Birch", "Cedar", "Dogwood", "Elm"] if language == "en" else "甲乙丙丁戊")
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_medodyssey_offers_the_answers_to_other_needles(language: str, tmp_path: Path) -> None:
    path = tmp_path / f"{language}_pure_needles.json"
    path.write_text(json.dumps(needles(language)), encoding="utf-8")
    exam = built({"exam": f"medodyssey-{language}", "path": path, "conditions": ["gold", "open:200", "distractor"]})
    assert len(exam.items) == 5 and {item.language for item in exam.items} == {language}
    for item in exam.items:
        row = needles(language)[int(item.id.rpartition("/")[2])]
        assert item.options[item.gold[0]] == row["ground_truth"][0] and len(set(item.options.values())) == 4
        assert exam.by_id[item.evidence[0]].text == row["needle"]
    assert exam == built(
        {"exam": f"medodyssey-{language}", "path": path, "conditions": ["gold", "open:200", "distractor"]}
    )


def test_a_passages_file_is_the_haystack_of_a_published_exam(tmp_path: Path) -> None:
    (tmp_path / "en_pure_needles.json").write_text(json.dumps(needles("en")), encoding="utf-8")
    (tmp_path / "book.jsonl").write_bytes(as_lines([{"id": f"p{n}", "text": f"Page {n}."} for n in range(3)]))
    config = {"exam": "medodyssey-en", "path": tmp_path / "en_pure_needles.json", "passages": tmp_path / "book.jsonl"}
    exam = built({**config, "conditions": ["open:200"]})
    assert {"p0", "p1", "p2"} < set(exam.by_id) and len(exam.by_id) == 8


def mlcr_files(folder: Path, *, saved_whole: bool = False) -> Path:
    questions = [
        {"case_uuid": case, "prompt_id": f"q{n:02}", "question": f"{case} {n}?", "answer": f"{case}-{TEXTS[n]}"}
        | {"difficulty": "tier 1"}
        for case in ("a", "b")
        for n in range(5)
    ]
    summaries = [
        {"case_uuid": case, "summary_file": f"{n}.txt", "summary_text": f"Visit {n} of {case}."}
        for case in ("a", "b")
        for n in (2, 1)
    ]
    for remote, rows in zip(mlcr.SOURCE.remotes, (questions, summaries), strict=True):
        path = folder / (f"{remote.file.partition('/')[0]}.parquet" if saved_whole else remote.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_parquet(rows))
    return folder


@pytest.mark.parametrize("saved_whole", [False, True])
def test_mlcr_asks_all_questions_of_a_case_on_its_whole_record(saved_whole: bool, tmp_path: Path) -> None:
    exam = built({"exam": "mlcr", "path": mlcr_files(tmp_path, saved_whole=saved_whole), "conditions": ["gold"]})
    assert len(exam.items) == 10 and {passage.text for passage in exam.passages} == {
        "Visit 1 of a.\n\nVisit 2 of a.",
        "Visit 1 of b.\n\nVisit 2 of b.",
    }
    item = by_id(exam)["mlcr/a/q03"]
    assert item.options[item.gold[0]] == "a-iodine" and all(text.startswith("a-") for text in item.options.values())
    assert len({item.cluster for item in exam.items}) == 2 and item.tags == {"difficulty": "tier 1"}
    with pytest.raises(MedctxError, match="give the folder with both"):
        built({"exam": "mlcr", "path": next(tmp_path.rglob("*.parquet"))})


def test_offered_answers_are_drawn_once_and_never_the_answer_itself() -> None:
    options, letter = offered("x", "Iron", ["iron", "iron tablets", "Zinc", "zinc", "", "Gold", "Copper", "Lead"]) or (
        {},
        "",
    )
    assert options[letter] == "Iron" and set(options.values()) - {"Iron"} < {"Zinc", "zinc", "Gold", "Copper", "Lead"}
    assert offered("x", "Iron", ["iron", "iron tablets"]) is None
    letters = {(offered(f"q{n}", "Iron", ["Zinc", "Gold", "Lead"]) or ({}, ""))[1] for n in range(40)}
    assert letters == set("ABCD"), "the right option stands anywhere"


@pytest.mark.parametrize(
    "name",
    ["medxpertqa", "headqa", "headqa-en", "frenchmedmcqa", "igakuqa", "medodyssey-en", "medodyssey-zh", "mlcr"],
)
def test_a_file_in_the_row_schema_stands_in_and_the_card_is_shown(name: str, tmp_path: Path) -> None:
    row = {"id": "q1", "question": "Which?", "options": ["x", "y"], "answer": "B"}
    (tmp_path / "mine.jsonl").write_bytes(as_lines([row]))
    assert [item.gold for item in built({"exam": name, "path": tmp_path / "mine.jsonl"}).items] == [("B",)]
    shown = CliRunner().invoke(main, ["exams", "show", name])
    assert shown.exit_code == 0 and "licence:" in shown.output and "answer" in shown.output


def test_a_csv_of_one_publisher_is_not_taken_for_another(tmp_path: Path) -> None:
    with (tmp_path / "x.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["a", "b"], ["1", "2"]])
    with pytest.raises(MedctxError, match="no usable question of igakuqa"):
        built({"exam": "igakuqa", "path": tmp_path / "x.csv"})
