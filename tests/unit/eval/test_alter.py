"""When evidence can be altered so that another option is certain to be right, and when it is left alone."""

from __future__ import annotations

import pytest

from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem, Passage
from medctx_eval.exams.counterfactual import alter
from medctx_eval.exams.exam import Exam, seal_exam
from medctx_eval.planning.groups import count_unalterable, groups_for

CARD = ExamCard(name="e", source="made here", licence="CC0", citation="none")


def exam(text: str, options: dict[str, str], gold: str = "A", cannot: str = "") -> Exam:
    item = ExamItem(
        id="i", exam="e", question="Which?", options=options, gold=(gold,), evidence=("p",), cluster="p", cannot=cannot
    )
    return seal_exam(CARD, [item], [Passage(id="p", text=text)])


def altered(made: Exam) -> tuple[str, tuple[str, ...]] | None:
    result = alter(made.items[0], made)
    return (result.evidence[0].text, result.item.gold) if result else None


def test_the_gold_s_words_are_replaced_wherever_they_stand() -> None:
    made = exam("Aspirin helps. Give aspirin.", {"A": "Aspirin", "B": "Heparin"})
    assert altered(made) == ("Heparin helps. Give heparin.", ("B",))


@pytest.mark.parametrize(
    ("text", "options", "gold", "cannot"),
    [
        ("It helps.", {"A": "Aspirin", "B": "Heparin"}, "A", ""),
        ("Aspirin and heparin.", {"A": "Aspirin", "B": "Heparin"}, "A", ""),
        ("Low dose aspirin.", {"A": "Aspirin", "B": "Low dose aspirin"}, "A", ""),
        ("Whether yes was said is unknown.", {"A": "yes", "B": "no", "C": "maybe"}, "A", ""),
        ("这是对症治疗。", {"A": "对", "B": "错"}, "A", ""),
        ("No answer, they wrote: not stated.", {"A": "Aspirin", "B": "Not stated"}, "B", "B"),
    ],
    ids=["not in words", "the other too", "one in the other", "a judgement", "a Chinese judgement", "no answer"],
)
def test_evidence_whose_change_is_not_certain_is_left_alone(
    text: str, options: dict[str, str], gold: str, cannot: str
) -> None:
    assert altered(exam(text, options, gold, cannot)) is None


def test_items_left_out_are_counted() -> None:
    able = exam("Aspirin helps.", {"A": "Aspirin", "B": "Heparin"})
    other = able.items[0].model_copy(update={"id": "j", "options": {"A": "Insulin", "B": "Heparin"}})
    both = seal_exam(able.card, [*able.items, other], list(able.passages))
    assert count_unalterable(both) == 1
    assert [item.id for group in groups_for(both, "counterfactual", None) for item in group.items] == ["i"]
