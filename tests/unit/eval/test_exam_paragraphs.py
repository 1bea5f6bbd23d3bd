"""``evidence: paragraph``: which paragraph of a section an item is asked about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.exam import Alteration, Exam, seal_exam
from medctx_eval.exams.paragraphs import UNSUPPORTED, narrow_evidence, paragraphs_of
from medctx_eval.exams.registry import build_exam

Write = Callable[[str, list[dict[str, object]]], Path]

HEART = (
    "The heart has four chambers. The right atrium receives blood that returns from the body through the two caval "
    "veins, and the left atrium receives blood that returns from the lungs. Both walls are thin, since the pressure in "
    "them is low at all times, and both contract before the chambers below them do."
)
VALVES = (
    "The mitral valve separates the left atrium from the left ventricle. It has two leaflets, which tendinous cords "
    "hold back while the ventricle contracts. A valve that does not close lets blood flow back, and this is heard as a "
    "murmur during the whole contraction of the chamber below."
)
NODES = (
    "The sinoatrial node sets the rhythm. Its cells depolarise by themselves about seventy times in a minute, faster "
    "than all other cells of the conducting system, so that the others follow. When it fails, cells further down take "
    "over at a slower rate, and a pacemaker may be needed."
)
CARD = ExamCard(name="hearts", source="written for this test", licence="Apache-2.0", citation="")


def item(name: str, question: str, *options: str, gold: str = "A", evidence: tuple[str, ...] = ("heart",)) -> ExamItem:
    """An item about the section ``heart``."""
    return ExamItem(
        id=name,
        exam="hearts",
        question=question,
        options=dict(zip("ABCD", options, strict=False)),
        gold=(gold,),
        evidence=evidence,
        cluster="heart",
        source="test",
        licence="test",
    )


MURMUR = item("murmur", "Which valve has two leaflets?", "the mitral valve", "the aortic valve")
RHYTHM = item("rhythm", "What sets the rhythm of the heart?", "the bundle of His", "the sinoatrial node", gold="B")
LIVER = item("liver", "Where is bile made?", "in hepatocytes", "in enterocytes")
SECTION = Passage(id="heart", text=f"# Heart\n\n{HEART}\n## Valves\n{VALVES}\n{NODES}\n## Review", title="Heart")


def narrowed(*items: ExamItem, passages: tuple[Passage, ...] = (SECTION,)) -> Exam:
    """The exam of some items, narrowed."""
    return narrow_evidence(seal_exam(CARD, items, passages))


def test_paragraphs_have_their_headings_and_no_short_ones_remain() -> None:
    assert paragraphs_of(SECTION.text) == [f"# Heart\n{HEART}", f"## Valves\n{VALVES}", f"{NODES}\n## Review"]
    assert paragraphs_of("One line.\n\nAnother.") == ["One line.\nAnother."]
    assert paragraphs_of(" \n") == []


@pytest.mark.parametrize(("question", "place"), [(MURMUR, 1), (RHYTHM, 2)], ids=["valves", "nodes"])
def test_an_item_is_asked_about_the_paragraph_that_states_its_answer(question: ExamItem, place: int) -> None:
    exam = narrowed(question)
    (narrow,) = exam.items
    assert narrow.evidence == (f"heart#{place}",)
    assert narrow.rivals == tuple(f"heart#{other}" for other in range(3) if other != place)
    assert narrow.cluster == "heart"
    assert exam.by_id[f"heart#{place}"].text == paragraphs_of(SECTION.text)[place]


def test_an_item_without_a_supporting_paragraph_is_asked_closed_only_and_counted() -> None:
    exam = narrowed(MURMUR, LIVER)
    assert [len(each.evidence) for each in exam.items] == [1, 0]
    assert exam.card.dropped == {UNSUPPORTED: 1}


def test_words_of_the_question_alone_do_not_support_an_option() -> None:
    question = item("wrong", "Which valve separates the left atrium from the left ventricle?", "Eustachian", "mitral")
    assert narrowed(question).items[0].evidence == ()


def test_a_lone_digit_supports_nothing() -> None:
    text = SECTION.text.replace("four chambers", "4 chambers")
    question = item("count", "How many chambers has the heart?", "4", "3")
    assert narrowed(question, passages=(SECTION.model_copy(update={"text": text}),)).items[0].evidence == ()


def test_altered_evidence_stays_whole() -> None:
    altered = Alteration(item="murmur", passages=(Passage(id="heart", text="Altered."),), gold=("B",))
    exam = narrow_evidence(seal_exam(CARD, [MURMUR], [SECTION], [altered]))
    assert exam.items == (MURMUR,)
    assert exam.passages == (SECTION,)


def test_items_without_one_passage_of_evidence_stay_as_they_are() -> None:
    other = Passage(id="other", text="Another section.")
    items = (item("none", "?", "a", "b", evidence=()), item("two", "?", "a", "b", evidence=("heart", "other")))
    exam = narrowed(*items, passages=(SECTION, other))
    assert exam.items == items
    assert exam.passages == (SECTION, other)


def test_distractors_of_an_item_that_keeps_its_evidence_are_the_paragraphs_of_its_rivals() -> None:
    others = (Passage(id="one", text="One."), Passage(id="two", text="Two."))
    whole = item("whole", "?", "a", "b", evidence=("one", "two")).model_copy(update={"rivals": ("heart",)})
    exam = narrowed(MURMUR, whole, passages=(SECTION, *others))
    assert exam.items[1].rivals == ("heart#0", "heart#1", "heart#2")
    assert set(exam.items[1].rivals) <= exam.by_id.keys()


def test_paragraphs_keep_the_facts_of_their_section_but_its_own_name() -> None:
    exam = narrowed(MURMUR, passages=(SECTION.model_copy(update={"facts": ("heart", "patient-1")}),))
    assert {passage.facts for passage in exam.passages} == {("patient-1",)}


def test_a_config_narrows_an_exam_from_files(write_rows: Write) -> None:
    rows = [
        {"id": each.id, "question": each.question, "options": each.options, "answer": each.gold[0], "book_id": "heart"}
        for each in (MURMUR, LIVER)
    ]
    files = {
        "items": write_rows("items.jsonl", rows),
        "passages": write_rows("books.jsonl", [{"book_id": "heart", "text": SECTION.text}]),
    }
    values = {"exam": "openstax-anatomy", "evidence": "paragraph", **files}
    exam = build_exam(ExamConfig.model_validate(values), CurriculumConfig(), 0)
    assert {each.id: each.evidence for each in exam.items} == {"murmur": ("heart#1",), "liver": ()}
