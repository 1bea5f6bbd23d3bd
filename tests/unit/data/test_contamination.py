"""What of an exam stands in training data is found, named, and scored; what does not stand there is not."""

# ruff: noqa: RUF001 - Chinese is written with full-width marks.
from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.schemas.contamination import Overlap
from medctx.schemas.records import ExamItem, Passage
from medctx_data.contamination.exam_files import ExamPassage, ExamQuestion, ExamTexts, read_exams
from medctx_data.contamination.exam_index import COMMON, GRAM, ExamIndex
from medctx_data.contamination.overlap import find_overlaps
from tests.support.made_dialogues import qa_dialogue

pytest.importorskip("rensa")

STEM = (
    "A 54-year-old man wakes at night with a red, swollen and very painful big toe after a large meal with wine. "
    "Which finding in the joint fluid would confirm the most likely cause?"
)
OPTIONS = (
    "needle-shaped crystals without birefringence to one side",
    "many neutrophils together with gram-positive cocci",
    "fat globules floating on blood from the marrow",
)
CHINESE = "患者男性，五十四岁，夜间突发大脚趾红肿热痛，饮酒后加重，关节液检查最可能发现的是下列哪一项"
CHINESE_OPTIONS = ("针状尿酸盐结晶", "革兰阳性球菌", "脂肪滴与血液")
PAGE = (
    "The knee is a hinge joint between the thigh bone and the shin bone, and its stability depends on four ligaments.\n"
    "The cruciate ligaments cross inside the joint and keep the shin bone from sliding forwards or backwards, while "
    "the collateral ligaments at both sides keep the joint from bending sideways when weight is put on one leg."
)
EXAM = ExamTexts(
    "toes",
    "digest",
    (
        ExamQuestion("toes", "gout", STEM, OPTIONS, ()),
        ExamQuestion("toes", "痛风", CHINESE, CHINESE_OPTIONS, ()),
        ExamQuestion("toes", "short", "Which toe is the biggest?", ("the first", "the fifth"), ()),
        ExamQuestion("toes", "eight", "Which vitamin is missing in people with scurvy?", ("C", "D"), ()),
        ExamQuestion("toes", "knee", "What keeps the shin from sliding?", ("cruciates", "collaterals"), ("knee/page",)),
    ),
    (ExamPassage("toes", "knee/page", PAGE, ("knee",)),),
)
INDEX = ExamIndex([EXAM], 0.8)


def overlaps_of(
    question: str, answer: str = "It depends.", index: ExamIndex = INDEX
) -> dict[tuple[str, str, str], Overlap]:
    several = find_overlaps([qa_dialogue("row", question, answer)], index)
    named = {(overlap.item, overlap.kind, overlap.where): overlap for overlap in several}
    assert len(named) == len(several)
    return named


def listed(stem: str, options: tuple[str, ...]) -> str:
    return "\n".join([stem, *(f"{letter}. {option}" for letter, option in zip("ABC", options, strict=True))])


def kinds(question: str, answer: str = "It depends.") -> set[tuple[str, str]]:
    return {(item, kind) for item, kind, _ in overlaps_of(question, answer)}


@pytest.mark.parametrize("turned", [0, 1, 2])
def test_a_question_is_found_with_its_options_in_any_order(turned: int) -> None:
    order = OPTIONS[turned:] + OPTIONS[:turned]
    hits = overlaps_of(f"Answer this question.\n{listed(STEM, order)}")
    assert set(hits) == {("gout", kind, "question") for kind in ("exact", "13-gram", "minhash")}
    assert hits["gout", "exact", "question"].score == 1
    assert hits["gout", "13-gram", "question"].score == 1
    assert hits["gout", "minhash", "question"].score > 0.9
    assert hits["gout", "exact", "question"].text == STEM.removesuffix("?")


def test_a_chinese_question_is_found_with_its_options_in_any_order() -> None:
    assert kinds(listed(CHINESE, CHINESE_OPTIONS[::-1])) == {("痛风", kind) for kind in ("exact", "13-gram", "minhash")}
    assert ("痛风", "13-gram") in kinds(f"请回答：{CHINESE[:40]}")


def test_an_answer_that_repeats_the_question_is_found_too() -> None:
    assert ("gout", "exact") in kinds("What is question 7?", STEM)


def test_part_of_a_question_is_a_gram_with_the_share_it_has() -> None:
    part = " ".join(STEM.split()[5:25])
    hits = overlaps_of(f"Tell me of a case: {part}")
    assert set(hits) == {("gout", "13-gram", "question")}
    overlap = hits["gout", "13-gram", "question"]
    assert overlap.text == part
    assert 0 < overlap.score < 1


def test_a_reworded_question_is_alike_without_a_gram_in_common() -> None:
    words = STEM.split()
    for place in range(9, len(words), 12):
        words[place] = "quite"
    hits = overlaps_of(" ".join(words), index=ExamIndex([EXAM], 0.6))
    assert set(hits) == {("gout", "minhash", "question")}
    assert 0.6 <= hits["gout", "minhash", "question"].score < 1


def taught(question: str, *facts: str, evidence: tuple[str, ...] = ()) -> dict[str, bool]:
    """The kinds in which a Dialogue that names ``facts`` touches an item on gout, and whether that is teaching."""
    item = ExamQuestion("toes", "gout", STEM, OPTIONS, evidence, "" if evidence else "gout-fact")
    dialogue = qa_dialogue("row", question, "It depends.").model_copy(update={"facts": facts})
    return {
        overlap.kind: overlap.taught
        for overlap in find_overlaps([dialogue], ExamIndex([ExamTexts("toes", "", (item,), ())], 0.8))
    }


def test_words_of_a_fact_that_is_taught_on_purpose_are_told_from_a_leak() -> None:
    quoted = "Call this by its name: " + " ".join(STEM.split()[5:25])
    assert taught(quoted, "other-fact", "gout-fact") == {"13-gram": True}
    assert taught(quoted, "other-fact") == {"13-gram": False}
    assert taught(quoted) == {"13-gram": False}
    assert taught(quoted, "gout-fact", "page", evidence=("page",)) == {"13-gram": False}


def test_no_fact_excuses_the_question_itself() -> None:
    assert taught(listed(STEM, OPTIONS), "gout-fact")["exact"] is False
    words = STEM.split()
    words[-1] = "reason?"
    assert taught(" ".join(words), "gout-fact")["minhash"] is False


def test_twelve_words_in_common_are_not_enough() -> None:
    assert not kinds(" ".join(STEM.split()[5:17]) + " and nothing else of it")


def test_short_questions_are_found_as_a_whole() -> None:
    assert kinds("Which toe is the biggest") == {("short", "exact")}
    assert not kinds("I wonder which toe is the biggest of all")
    assert ("eight", "13-gram") in kinds("Tell me: which vitamin is missing in people with scurvy? I forgot.")


def test_a_question_with_other_options_is_not_exact() -> None:
    hits = kinds(listed(STEM, ("a broken toe", "a bruise", "an ingrown nail")))
    assert ("gout", "13-gram") in hits
    assert ("gout", "exact") not in hits


def test_a_passage_of_the_evidence_touches_its_items() -> None:
    hits = overlaps_of("What do you know about knees?", f"I read this:\n{PAGE}\nThat is all.")
    assert {(item, kind, where) for item, kind, where in hits} >= {
        ("knee", "exact", "book"),
        ("knee", "13-gram", "book"),
        ("knee", "minhash", "book"),
    }
    assert {overlap.passage for overlap in hits.values()} == {"knee/page"}
    paragraph = PAGE.split("\n")[1]
    hits = overlaps_of("Describe the ligaments.", paragraph)
    assert ("knee", "minhash", "book") in hits
    assert 0 < hits["knee", "13-gram", "book"].score < 1


def test_a_passage_that_is_evidence_of_nothing_is_named_alone() -> None:
    index = ExamIndex([ExamTexts("books", "digest", (), (ExamPassage("books", "knee/page", PAGE),))], 0.8)
    hits = overlaps_of("Knees?", PAGE, index)
    assert {overlap.item for overlap in hits.values()} == {""}


def test_system_prompts_hold_no_examples() -> None:
    row = qa_dialogue("row", "Hello?", "Hello.")
    turns = (row.turns[0].model_copy(update={"role": "system", "content": STEM}), *row.turns)
    assert not find_overlaps([row.model_copy(update={"turns": turns})], INDEX)


def test_a_phrase_of_many_questions_touches_nothing() -> None:
    phrase = "which of the following is the most appropriate next step in the management of"
    many = tuple(
        ExamQuestion("steps", str(number), f"Patient number {number} is ill, {phrase} case {number}?", (), ())
        for number in range(COMMON + 2)
    )
    index = ExamIndex([ExamTexts("steps", "digest", many, ())], 0.8)
    assert not overlaps_of(f"Tell me {phrase} anything", index=index)
    assert overlaps_of(many[3].question, index=index)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_grams_are_those_a_plain_search_finds(seed: int) -> None:
    rng = Random(seed)
    vocabulary = ["gout", "toe", "pain", "acid", "of", "the"]
    questions = [rng.choices(vocabulary, k=rng.randint(13, 40)) for _ in range(5)]
    rows = []
    for number in range(10):
        words = rng.choices(vocabulary, k=rng.randint(1, 30))
        if rng.random() < 0.7:
            source = rng.choice(questions)
            start = rng.randrange(len(source))
            words[len(words) // 2 : len(words) // 2] = source[start : start + rng.randint(5, 30)]
        rows.append(qa_dialogue(str(number), " ".join(words), "unrelated"))
    exam = ExamTexts(
        "e", "d", tuple(ExamQuestion("e", str(n), " ".join(q), (), ()) for n, q in enumerate(questions)), ()
    )

    def grams(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)}

    expected = {
        (row.id, str(number)): len(shared) / len(grams(question))
        for row in rows
        for number, question in enumerate(questions)
        if (shared := grams(row.turns[0].content.split()) & grams(question))
    }
    several = [overlap for overlap in find_overlaps(rows, ExamIndex([exam], 0.8)) if overlap.kind == "13-gram"]
    assert {(overlap.row, overlap.item): overlap.score for overlap in several} == pytest.approx(expected, abs=1e-3)


def lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_exams_are_read_in_the_row_schema_and_as_records(tmp_path: Path) -> None:
    rows = lines(
        tmp_path / "items.jsonl",
        [
            {"id": "1", "question": "Why?", "options": {"A": "so", "B": "because"}, "answer": "A", "book_id": "b/1"},
            {"id": "2", "question": "Who?", "options": {"A": "I", "B": "you"}, "answer": "B", "context": "It was I."},
        ],
    )
    books = lines(tmp_path / "books.jsonl", [{"book_id": "b/1", "text": "Because it is so.", "title": "Reasons"}])
    (read,) = read_exams([f"mine={rows}", f"mine={books}"])
    assert (read.exam, len(read.questions)) == ("mine", 2)
    assert {page.passage: page.items for page in read.passages} == {"b/1": ("1",), "2/context": ("2",)}
    item = ExamItem(
        id="1", exam="own", question="Why?", options={"A": "so", "B": "no"}, gold=("A",), evidence=("p",), cluster="p"
    )
    passage = Passage(id="p", text="Because it is so.")
    records = tmp_path / "records.jsonl"
    records.write_text(item.model_dump_json() + "\n", encoding="utf-8")
    pages = tmp_path / "pages.jsonl"
    pages.write_text(passage.model_dump_json() + "\n", encoding="utf-8")
    (exam,) = read_exams([str(records), f"own={pages}"])
    assert exam.questions == (ExamQuestion("own", "1", "Why?", ("so", "no"), ("p",)),)
    assert exam.passages == (ExamPassage("own", "p", "Because it is so.", ("1",)),)
    closed = item.model_copy(update={"evidence": (), "cluster": "a-fact"})
    records.write_text(closed.model_dump_json() + "\n", encoding="utf-8")
    (known,) = read_exams([str(records)])
    assert known.questions[0].fact == "a-fact"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_an_own_table_is_read_as_the_exam_reads_it(mark: str, tmp_path: Path) -> None:
    table = [
        ["Question", "A", "B", "Answer", "Context"],
        ["Why?", "so", "because", "A", "It is so."],
        ["Who?", "I", "you", "B", ""],
    ]
    path = tmp_path / ("ward.tsv" if mark == "\t" else "ward.csv")
    path.write_text("".join(mark.join(line) + "\n" for line in table), encoding="utf-8")
    (exam,) = read_exams([str(path)])
    assert exam.exam == "ward"
    assert [(question.item, question.question, question.options) for question in exam.questions] == [
        ("2", "Why?", ("so", "because")),
        ("3", "Who?", ("I", "you")),
    ]
    assert [(page.text, page.items) for page in exam.passages] == [("It is so.", ("2",))]


def test_an_own_list_of_a_published_layout_has_its_own_ids(tmp_path: Path) -> None:
    path = tmp_path / "arc.json"
    choices = {"text": ["so", "because"], "label": ["A", "B"]}
    path.write_text(
        json.dumps([{"id": f"q{n}", "question": f"{n}?", "choices": choices, "answerKey": "A"} for n in range(3)])
    )
    (exam,) = read_exams([f"mine={path}"])
    assert [question.item for question in exam.questions] == ["q0", "q1", "q2"]
    assert {question.options for question in exam.questions} == {("so", "because")}


def test_questions_that_name_a_passage_and_have_no_id_have_the_numbers_of_their_lines(tmp_path: Path) -> None:
    row = {"question": "Why?", "options": ["so", "because"], "answer": "A", "book_id": "page"}
    (exam,) = read_exams([str(lines(tmp_path / "ward.jsonl", [row, row]))])
    assert [(question.item, question.evidence) for question in exam.questions] == [("1", ("page",)), ("2", ("page",))]


def test_what_is_no_exam_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match=r"bad\.jsonl:1 is neither an item"):
        read_exams([str(lines(tmp_path / "bad.jsonl", [{"id": "1"}]))])
    with pytest.raises(MedctxError, match=r"bad\.jsonl:1 has a question but no id"):
        read_exams([str(lines(tmp_path / "bad.jsonl", [{"question": "Why?"}]))])
    with pytest.raises(MedctxError, match="holds no rows"):
        read_exams([str(lines(tmp_path / "bad.jsonl", []))])
    with pytest.raises(MedctxError, match="does not exist"):
        read_exams([f"mine={tmp_path / 'nowhere.jsonl'}"])


def test_dialogues_without_anything_of_an_exam_touch_nothing() -> None:
    rng = Random(3)
    words = STEM.split() + PAGE.split()
    rows = [qa_dialogue(str(n), " ".join(rng.sample(words, 30)), " ".join(rng.sample(words, 40))) for n in range(200)]
    assert not find_overlaps(rows, INDEX)
