"""Floors: what readers score that leave the question or the Book out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx_eval.exams import floors
from medctx_eval.exams.floors import ConditionedItem

OPTIONS = {"A": "iron deficiency", "B": "gout", "C": "measles", "D": "mumps"}


def made_question(book: str, gold: str = "A", options: dict[str, str] = OPTIONS, cannot: str = "") -> ConditionedItem:
    return ConditionedItem("exam", "gold", options, (gold,), book, cannot)


@pytest.mark.parametrize(
    ("book", "gold", "expected"),
    [
        ("", "A", 0.25),  # nothing stands there: a guess among all
        ("He had gout.", "B", 1.0),  # the only option of the page
        ("He had gout.", "A", 0.0),
        ("He had gout, then mumps.", "B", 0.5),
        ("Gout, mumps, measles and iron deficiency.", "C", 0.25),
        ("He had goutweed.", "B", 0.25),  # no word of its own
        ("IRON DEFICIENCY", "A", 1.0),
    ],
)
def test_a_question_blind_reader_guesses_among_the_options_of_the_page(book: str, gold: str, expected: float) -> None:
    assert floors.question_blind(made_question(book, gold)) == expected


@pytest.mark.parametrize(
    ("book", "expected"),
    [
        ("He takes 5 mg.", ("A",)),
        ("He takes 12.5 mg.", ("B",)),
        ("He takes 12,5 mg.", ()),
        ("The value was 1.5, then 15.", ("D",)),
        ("The value was 1.", ("C",)),
        ("The value was 1, then 1.5.", ("C",)),
        ("The value was 21.", ()),
    ],
)
def test_a_number_inside_another_does_not_stand_in_the_book(book: str, expected: tuple[str, ...]) -> None:
    options = {"A": "5 mg", "B": "12.5 mg", "C": "1", "D": "15"}
    assert floors.stated(made_question(book, options=options)) == expected


def test_options_that_are_sentences_are_known_by_what_is_their_own() -> None:
    options = {
        letter: f"The ferritin of Ida Moor is {value} µg/L."
        for letter, value in zip("ABCD", (11, 22, 33, 44), strict=False)
    }
    assert floors.own_parts(options) == {"A": "11", "B": "22", "C": "33", "D": "44"}
    page = "The ferritin of Ida Moor is 11 µg/L. The ferritin of Leo Hill is 33 µg/L."
    # The right sentence alone stands there word for word, but its name is the question.
    assert floors.stated(made_question(page, options=options)) == ("A", "C")
    assert floors.question_blind(made_question(page, options=options)) == 0.5


def test_what_differs_may_stand_in_the_middle_and_be_of_several_words() -> None:
    options = {"A": "People with one syndrome often have gout.", "B": "People with the other one often have gout."}
    assert floors.own_parts(options) == {"A": "one syndrome", "B": "the other one"}


@pytest.mark.parametrize(
    "options",
    [
        {"A": "type 1 diabetes", "B": "type 2 diabetes"},  # two diseases, not two sentences
        {"A": "yes", "B": "no"},
        {"A": "He has gout today.", "B": "He has gout today too."},  # nothing of its own is left of one
    ],
)
def test_short_and_contained_options_are_compared_whole(options: dict[str, str]) -> None:
    assert floors.own_parts(options) == options


def test_the_option_that_nothing_can_be_said_is_never_stated() -> None:
    options = {**OPTIONS, "E": "The question cannot be answered from the text."}
    silent = made_question("Gout, mumps, measles and iron deficiency.", "E", options, cannot="E")
    assert floors.question_blind(silent) == 0
    assert floors.book_blind(silent) == pytest.approx(1 / 5)


def test_floors_of_a_condition_are_means_over_its_items() -> None:
    rows = [
        made_question("gout", "B"),
        made_question("gout", "A"),
        made_question("gout and mumps", "B"),
        made_question("", "B"),
    ]
    (floor,) = floors.floors(rows)
    assert floor.items == 4
    assert floor.question_blind == pytest.approx((1 + 0 + 0.5 + 0.25) / 4)
    assert floor.book_blind == 0.25
    assert floor.commonest_letter == 0.75
    assert floor.longest == 0.25  # "iron deficiency", right in one of four
    assert floor.without_book == 0.75
    assert floor.stated == pytest.approx((1 + 1 + 2 + 0) / 16)


def test_exams_and_conditions_are_kept_apart_in_their_order() -> None:
    rows = [
        row._replace(exam=exam, condition=name)
        for exam in "ab"
        for name in ("x", "y")
        for row in [made_question("gout")]
    ]
    assert [(floor.exam, floor.condition) for floor in floors.floors(rows)] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
        ("b", "y"),
    ]


@given(
    options=st.lists(st.text("abc ", min_size=1, max_size=8).filter(str.strip), min_size=2, max_size=6, unique=True),
    book=st.text("abc ", max_size=60),
    place=st.integers(0, 5),
)
def test_over_all_golds_a_blind_reader_is_right_once(options: list[str], book: str, place: int) -> None:
    """A guess spreads one answer over the options, whichever is right."""
    lettered = dict(zip("ABCDEF", options, strict=False))
    total = sum(floors.question_blind(made_question(book, gold, lettered)) for gold in lettered)
    assert total == pytest.approx(1)
    assert sum(floors.book_blind(made_question(book, gold, lettered)) for gold in lettered) == pytest.approx(1)
