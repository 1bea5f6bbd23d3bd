"""cmb-open on made questions in the publisher's form, over HTTP, and on the real questions where they are."""
# ruff: noqa: RUF001 - Chinese is written with full-width marks.

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.facts.curriculum import CurriculumConfig
from medctx.io.jsonl import read_rows
from medctx_eval.exams import registry
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Exam
from medctx_eval.exams.published import cmb, cmb_open
from tests.support.paths import REAL_DATA
from tests.support.publisher import published

REAL = REAL_DATA / "zh_exams_test.jsonl.gz"
Row = dict[str, object]


def _question(number: int, stem: str, subject: str = "甲科", kind: str = "单项选择题", **options: str) -> Row:
    return {
        "id": number,
        "exam_type": "医师考试",
        "exam_class": "级别",
        "exam_subject": subject,
        "question_type": kind,
        "question": stem,
        "option": options or {"A": f"甲{number}", "B": f"乙{number}", "C": f"丙{number}", "D": f"丁{number}", "E": ""},
    }


def _answer(number: int, letters: str) -> Row:
    return {"id": number, "exam_type": "医师考试", "answer": letters}


def _folder(tmp_path: Path, questions: list[Row], answers: list[Row]) -> Path:
    folder = tmp_path / "CMB-Exam" / "CMB-test"
    folder.mkdir(parents=True)
    (folder / cmb.QUESTIONS).write_text(json.dumps(questions, ensure_ascii=False), encoding="utf-8")
    (folder / cmb.ANSWERS).write_text(json.dumps(answers, ensure_ascii=False), encoding="utf-8")
    return tmp_path / "CMB-Exam"


def _build(path: Path, seed: int = 0) -> Exam:
    return registry.build_exam(ExamConfig(exam="cmb-open", path=path), CurriculumConfig(), seed)


def _many(tmp_path: Path, count: int, subjects: int = 3) -> Exam:
    questions = [_question(n, f"第{n}题是（　　）。", subject=f"科{n % subjects}") for n in range(count)]
    return _build(_folder(tmp_path, questions, [_answer(n, "ABCD"[n % 4]) for n in range(count)]))


@pytest.mark.parametrize(
    ("stem", "answers", "said"),
    [
        ("肺的位置是（　　）。", ["胸腔"], "肺的位置是胸腔。"),
        ("肺的位置是( )", ["胸腔。"], "肺的位置是胸腔。"),
        ("肺的位置是____", ["胸腔"], "肺的位置是胸腔。"),
        ("肺的位置是【 】．", ["胸腔"], "肺的位置是胸腔。"),
        ("下列（ ）错误。", ["甲"], "下列错误。甲。"),
        ("心在哪里？", ["胸腔"], "心在哪里？胸腔。"),
        ("属于脏的有（）", ["心", "肝"], "属于脏的有心、肝。"),
        ("血压（BP）的单位是", ["mmHg"], "血压（BP）的单位是mmHg。"),
    ],
)
def test_a_statement_is_the_stem_without_its_blank_and_the_gold_text(stem: str, answers: list[str], said: str) -> None:
    assert cmb_open.statement(stem, answers) == said


def test_each_question_becomes_an_item_with_its_own_statement(tmp_path: Path) -> None:
    questions = [_question(1, "心是（ ）。"), _question(2, "肝是（ ）。", kind="多项选择题")]
    exam = _build(_folder(tmp_path, questions, [_answer(1, "B"), _answer(2, "AC")]))
    items = {item.id: item for item in exam.items}
    assert (items["cmb-open/1"].gold, items["cmb-open/1"].multiple) == (("B",), False)
    assert (items["cmb-open/2"].gold, items["cmb-open/2"].multiple) == (("A", "C"), True)
    assert sorted(items["cmb-open/1"].options) == ["A", "B", "C", "D"]  # the blank E is not offered
    assert exam.by_id[items["cmb-open/1"].evidence[0]].text == "心是乙1。"
    assert exam.by_id[items["cmb-open/2"].evidence[0]].text == "肝是甲2、丙2。"
    assert items["cmb-open/1"].tags == {"category": "医师考试", "class": "级别", "subject": "甲科"}
    assert (exam.card.language, exam.card.domain) == ("zh", "medical")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", cmb.NO_GOLD),
        (" ", cmb.NO_GOLD),
        ("F", cmb.GOLD_NOT_OFFERED),
        ("E", cmb.GOLD_NOT_OFFERED),  # offered, but blank
        ("AX", cmb.GOLD_NOT_OFFERED),
        ("错", cmb.GOLD_NOT_OFFERED),
    ],
)
def test_a_corrupted_gold_is_left_out_and_counted(tmp_path: Path, answer: str, reason: str) -> None:
    questions = [_question(1, "心是"), _question(2, "肝是")]
    exam = _build(_folder(tmp_path, questions, [_answer(1, answer), _answer(2, "A")]))
    assert [item.id for item in exam.items] == ["cmb-open/2"]
    assert exam.card.dropped == {reason: 1}
    assert len(exam.passages) == 1


def test_a_question_without_an_answer_in_the_file_is_counted_too(tmp_path: Path) -> None:
    exam = _build(_folder(tmp_path, [_question(1, "心是"), _question(2, "肝是")], [_answer(2, "A")]))
    assert exam.card.dropped == {cmb.NO_GOLD: 1}


@pytest.mark.parametrize("letters", ["AC", "CA", "A,C", "Ａ、Ｃ", "a c"])
def test_the_letters_of_an_answer_are_read_in_every_writing(tmp_path: Path, letters: str) -> None:
    exam = _build(_folder(tmp_path, [_question(1, "心是", kind="多项选择题")], [_answer(1, letters)]))
    assert exam.items[0].gold == ("A", "C")


def test_statements_that_say_the_same_are_one_passage(tmp_path: Path) -> None:
    options = {"A": "胸腔", "B": "腹腔"}
    questions = [_question(1, "心在（ ）", **options), _question(2, "心在（　）。", **options), _question(3, "肝在")]
    exam = _build(_folder(tmp_path, questions, [_answer(n, "A") for n in (1, 2, 3)]))
    first, second = (item for item in exam.items if item.id in {"cmb-open/1", "cmb-open/2"})
    assert first.evidence == second.evidence
    assert len(exam.passages) == 2
    assert first.evidence[0] not in first.rivals


def test_rivals_are_of_the_same_subject_first_and_bounded(tmp_path: Path) -> None:
    exam = _many(tmp_path, 700)
    subject = {item.evidence[0]: item.tags["subject"] for item in exam.items}
    for item in exam.items:
        assert len(item.rivals) == len(set(item.rivals)) == cmb_open.RIVALS
        assert item.evidence[0] not in item.rivals
        assert {subject[name] for name in item.rivals} == {item.tags["subject"]}


def test_rivals_of_a_small_subject_go_on_with_its_category(tmp_path: Path) -> None:
    exam = _many(tmp_path, 30)
    subject = {item.evidence[0]: item.tags["subject"] for item in exam.items}
    item = exam.items[0]
    same_subject = [subject[name] == item.tags["subject"] for name in item.rivals]
    assert len(item.rivals) == 29
    assert same_subject == sorted(same_subject, reverse=True)


def test_a_lot_is_of_one_subject_and_its_items_are_neighbours(tmp_path: Path) -> None:
    exam = _many(tmp_path, 300)
    sizes = Counter(item.cluster for item in exam.items)
    assert max(sizes.values()) == cmb_open.LOT
    for name, size in sizes.items():
        places = [place for place, item in enumerate(exam.items) if item.cluster == name]
        assert places == list(range(places[0], places[0] + size))
        assert len({exam.items[place].tags["subject"] for place in places}) == 1


def test_an_altered_statement_says_another_option_and_gives_its_letter(tmp_path: Path) -> None:
    questions = [
        _question(1, "心是"),
        _question(2, "肝是", kind="多项选择题"),
        _question(3, "全是", kind="多项选择题", A="甲", B="乙"),
        _question(4, "只有", A="甲", B="以上都是"),
    ]
    answers = [_answer(1, "A"), _answer(2, "AB"), _answer(3, "AB"), _answer(4, "A")]
    exam = _build(_folder(tmp_path, questions, answers))
    altered = exam.alteration_of
    assert set(altered) == {"cmb-open/1", "cmb-open/2", "cmb-open/3"}  # nothing else can be said of the fourth
    for item in exam.items:
        if item.id in altered:
            alteration = altered[item.id]
            assert set(alteration.gold) != set(item.gold)
            assert set(alteration.gold) <= set(item.options)
            texts = [item.options[letter] for letter in alteration.gold]
            assert alteration.passages[0].id == item.evidence[0]
            assert alteration.passages[0].text == cmb_open.statement(item.question, texts)


def test_the_same_seed_gives_the_same_exam_and_another_seed_another_order(tmp_path: Path) -> None:
    questions = [_question(n, f"第{n}题是") for n in range(60)]
    folder = _folder(tmp_path, questions, [_answer(n, "A") for n in range(60)])
    first, again, other = _build(folder), _build(folder), _build(folder, seed=1)
    assert first.card.digest == again.card.digest
    assert [item.id for item in first.items] != [item.id for item in other.items]
    assert {item.id for item in first.items} == {item.id for item in other.items}


def test_eleven_thousand_items_are_built_in_seconds(tmp_path: Path) -> None:
    questions = [_question(n, f"第{n}题是（ ）", subject=f"科{n % 90}") for n in range(11_200)]
    answers = [_answer(n, "A" if n >= 29 else "") for n in range(11_200)]
    folder = _folder(tmp_path, questions, answers)
    began = time.process_time()
    exam = _build(folder)
    assert exam.card.items == 11_171
    assert exam.card.dropped == {cmb.NO_GOLD: 29}
    assert time.process_time() - began < 10


def test_it_is_fetched_at_one_commit_which_the_card_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def body(rows: list[Row]) -> bytes:
        return json.dumps(rows, ensure_ascii=False).encode()

    first = {
        f"{cmb_open.FOLDER}/{cmb.QUESTIONS}": body([_question(1, "心是"), _question(2, "肝是")]),
        f"{cmb_open.FOLDER}/{cmb.ANSWERS}": body([_answer(1, "A"), _answer(2, "")]),
    }
    with published(tmp_path, monkeypatch) as server:
        commit = server.commit(cmb_open.REPO, first)
        exam = registry.build_exam(ExamConfig(exam="cmb-open"), CurriculumConfig(), 0)
        assert (exam.card.revision, exam.card.items, exam.card.dropped) == (commit, 1, {cmb.NO_GOLD: 1})
        server.commit(cmb_open.REPO, {name: body([_question(3, "肺是") | {"answer": "B"}]) for name in first})
        assert registry.build_exam(ExamConfig(exam="cmb-open"), CurriculumConfig(), 0) == exam
        built = registry.build_exam(ExamConfig(exam="cmb-open", revision=commit), CurriculumConfig(), 0)
        assert (built.card.revision, built.items) == (commit, exam.items)


def test_one_file_that_holds_the_answers_itself_is_read(tmp_path: Path) -> None:
    path = tmp_path / "merged.json"
    path.write_text(json.dumps([_question(1, "心是") | {"answer": "C"}]), encoding="utf-8")
    assert _build(path).items[0].gold == ("C",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no CMB-test-choice-question-merge.json"),
        ({cmb.QUESTIONS: "[]"}, "holds no CMB-test-choice-answer.json"),
        ({cmb.QUESTIONS: "[]", cmb.ANSWERS: "[]"}, "holds no usable question"),
        ({cmb.QUESTIONS: "{}", cmb.ANSWERS: "[]"}, "is not a list of questions"),
        ({cmb.QUESTIONS: "[\n{]", cmb.ANSWERS: "[]"}, ":2 is not JSON"),
    ],
)
def test_what_is_wrong_with_the_files_is_one_sentence(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(MedctxError, match=r"^[^\n]+$") as caught:
        _build(tmp_path)
    assert message in str(caught.value)


def test_two_questions_of_one_id_are_an_error(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [_question(1, "心是"), _question(1, "肝是")], [_answer(1, "A")])
    with pytest.raises(MedctxError, match="no unique id"):
        _build(folder)


PIECES = ["心", "是", "的", "？", "（）", "(  )", "____", "【　】", "（BP）"]


@given(st.lists(st.sampled_from(PIECES), max_size=6), st.lists(st.sampled_from(["甲", "乙。", "丙 "]), min_size=1))
def test_a_statement_keeps_the_words_and_ends_with_its_answers(stem: list[str], answers: list[str]) -> None:
    words = "".join(piece for piece in stem if piece not in {"（）", "(  )", "____", "【　】"})
    sentence = "、".join(answer.rstrip(" 。") for answer in answers)
    assert cmb_open.statement("".join(stem), answers) == f"{words}{sentence}。"


def test_the_real_single_choice_questions_are_all_asked() -> None:
    if not REAL.is_file():
        pytest.skip(f"the real file {REAL} is not on this machine")
    rows = {str(row["id"]): row for _, row in read_rows(REAL) if row["source"] == "cmb-single"}
    exam = _build(REAL)
    assert {item.id.removeprefix("cmb-open/") for item in exam.items} == set(rows)
    assert exam.card.dropped == {cmb.OTHER_SOURCE: 8_575 - len(rows)}
    for item in exam.items:
        row = rows[item.id.removeprefix("cmb-open/")]
        assert item.gold == (row["answer"],)
        assert item.options[item.gold[0]].rstrip(" 。.;；") in exam.by_id[item.evidence[0]].text
    assert len(exam.alterations) == len(exam.items)
