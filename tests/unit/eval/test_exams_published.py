"""Published exams from files in their publisher's form, over HTTP from a stand-in and from local copies."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.fetch.pinned import Remote
from medctx.schemas.records import ExamItem
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.published import cmexam, medqa, mirage, mmlu, pubmedqa
from medctx_eval.exams.readers import column_map
from medctx_eval.exams.readers.column_map import ColumnMap
from tests.support.hub_stand_in import Hub
from tests.support.publisher import published

CURRICULUM = CurriculumConfig.model_validate({})
FOUR = {"A": "one", "B": "two", "C": "three", "D": "four"}


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with published(tmp_path, monkeypatch) as server:
        yield server


def built(exam: str, path: Path | None = None, revision: str = "") -> Exam:
    return registry.build_exam(ExamConfig(exam=exam, path=path, revision=revision), CURRICULUM, 0)


def by_id(exam: Exam) -> dict[str, ExamItem]:
    return {item.id: item for item in exam.items}


def parquet(rows: list[dict[str, object]]) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")
    stream = io.BytesIO()
    writer.write_table(arrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


def lines(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def question(number: int, **more: object) -> dict[str, object]:
    return {"question": f"Question {number}?", "options": FOUR, "answer": "two", "answer_idx": "B", **more}


def abstract(number: int, decision: str = "yes") -> dict[str, object]:
    return {
        "QUESTION": f"Does treatment {number} help?",
        "CONTEXTS": [f"Trial {number}.", "It helped."],
        "LABELS": ["METHODS", "RESULTS"],
        "LONG_ANSWER": "It does.",
        "final_decision": decision,
    }


def table(rows: list[dict[str, str]]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["Question", "Options", "Answer", "Explanation", "Medical Discipline"])
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def test_medqa_from_the_hub(stand_in: Hub) -> None:
    (remote,) = medqa.SOURCE.remotes
    rows = [question(n, meta_info="step1") for n in range(3)]
    commit = stand_in.commit(remote.repo, {remote.file: lines([*rows, question(3, answer_idx="")])})
    exam = built("medqa")
    assert exam.card.revision == commit
    assert exam.card.dropped == {"no gold": 1}
    item = by_id(exam)["medqa/1"]
    assert (item.question, item.options, item.gold) == ("Question 1?", FOUR, ("B",))
    assert (item.tags, item.licence, item.evidence) == ({"step": "step1"}, "MIT", ())
    requests = list(stand_in.request_lines)
    assert built("medqa") == exam
    assert stand_in.request_lines == requests


def test_a_revision_may_be_asked_for(stand_in: Hub) -> None:
    (remote,) = medqa.SOURCE.remotes
    old = stand_in.commit(remote.repo, {remote.file: lines([question(1)])})
    new = stand_in.commit(remote.repo, {remote.file: lines([question(1), question(2)])})
    assert [built("medqa", revision=name).card.items for name in (old, new)] == [1, 2]
    assert built("medqa").card.revision == new


@pytest.mark.parametrize("first", [0, 1])
def test_medmcqa_counts_its_options_from_0_or_1(first: int, stand_in: Hub, tmp_path: Path) -> None:
    texts = {"opa": "one", "opb": "two", "opc": "three", "opd": "four", "subject_name": "Skin", "choice_type": "multi"}
    rows: list[dict[str, object]] = [
        {"id": f"q{n}", "question": f"{n}?", "cop": place + first, **texts} for n, place in enumerate((0, 1, 2, 3))
    ]
    rows.append({"id": "q4", "question": "4?", "cop": -1, **texts})
    path = tmp_path / "dev.json"
    path.write_bytes(lines(rows))
    exam = built("medmcqa", path)
    assert {name: item.gold for name, item in by_id(exam).items()} == {
        f"medmcqa/q{n}": (letter,) for n, letter in enumerate("ABCD")
    }
    assert exam.card.dropped == {"no gold": 1}
    assert exam.items[0].tags == {"subject": "Skin"} and not exam.items[0].multiple
    stand_in.commit("openlifescienceai/medmcqa", {"data/validation-00000-of-00001.parquet": parquet(rows)})
    assert built("medmcqa").items == exam.items


def test_medmcqa_does_not_guess_how_its_options_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    for numbers in ((1, 2, 3), (0, 4)):
        path.write_bytes(lines([{"id": str(n), "question": "?", "opa": "x", "opb": "y", "cop": n} for n in numbers]))
        with pytest.raises(MedctxError, match="does not show whether its column cop counts from 0 or from 1"):
            built("medmcqa", path)


def test_mmlu_drops_and_counts_what_is_asked_twice(stand_in: Hub, tmp_path: Path) -> None:
    def subject(name: str, requests: list[int]) -> bytes:
        rows = [
            {"question": f"{n}?", "subject": name, "choices": list(FOUR.values()), "answer": n % 4} for n in requests
        ]
        return parquet([dict(row) for row in rows])

    files = {
        remote.file: subject(remote.file.partition("/")[0], [n, n + 1]) for n, remote in enumerate(mmlu.SOURCE.remotes)
    }
    commit = stand_in.commit("cais/mmlu", files)
    exam = built("mmlu-medical")
    assert (exam.card.revision, exam.card.items, exam.card.dropped) == (commit, 10, {"asked before": 8})
    item = by_id(exam)["mmlu/anatomy/1"]
    assert (item.gold, item.tags) == (("B",), {"subject": "anatomy"})
    for name, body in files.items():
        (tmp_path / "copy" / name).parent.mkdir(parents=True)
        (tmp_path / "copy" / name).write_bytes(body)
    assert built("mmlu-medical", tmp_path / "copy").items == exam.items
    (tmp_path / "copy" / "virology" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(MedctxError, match=r"files for virology/test-00000-of-00001\.parquet of the exam mmlu-medical"):
        built("mmlu-medical", tmp_path / "copy")


def test_the_files_of_an_exam_are_of_one_revision(stand_in: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def files(answer: int) -> dict[str, bytes]:
        row: dict[str, object] = {"question": "?", "choices": list(FOUR.values()), "answer": answer}
        return {
            remote.file: parquet([{**row, "subject": remote.file.partition("/")[0], "question": remote.file}])
            for remote in mmlu.SOURCE.remotes
        }

    stand_in.commit("cais/mmlu", files(0))
    truly = column_map.fetch

    def moving(remote: Remote) -> object:
        fetched = truly(remote)
        stand_in.commit("cais/mmlu", files(1))
        return fetched

    monkeypatch.setattr(column_map, "fetch", moving)
    assert {item.gold for item in built("mmlu-medical").items} == {("A",)}


def at(server: Hub, source: ColumnMap, files: dict[str, bytes]) -> ColumnMap:
    """The same exam, its addresses on the stand-in."""
    for name, body in files.items():
        server.plain[f"/{source.remotes[0].revision}/{name}"] = body
    remotes = tuple(
        remote.model_copy(update={"url": f"{server.url}/{{revision}}/{remote.url.rpartition('/')[2]}"})
        for remote in source.remotes
    )
    return dataclasses.replace(source, remotes=remotes)


def test_pubmedqa_is_its_test_split_with_the_abstracts(stand_in: Hub, tmp_path: Path) -> None:
    questions = {str(n): abstract(n, decision) for n, decision in enumerate(("yes", "no", "maybe", "yes", "perhaps"))}
    files = {
        "ori_pqal.json": json.dumps(questions).encode(),
        "test_ground_truth.json": json.dumps({"0": "yes", "1": "no", "2": "maybe", "4": "yes"}).encode(),
    }
    exam = column_map.build(at(stand_in, pubmedqa.SOURCE, files))
    assert {name: item.gold for name, item in by_id(exam).items()} == {
        "pubmedqa/0": ("A",),
        "pubmedqa/1": ("B",),
        "pubmedqa/2": ("C",),
    }
    assert exam.card.dropped == {"no gold": 1, "not of the test split": 1}
    assert exam.card.revision == "master"
    item = by_id(exam)["pubmedqa/1"]
    assert exam.by_id[item.evidence[0]].text == "METHODS: Trial 1.\nRESULTS: It helped."
    assert item.options == {"A": "yes", "B": "no", "C": "maybe"}
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    assert built("pubmedqa", tmp_path).items == exam.items
    assert len(built("pubmedqa", tmp_path / "ori_pqal.json").items) == 4


def test_cmexam_reads_its_options_line_by_line(stand_in: Hub) -> None:
    rows = [
        {"Question": "问一", "Options": "A 甲\nB 乙\nC 丙", "Answer": "B", "Medical Discipline": "口腔医学"},
        {"Question": "问二", "Options": "A 甲\nB 乙\n续\nC 丙", "Answer": "ABC"},
        {"Question": "问三", "Options": "A 甲\nB 乙", "Answer": ""},
        {"Question": "问四", "Options": "A 甲\nB ", "Answer": "A"},
        {"Question": "问五", "Options": "A 甲\nB 乙", "Answer": "E"},
        {"Question": "问六", "Options": "甲\n乙", "Answer": "A"},
    ]
    source = at(stand_in, cmexam.SOURCE, {"test_with_annotations.csv": table(rows)})
    exam = column_map.build(source)
    first, second = by_id(exam)["cmexam/0"], by_id(exam)["cmexam/1"]
    assert (first.options, first.gold, first.multiple) == ({"A": "甲", "B": "乙", "C": "丙"}, ("B",), False)
    assert (first.language, first.tags) == ("zh", {"subject": "口腔医学"})
    assert (second.options["B"], second.gold, second.multiple) == ("乙 续", ("A", "B", "C"), True)
    assert exam.card.dropped == {
        "empty option": 1,
        "gold not among the options": 1,
        "no gold": 1,
        "options not by letter": 1,
    }


def test_mirage_keeps_its_sets_apart(stand_in: Hub, tmp_path: Path) -> None:
    yes_no = {"question": "Does it?", "options": {"A": "yes", "B": "no"}, "answer": "A"}
    sets = {
        "medqa": {"0000": {"question": "Which?", "options": FOUR, "answer": "D"}},
        "bioasq": {"5be": yes_no, "5bf": {**yes_no, "answer": "C"}},
        "mmlu": {"anatomy-0": yes_no},
    }
    body = json.dumps(sets).encode()
    exam = column_map.build(at(stand_in, mirage.SOURCE, {"benchmark.json": body}))
    assert {name: item.tags["set"] for name, item in by_id(exam).items()} == {
        "mirage/medqa/0000": "medqa",
        "mirage/bioasq/5be": "bioasq",
    }
    assert exam.card.dropped == {"asked before": 1, "gold not among the options": 1}
    (tmp_path / "benchmark.json").write_text("[]")
    with pytest.raises(MedctxError, match=r"benchmark\.json does not hold sets of questions"):
        built("mirage", tmp_path / "benchmark.json")


@pytest.mark.parametrize("exam", ["pubmedqa", "medqa", "medmcqa", "mmlu-medical", "cmexam", "mirage"])
def test_a_file_in_the_row_schema_stands_in_for_the_published_one(exam: str, tmp_path: Path) -> None:
    row = {"id": "q1", "question": "Which?", "options": FOUR, "answer": "B", "context": "Two."}
    path = tmp_path / "mine.jsonl"
    path.write_bytes(lines([row, {**row, "id": "q2", "answer": "E"}, {**row, "id": "q3"}]))
    by_path = built(exam, path)
    assert [item.id for item in by_path.items] == ["q1"]
    assert by_path.card.dropped == {"asked before": 1, "gold not among the options": 1}
    assert by_path.card.revision == ""
    assert by_path.by_id["q1/context"].text == "Two."
    items = registry.build_exam(ExamConfig(exam=exam, items=path), CURRICULUM, 0)
    assert items == by_path


def test_a_file_without_a_usable_question_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_bytes(lines([question(1, answer_idx="E"), question(2, answer_idx=None)]))
    with pytest.raises(MedctxError, match=r"no usable question of medqa \(1 gold not among the options, 1 no gold\)"):
        built("medqa", path)
    with pytest.raises(MedctxError, match="does not exist; correct path="):
        built("medqa", tmp_path / "nowhere.jsonl")


def test_a_limit_takes_the_first_items(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_bytes(lines([question(n) for n in range(9)]))
    whole = built("medqa", path)
    some = registry.build_exam(ExamConfig(exam="medqa", path=path, limit=4), CURRICULUM, 0)
    assert some.items == whole.items[:4]


def test_an_unknown_exam_is_told_the_nearest() -> None:
    with pytest.raises(MedctxError, match=r"no exam 'medqua' \(did you mean 'medqa'\?\)"):
        built("medqua")


def test_every_listed_exam_says_where_it_comes_from() -> None:
    for name, listed in registry.EXAMS.items():
        assert name == listed.card.name and listed.about
        assert listed.card.licence and listed.card.source
        assert listed.card.citation or name == "file"
