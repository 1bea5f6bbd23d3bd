"""Turned orders of options: every option keeps its text, what speaks of others stays where it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.schemas.records import ExamItem
from medctx_eval.exams.counterfactual import offer_cannot
from medctx_eval.prompting.option_order import movable_letters, option_orders, show


def item(*texts: str, multiple: bool = False) -> ExamItem:
    options = dict(zip("ABCDEFGH", texts, strict=False))
    return ExamItem(id="i", exam="e", question="q", options=options, gold=("A",), cluster="c", multiple=multiple)


PLAIN = item("red", "blue", "green", "white")


@pytest.mark.parametrize(
    ("last", "free"),
    [
        ("All of the above", "ABC"),
        ("none of these", "ABC"),
        ("None of the above is correct.", "ABC"),
        ("Both of the above", "ABC"),
        ("以上都是", "ABC"),
        ("以上均不正确", "ABC"),
        ("A and C", ""),
        ("Both A and B", ""),
        ("A、B", ""),
        ("Vitamin A and a lamp", "ABCD"),
        ("all bones", "ABCD"),
        ("white", "ABCD"),
    ],
)
def test_what_speaks_of_other_options_does_not_move(last: str, free: str) -> None:
    assert movable_letters(item("red", "blue", "green", last)) == list(free)


def test_the_option_that_nothing_can_be_answered_stays_last() -> None:
    assert movable_letters(offer_cannot(PLAIN)) == list("ABCD")


@given(order=st.integers(0, 12))
def test_an_order_moves_texts_and_loses_none(order: int) -> None:
    shown = show(PLAIN, order)
    assert sorted(shown.options.values()) == sorted(PLAIN.options.values())
    for letter, text in shown.options.items():
        assert PLAIN.options[shown.item_letters[letter]] == text
    assert shown.to_item(shown.to_shown(("B", "D"))) == ("B", "D")


def test_all_cyclic_orders_put_every_option_at_every_place() -> None:
    seen = [show(PLAIN, order).options["A"] for order in option_orders(PLAIN, 9)]
    assert sorted(seen) == sorted(PLAIN.options.values())


def test_an_item_that_cannot_be_turned_is_asked_once() -> None:
    assert option_orders(item("red", "blue", "A and B"), 4) == [0]
    assert option_orders(PLAIN, 2) == [0, 1]
