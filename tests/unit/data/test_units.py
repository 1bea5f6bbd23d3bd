"""Texts as units: what counts as equal, what a shingle is, and that numbers stand for units one to one."""
# ruff: noqa: RUF001 - Chinese is written with full-width marks.

from __future__ import annotations

import re
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx_data.text.ngrams import Units, similarity
from medctx_data.text.segments import spans_of

WORDS = ("gout", "fever", "the", "of", "a", "pain", "痛", "风", "热")
texts = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)
OPTIONS = ("uric acid crystals in the joint", "a fracture of the hip", "an infection of the skin")


def shingle_sets(several: list[str]) -> list[set[int]]:
    numbers, starts = Units(several).shingles()
    return [set(numbers[begin:end].tolist()) for begin, end in pairwise(starts)]


def similar_rows(first: str, second: str) -> float:
    numbers, starts = Units([first, second]).shingles()
    return similarity(numbers[: starts[1]], numbers[starts[1] :])


@given(st.lists(texts, min_size=1, max_size=6), st.integers(1, 6))
def test_windows_are_equal_where_their_units_are(several: list[str], width: int) -> None:
    units = Units(several)
    numbers, places = units.windows(width)
    results = list(zip(units.text_at(places).tolist(), numbers.tolist(), strict=True))
    plain = [
        (number, tuple(words[start : start + width]))
        for number, words in enumerate(text.split() for text in several)
        for start in range(len(words) - width + 1)
    ]
    assert [text for text, _ in results] == [text for text, _ in plain]
    assert len({number for _, number in results}) == len({window for _, window in plain})
    assert len({*zip((n for _, n in results), (w for _, w in plain), strict=True)}) == len({n for _, n in results})


@given(texts, texts)
def test_similarity_is_that_of_the_sets_of_shingles(left: str, right: str) -> None:
    first, second = shingle_sets([left, right])
    expected = len(first & second) / len(first | second) if first | second else 0.0
    assert similar_rows(left, right) == pytest.approx(expected)


@given(st.lists(texts, min_size=1, max_size=5))
def test_texts_have_the_same_shingles_alone_and_among_others(several: list[str]) -> None:
    assert shingle_sets(several) == [shingle_sets([text])[0] for text in several]


@given(texts)
def test_a_text_as_a_whole_is_the_window_of_its_length(text: str) -> None:
    units = Units([text])
    assert units.windows(max(1, len(units.numbers)))[0].tolist() == (units.wholes().tolist() if text else [])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What is GOUT?", "what is (gout)"),
        ("ﬁbrosis of the liver", "fibrosis of the liver"),
        ("痛风的病因是什么？", "痛风 的 病因是什么"),
        ("take 5 mg daily", "take 5\u00a0mg daily"),
        ("ＡＢＣ trial results", "abc trial results"),
    ],
)
def test_case_punctuation_and_width_do_not_count(first: str, second: str) -> None:
    assert similar_rows(first, second) == 1


def test_words_and_characters_do_count() -> None:
    assert similar_rows("what causes gout in men", "what causes gout in women") < 1
    assert similar_rows("痛风的病因是什么", "痛风的病因有什么") < 1
    assert similar_rows("", "") == 0


@pytest.mark.parametrize("form", ["{letter}. {option}", "({letter}) {option}", "{letter}) {option}"])
def test_options_in_another_order_are_the_same_shingles(form: str) -> None:
    written = [
        "\n".join(
            ["Which finding is typical of gout?"]
            + [form.format(letter=letter, option=option) for letter, option in zip("ABC", order, strict=True)]
        )
        for order in permutations(OPTIONS)
    ]
    assert all(similar_rows(written[0], other) == 1 for other in written)
    assert similar_rows(written[0], "\n".join(["Which finding is typical of gout?", *OPTIONS])) == 1


def test_chinese_options_in_a_line_are_the_same_in_another_order() -> None:
    assert (
        similar_rows("下列哪项正确？ A.后鼻道狭窄 B.鼻腔相对较小", "下列哪项正确？\nA.鼻腔相对较小\nB.后鼻道狭窄") == 1
    )


def test_spans_are_those_of_the_units() -> None:
    text = "Gout (podagra):\nA. uric acid, 痛风"
    assert [text[start:end] for start, end in spans_of(text)] == ["Gout", "podagra", "uric", "acid", "痛", "风"]
    assert len(spans_of(text)) == len(Units([text]).numbers)


@given(st.text(max_size=80))
def test_any_text_gives_as_many_spans_as_units(text: str) -> None:
    spans = spans_of(text)
    assert len(spans) == len(Units([text]).numbers)
    assert all(re.fullmatch(r"\w+", text[start:end]) for start, end in spans)
