from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.records import ExamItem
from medctx_eval.exams.condition import parse
from medctx_eval.exams.exam import seal_exam
from medctx_eval.planning.batches import batches
from medctx_eval.planning.plan import BookBatch, ExamPlan, parts_of
from tests.support.made_exam import made_exam

DEPTHS = (0.1, 0.5, 0.9)


def words(text: str) -> int:
    return len(text.split())


def planned(*conditions: str, limits: dict[str, int] | None = None) -> list[BookBatch]:
    requests = [parse(text) for text in conditions]
    return batches(made_exam(), requests, words, depths=DEPTHS, limits=limits or {}, seed=0)


def test_every_item_is_asked_once_under_every_condition() -> None:
    entries = [entry for batch in planned("closed", "gold", "open:60") for entry in batch.items]
    counts = Counter((entry.item.id, entry.condition.kind) for entry in entries)
    assert set(counts.values()) == {1}
    assert len(counts) == 3 * 24


def test_parts_are_sizes_by_exam_condition_and_axis() -> None:
    exam = made_exam()
    items = [
        item.model_copy(update={"options": {**item.options, "E": "cannot tell"}, "cannot": "E", "gold": gold})
        for number, item in enumerate(exam.items)
        for gold in [("E",) if number % 4 == 0 else item.gold]
    ]
    exam = seal_exam(exam.card, items, exam.passages)
    requests = [parse(text) for text in ("closed", "gold")]
    planned = batches(exam, requests, words, depths=DEPTHS, limits={}, seed=0)
    plan = ExamPlan(exams=(exam,), batches=tuple(planned), conditions=("closed", "gold"))
    sizes = {(part.condition, part.axis): part.items for part in parts_of(plan)}
    assert sizes == {("closed", "knowledge"): 24, ("gold", "reading"): 18, ("gold", "abstention"): 6}


def test_items_share_books() -> None:
    open_books = planned("open:60")
    assert len(open_books) == 4
    for batch in open_books:
        assert batch.book is not None
        assert batch.book.tokens <= 60
        assert {entry.condition.depth for entry in batch.items} == set(DEPTHS)
        assert {entry.item.evidence[0] for entry in batch.items} <= set(batch.book.passages)


def test_depths_are_dealt_evenly_and_kept() -> None:
    for batch in planned("open:100"):
        assert batch.book is not None
        places = {entry.item.evidence[0]: batch.book.passages.index(entry.item.evidence[0]) for entry in batch.items}
        depths = {entry.item.evidence[0]: entry.condition.depth for entry in batch.items}
        assert sorted(places, key=lambda name: places[name]) == sorted(depths, key=lambda name: depths[name] or 0)


def test_gold_books_hold_the_evidence_alone() -> None:
    for batch in planned("gold"):
        assert batch.book is not None
        assert batch.book.passages == batch.items[0].item.evidence


def test_rivals_come_first() -> None:
    for batch in planned("open:20:0.5"):
        assert batch.book is not None
        assert batch.items[0].item.rivals[0] in batch.book.passages


def test_too_short_a_book_asks_nothing_and_cuts_nothing() -> None:
    assert all(batch.book is None for batch in planned("open:3"))


def test_without_its_evidence_an_item_can_only_not_be_answered() -> None:
    several = planned("distractor")
    assert sum(len(batch.items) for batch in several) == 24
    for batch in several:
        assert batch.book is not None
        assert batch.book.passages
        for entry in batch.items:
            assert not set(entry.item.evidence) & set(batch.book.passages)
            assert entry.item.gold == (entry.item.cannot,) == ("E",)
            assert entry.condition.axis == "abstention"


def test_altered_evidence_makes_another_option_right_and_the_old_one_remembered() -> None:
    by_id = {item.id: item for item in made_exam().items}
    for batch in planned("counterfactual", "counterfactual:60"):
        assert batch.book is not None
        for entry in batch.items:
            plain = by_id[entry.item.id]
            assert entry.memory == plain.gold != entry.item.gold
            number = plain.id[1:].partition("/")[0]
            said = f"Room {number} holds a {plain.options[entry.item.gold[0]]} chair."
            assert said in batch.book.text
            assert f"Room {number} holds a {plain.options[plain.gold[0]]} chair." not in batch.book.text


def test_two_alterations_of_one_passage_share_no_book() -> None:
    for batch in planned("counterfactual:60"):
        versions = {(entry.item.evidence, entry.item.gold) for entry in batch.items}
        assert len({evidence for evidence, _ in versions}) == len(versions)


def test_items_whose_evidence_is_altered_alike_share_a_book() -> None:
    assert [len(batch.items) for batch in planned("counterfactual")] == [2] * 12


def test_lengths_take_evidence_that_no_other_length_has_used() -> None:
    conditions = ("gold", "open:40", "open:60")
    requests = planned(*conditions, limits=dict.fromkeys(conditions, 8))
    evidence = [item.item.evidence for batch in requests for item in batch.items]
    assert Counter(Counter(evidence).values()) == {2: 12}


def test_used_evidence_comes_again_only_when_all_was_used() -> None:
    conditions = ("gold", "open:40", "open:60", "open:100")
    requests = planned(*conditions, limits=dict.fromkeys(conditions, 8))
    uses = Counter(name for batch in requests for name in {item.item.evidence for item in batch.items})
    assert len(uses) == 12
    assert set(uses.values()) == {1, 2}


def test_conditions_of_different_axes_ask_the_same_items() -> None:
    conditions = ("gold", "distractor", "counterfactual")
    requests = planned(*conditions, limits=dict.fromkeys(conditions, 8))
    items: dict[str, set[str]] = {}
    for batch in requests:
        for entry in batch.items:
            items.setdefault(entry.condition.kind, set()).add(entry.item.id)
    assert items["gold"] == items["distractor"] == items["counterfactual"]


def test_what_cannot_be_altered_is_left_out_of_counterfactuals_only() -> None:
    exam = made_exam()
    first = exam.passages[0].model_copy(update={"text": "Room 0 holds nothing."})
    silent = exam.model_copy(update={"passages": (first, *exam.passages[1:])})
    requests = [parse(text) for text in ("gold", "counterfactual")]
    entries = [
        entry for batch in batches(silent, requests, words, depths=DEPTHS, limits={}, seed=0) for entry in batch.items
    ]
    assert Counter(entry.condition.name for entry in entries) == {"gold": 24, "counterfactual": 22}


@given(limit=st.integers(2, 24))
def test_limits_cap_items_by_whole_groups(limit: int) -> None:
    entries = [entry for batch in planned("gold", limits={"gold": limit}) for entry in batch.items]
    assert len(entries) == limit // 2 * 2


def test_reading_needs_evidence() -> None:
    item = ExamItem(id="a", exam="x", question="q", options={"A": "1", "B": "2"}, gold=("A",), cluster="a")
    exam = seal_exam(ExamCard(name="x", source="", licence="", citation=""), [item], [])
    with pytest.raises(MedctxError, match="has no items with evidence"):
        batches(exam, [parse("gold")], words, depths=DEPTHS, limits={}, seed=0)
