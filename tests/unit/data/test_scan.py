"""Units of a text are what the pattern below finds, and stand for the same number where they read the same."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from medctx_data.text.segments import scan

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
PATTERN = re.compile(rf"(?<!\w)\(?[A-H][.)\u3001\uff0e:\uff1a](?![A-Za-z0-9])|\n|[{UNSPACED}]|[^\W_{UNSPACED}]+")
TRICKY = (
    "AABCH.):\u3001\uff0e\uff1a(\n _aZz09\u00e9\u75db\u98ce\u30fc\u30fb\u309b\u30ff\ufb01\u00df\u017f\uff9e\uff76"
    "\uff21\u00bd\u2460\u0301\uac00\u1100\u1161\u11a8\u0130\U0001d400\U00020000\ud800\u0661"
)
texts = st.text(st.sampled_from(TRICKY), max_size=24) | st.text(st.characters(), max_size=24)


class Expected(NamedTuple):
    """A unit: its span, how many ends of segments stand before it, what it reads as, whether it is unspaced."""

    begin: int
    end: int
    segment: int
    plain: str
    unspaced: bool


def expected(text: str) -> list[Expected]:
    found, segment = [], 0
    for match in PATTERN.finditer(text):
        unit = match.group()
        if unit.isalnum():
            plain = unicodedata.normalize("NFKC", unit).casefold()
            found.append(Expected(*match.span(), segment, plain, bool(re.match(f"[{UNSPACED}]", unit))))
        else:
            segment += 1
    return found


@settings(deadline=None)
@given(texts)
@example("x(A) B.C. A.\u75db D: E:1")
def test_units_lie_where_the_pattern_finds_them(text: str) -> None:
    found, requested = scan(text), expected(text)
    assert list(zip(found.begins.tolist(), found.ends.tolist(), strict=True)) == [unit[:2] for unit in requested]
    segments = found.segments.tolist()
    for place in range(1, len(requested)):
        same = requested[place].segment == requested[place - 1].segment
        assert (segments[place] == segments[place - 1]) == same
    assert [bool(number & 1) for number in found.numbers.tolist()] == [unit.unspaced for unit in requested]


@settings(deadline=None)
@given(st.lists(texts, max_size=6))
def test_units_have_one_number_exactly_where_they_read_the_same(several: list[str]) -> None:
    known: dict[tuple[str, bool], int] = {}
    for text in several:
        for unit, number in zip(expected(text), scan(text).numbers.tolist(), strict=True):
            assert known.setdefault((unit.plain, unit.unspaced), number) == number
    assert len(set(known.values())) == len(known)
