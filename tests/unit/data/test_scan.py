"""Units of a text, held to a definition that goes from character to character, and the numbers that stand for them."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medctx_data.text import segments
from medctx_data.text.segments import scan, spans_of

TRICKY = (
    "AABCH.):\u3001\uff0e\uff1a(\n _aZz09\u00e9\u75db\u98ce\u30fc\u30fb\u309b\u30ff\ufb01\u00df\u017f\uff9e\uff76"
    "\uff21\u00bd\u2460\u0301\uac00\u1100\u1161\u11a8\u0130\U0001d400\U00020000\ud800\u0661"
)
texts = st.text(st.sampled_from(TRICKY), max_size=24) | st.text(st.characters(), max_size=24)


class Unit(NamedTuple):
    """A unit: its span, how many ends of segments stand before it, what it reads as, whether it is unspaced."""

    begin: int
    end: int
    segment: int
    plain: str
    unspaced: bool


def is_unspaced(character: str) -> bool:
    ranges = (("\u3040", "\u30ff"), ("\u3400", "\u4dbf"), ("\u4e00", "\u9fff"), ("\uf900", "\ufaff"))
    return any(first <= character <= last for first, last in ranges)


def is_in_run(character: str) -> bool:
    return character.isalnum() and not is_unspaced(character)


def length_of_mark(text: str, place: int) -> int:
    """The length of the option mark at a place, 0 where there is none."""
    if place and (text[place - 1].isalnum() or text[place - 1] == "_"):
        return 0
    letter = place + text.startswith("(", place)
    mark, after = text[letter : letter + 2], text[letter + 2 : letter + 3]
    continues = after.isascii() and after.isalnum()
    is_mark = len(mark) == 2 and mark[0] in "ABCDEFGH" and mark[1] in ".):\u3001\uff0e\uff1a"
    return letter + 2 - place if is_mark and not continues else 0


def expected(text: str) -> list[Unit]:
    units: list[Unit] = []
    place = segment = 0
    while place < len(text):
        character, begin = text[place], place
        if length := length_of_mark(text, place):
            place += length
            segment += 1
        elif character == "\n" or (is_unspaced(character) and not character.isalnum()):
            place += 1
            segment += 1
        elif character.isalnum():
            place += 1
            while is_in_run(character) and place < len(text) and is_in_run(text[place]):
                place += 1
            plain = unicodedata.normalize("NFKC", text[begin:place]).casefold()
            units.append(Unit(begin, place, segment, plain, is_unspaced(character)))
        else:
            place += 1
    return units


@settings(deadline=None)
@given(texts)
@example("x(A) B.C. A.\u75db D: E:1")
def test_units_lie_where_the_definition_finds_them(text: str) -> None:
    scanned, units = scan([text]), expected(text)
    assert spans_of(text) == [unit[:2] for unit in units]
    assert scanned.starts.tolist() == [0, len(units)]
    segment = scanned.segments.tolist()
    for place in range(1, len(units)):
        same = units[place].segment == units[place - 1].segment
        assert (segment[place] == segment[place - 1]) == same
    assert [bool(number & 1) for number in scanned.numbers.tolist()] == [unit.unspaced for unit in units]


@settings(deadline=None)
@given(st.lists(texts, max_size=6))
def test_units_have_one_number_exactly_where_they_read_the_same(several: list[str]) -> None:
    known: dict[tuple[str, bool], int] = {}
    for text in several:
        for unit, number in zip(expected(text), scan([text]).numbers.tolist(), strict=True):
            assert known.setdefault((unit.plain, unit.unspaced), number) == number
    assert len(set(known.values())) == len(known)


@settings(deadline=None)
@given(st.lists(texts, max_size=6))
def test_several_texts_have_the_units_of_each_and_share_no_segment(several: list[str]) -> None:
    scanned = scan(several)
    segments_of = [scanned.segments[begin:end].tolist() for begin, end in pairwise(scanned.starts)]
    assert scanned.numbers.tolist() == [number for text in several for number in scan([text]).numbers.tolist()]
    assert [len(part) for part in segments_of] == [len(expected(text)) for text in several]
    assert len({segment for part in segments_of for segment in set(part)}) == sum(len(set(p)) for p in segments_of)


def test_numbers_stay_the_same_when_known_units_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "gout and podagra and gout"
    before = scan([text]).numbers.tolist()
    monkeypatch.setattr(segments, "_KNOWN_UNITS", 2)
    assert scan(["uric acid of gout", text]).numbers.tolist()[4:] == before
