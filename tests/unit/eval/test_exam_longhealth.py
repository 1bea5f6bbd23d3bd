"""The three LongHealth tasks on four made patients in the publisher's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.fetch.pinned import Remote
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.published import longhealth
from medctx_eval.exams.published.longhealth_file import GOLD_UNCLEAR
from tests.support.publisher import published

TASKS = ("longhealth-1", "longhealth-2", "longhealth-3")


def _asked(number: int, correct: str = "Blue tea", **changes: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"No": number, "question": f"What did the patient drink on day {number}?"}
    entry |= {f"answer_{letter}": f"{colour} tea" for letter, colour in zip("abcde", COLOURS, strict=True)}
    return entry | {"correct": correct, "answer_location": {"text_0": {"start": [0.5], "end": [0.6]}}} | changes


COLOURS = ("Red", "Blue", "Green", "White", "Black")


def _patient(name: str, documents: int, questions: list[dict[str, Any]]) -> dict[str, Any]:
    texts = {f"text_{n}": f"Letter {n} on {name}. " * 3 for n in reversed(range(documents))}
    return {"name": name, "birthday": "1900-01-01", "diagnosis": "none", "texts": texts, "questions": questions}


def _benchmark() -> dict[str, Any]:
    return {
        "patient_01": _patient("Ada Plum", 12, [_asked(0), _asked(1, "red TEA.")]),
        "patient_02": _patient("Bo Reed", 2, [_asked(0, answer_location=None), _asked(1)]),
        "patient_03": _patient("Cy Ash", 3, [_asked(0, answer_location={"text_2": {"start": 0.0}, "text_0": {}})]),
        "patient_04": _patient("Di Fern", 1, [_asked(0)]),
        "canary": "not a patient",
    }


def _build(tmp_path: Path, task: str, seed: int = 0, benchmark: object = None) -> Exam:
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(_benchmark() if benchmark is None else benchmark), encoding="utf-8")
    return registry.build_exam(ExamConfig(exam=task, path=path), CurriculumConfig(), seed)


def test_the_tasks_ask_the_same_items_by_the_same_ids_in_the_same_order(tmp_path: Path) -> None:
    ids = [[item.id for item in _build(tmp_path, task).items] for task in TASKS]
    assert ids[0] == ids[1] == ids[2]
    assert sorted(ids[0]) == [
        f"longhealth/patient_0{p}/{n}" for p, n in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (4, 0)]
    ]
    for task in TASKS:
        assert {item.exam for item in _build(tmp_path, task).items} == {task}


def test_in_task_1_the_questions_of_a_patient_share_the_whole_record_in_order(tmp_path: Path) -> None:
    exam = _build(tmp_path, "longhealth-1")
    evidence = {item.cluster: set[tuple[str, ...]]() for item in exam.items}
    for item in exam.items:
        evidence[item.cluster].add(item.evidence)
        assert item.cannot == ""
        assert sorted(item.options) == list("ABCDE")
    (record,) = evidence["longhealth/patient_01"]
    assert record == tuple(f"longhealth/patient_01/text_{n}" for n in range(12))
    assert all(len(several) == 1 for several in evidence.values())


def test_in_task_2_the_evidence_is_where_the_answer_stands(tmp_path: Path) -> None:
    items = {item.id: item for item in _build(tmp_path, "longhealth-2").items}
    assert items["longhealth/patient_01/0"].evidence == ("longhealth/patient_01/text_0",)
    assert items["longhealth/patient_03/0"].evidence == ("longhealth/patient_03/text_0", "longhealth/patient_03/text_2")
    # Where the publisher names no place, the whole record.
    assert items["longhealth/patient_02/0"].evidence == ("longhealth/patient_02/text_0", "longhealth/patient_02/text_1")
    for item in items.values():
        assert item.cannot == "F"
        assert item.gold != ("F",)
        assert "cannot be answered" in item.options["F"]


def test_in_task_3_only_cannot_is_right_and_no_document_is_the_patients(tmp_path: Path) -> None:
    exam = _build(tmp_path, "longhealth-3")
    for item in exam.items:
        assert item.gold == (item.cannot,) == ("F",)
        assert item.evidence
        assert not any(name.startswith(f"{item.cluster}/") for name in (*item.evidence, *item.rivals))


def test_in_task_3_the_books_are_those_of_task_1(tmp_path: Path) -> None:
    first, third = (_build(tmp_path, task) for task in ("longhealth-1", "longhealth-3"))
    assert {item.evidence for item in third.items} == {item.evidence for item in first.items}
    assert len({item.evidence for item in third.items}) == 4


@pytest.mark.parametrize("patients", range(2, 9))
def test_in_task_3_neighbours_can_share_a_book_up_to_half_the_patients(tmp_path: Path, patients: int) -> None:
    benchmark = {f"patient_{n:02}": _patient(f"P{n}", 2, [_asked(0)]) for n in range(patients)}
    items = _build(tmp_path, "longhealth-3", benchmark=benchmark).items
    for begin in range(patients):
        several = items[begin : begin + patients // 2]
        read = {name.rpartition("/")[0] for item in several for name in item.evidence}
        assert not read & {item.cluster for item in several}


@pytest.mark.parametrize("task", TASKS)
def test_rivals_are_all_documents_of_other_patients_in_one_order(tmp_path: Path, task: str) -> None:
    exam = _build(tmp_path, task)
    order = {name: place for place, name in enumerate(max((item.rivals for item in exam.items), key=len))}
    for item in exam.items:
        subset = {passage.id for passage in exam.passages if item.cluster in passage.facts}
        others = {passage.id for passage in exam.passages} - subset - set(item.evidence)
        assert set(item.rivals) == others
        known = [order[name] for name in item.rivals if name in order]
        assert known == sorted(known)


def test_a_document_carries_its_patient_among_its_facts(tmp_path: Path) -> None:
    for passage in _build(tmp_path, "longhealth-2").passages:
        assert passage.facts == (passage.id.rpartition("/")[0],)


@pytest.mark.parametrize(
    ("location", "tags"),
    [
        ({"text_0": {"start": [0.5], "end": [0.6]}}, {"documents": "1", "answer_at": "0.250", "depth": "0.2-0.4"}),
        ({"text_1": {"start": [1.0, 0.0]}}, {"documents": "1", "answer_at": "0.500", "depth": "0.4-0.6"}),
        ({"text_1": {"start": 1}}, {"documents": "1", "answer_at": "1.000", "depth": "0.8-1.0"}),
        ({"text_0": {}, "text_1": {"start": []}}, {"documents": "2"}),
        ({"text_9": {"start": [0.1]}}, {"documents": "unknown"}),
        ({}, {"documents": "unknown"}),
        (None, {"documents": "unknown"}),
    ],
)
def test_where_the_answer_stands_is_kept_as_tags(tmp_path: Path, location: object, tags: dict[str, str]) -> None:
    patient = _patient("Ada Plum", 2, [_asked(0, answer_location=location)])
    exam = _build(tmp_path, "longhealth-1", benchmark={"a": patient, "b": _patient("Bo", 1, [])})
    assert exam.items[0].tags == tags


@pytest.mark.parametrize(
    ("correct", "gold"),
    [
        ("Blue tea", "B"),
        (" blue  tea. ", "B"),
        ("Green", "C"),  # one option holds it
        ("tea", None),  # all do
        ("Coffee", None),
        ("", None),
    ],
)
def test_the_gold_is_the_option_with_the_right_text_or_the_question_is_left_out(
    tmp_path: Path, correct: str, gold: str | None
) -> None:
    benchmark = {"a": _patient("Ada", 1, [_asked(0, correct), _asked(1)]), "b": _patient("Bo", 1, [])}
    exam = _build(tmp_path, "longhealth-1", benchmark=benchmark)
    golds = {item.id: item.gold for item in exam.items}
    assert golds.get("longhealth/a/0") == ((gold,) if gold else None)
    assert exam.card.dropped == ({} if gold else {GOLD_UNCLEAR: 1})
    assert len(golds) + sum(exam.card.dropped.values()) == 2


def test_the_order_of_patients_and_rivals_follows_the_seed(tmp_path: Path) -> None:
    first, again = _build(tmp_path, "longhealth-2"), _build(tmp_path, "longhealth-2")
    assert first == again
    others = [_build(tmp_path, "longhealth-2", seed=seed) for seed in range(1, 5)]
    assert any(other.items[0].cluster != first.items[0].cluster for other in others)
    assert all(other.passages == first.passages for other in others)


def test_it_is_fetched_at_the_revision_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with published(tmp_path, monkeypatch) as server:
        server.plain["/v5/data.json"] = json.dumps(_benchmark()).encode()
        monkeypatch.setattr(longhealth, "FILE", Remote(url=server.url + "/{revision}/data.json"))
        exam = registry.build_exam(ExamConfig(exam="longhealth-1", revision="v5"), CurriculumConfig(), 0)
    assert (exam.card.revision, exam.card.items) == ("v5", 6)
    assert exam.card.licence == "Apache-2.0"


@pytest.mark.parametrize(
    ("benchmark", "message"),
    [
        ([], "no patients by name"),
        ({"a": _patient("Ada", 1, [])}, "1 patients"),
        ({"a": _patient("Ada", 1, [{"No": 1}]), "b": _patient("Bo", 1, [])}, "The entry a of"),
        ({"a": _patient("Ada", 1, [_asked(1), _asked(1)]), "b": _patient("Bo", 1, [])}, "the same No"),
    ],
)
def test_what_is_wrong_with_the_file_is_one_sentence(tmp_path: Path, benchmark: object, message: str) -> None:
    with pytest.raises(MedctxError, match=r"^[^\n]+$") as caught:
        _build(tmp_path, "longhealth-1", benchmark=benchmark)
    assert message in str(caught.value)
