from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.schemas.records import ExamItem
from medctx_eval.exams.condition import parse
from medctx_eval.exams.exam import ExamCard, seal
from medctx_eval.planning.batches import Sitting, sittings
from tests.eval.made_exam import made_exam

DEPTHS = (0.1, 0.5, 0.9)


def words(text: str) -> int:
    return len(text.split())


def planned(*conditions: str, limits: dict[str, int] | None = None) -> list[Sitting]:
    asked = [parse(text) for text in conditions]
    return sittings(made_exam(), asked, words, depths=DEPTHS, limits=limits or {}, seed=0)


def test_every_item_is_asked_once_under_every_condition() -> None:
    seats = [seat for sitting in planned("closed", "gold", "open:60") for seat in sitting.seats]
    counts = Counter((seat.item.id, seat.condition.kind) for seat in seats)
    assert set(counts.values()) == {1}
    assert len(counts) == 3 * 24


def test_items_share_books() -> None:
    open_books = planned("open:60")
    assert len(open_books) == 4
    for sitting in open_books:
        assert sitting.book is not None
        assert sitting.book.tokens <= 60
        assert {seat.condition.depth for seat in sitting.seats} == set(DEPTHS)
        assert {seat.item.evidence[0] for seat in sitting.seats} <= set(sitting.book.passages)


def test_depths_are_dealt_evenly_and_kept() -> None:
    for sitting in planned("open:100"):
        assert sitting.book is not None
        places = {seat.item.evidence[0]: sitting.book.passages.index(seat.item.evidence[0]) for seat in sitting.seats}
        depths = {seat.item.evidence[0]: seat.condition.depth for seat in sitting.seats}
        assert sorted(places, key=lambda name: places[name]) == sorted(depths, key=lambda name: depths[name] or 0)


def test_gold_books_hold_the_evidence_alone() -> None:
    for sitting in planned("gold"):
        assert sitting.book is not None
        assert sitting.book.passages == sitting.seats[0].item.evidence


def test_rivals_come_first() -> None:
    for sitting in planned("open:20:0.5"):
        assert sitting.book is not None
        assert sitting.seats[0].item.rivals[0] in sitting.book.passages


def test_too_short_a_book_asks_nothing_and_cuts_nothing() -> None:
    assert all(sitting.book is None for sitting in planned("open:3"))


def test_without_its_evidence_an_item_can_only_not_be_answered() -> None:
    several = planned("distractor")
    assert sum(len(sitting.seats) for sitting in several) == 24
    for sitting in several:
        assert sitting.book is not None
        assert sitting.book.passages
        for seat in sitting.seats:
            assert not set(seat.item.evidence) & set(sitting.book.passages)
            assert seat.item.gold == (seat.item.cannot,) == ("E",)
            assert seat.condition.axis == "abstention"


def test_altered_evidence_makes_another_option_right_and_the_old_one_remembered() -> None:
    by_id = {item.id: item for item in made_exam().items}
    for sitting in planned("counterfactual", "counterfactual:60"):
        assert sitting.book is not None
        for seat in sitting.seats:
            plain = by_id[seat.item.id]
            assert seat.memory == plain.gold != seat.item.gold
            number = plain.id[1:].partition("/")[0]
            said = f"Room {number} holds a {plain.options[seat.item.gold[0]]} chair."
            assert said in sitting.book.text
            assert f"Room {number} holds a {plain.options[plain.gold[0]]} chair." not in sitting.book.text


def test_two_alterations_of_one_passage_share_no_book() -> None:
    for sitting in planned("counterfactual:60"):
        evidence = [seat.item.evidence for seat in sitting.seats]
        assert len(evidence) == len(set(evidence))


def test_what_cannot_be_altered_is_left_out_of_counterfactuals_only() -> None:
    exam = made_exam()
    first = exam.passages[0].model_copy(update={"text": "Room 0 holds nothing."})
    silent = exam.model_copy(update={"passages": (first, *exam.passages[1:])})
    asked = [parse(text) for text in ("gold", "counterfactual")]
    seats = [
        seat for sitting in sittings(silent, asked, words, depths=DEPTHS, limits={}, seed=0) for seat in sitting.seats
    ]
    assert Counter(seat.condition.name for seat in seats) == {"gold": 24, "counterfactual": 22}


@given(limit=st.integers(2, 24))
def test_limits_cap_items_by_whole_groups(limit: int) -> None:
    seats = [seat for sitting in planned("gold", limits={"gold": limit}) for seat in sitting.seats]
    assert len(seats) == limit // 2 * 2


def test_reading_needs_evidence() -> None:
    item = ExamItem(id="a", exam="x", question="q", options={"A": "1", "B": "2"}, gold=("A",), cluster="a")
    exam = seal(ExamCard(name="x", source="", licence="", citation=""), [item], [])
    with pytest.raises(MedctxError, match="has no items with evidence"):
        sittings(exam, [parse("gold")], words, depths=DEPTHS, limits={}, seed=0)
