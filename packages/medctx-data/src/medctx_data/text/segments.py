"""Units of texts: words, or single characters of scripts that are written without spaces, and a number for each.

A unit is a run of letters and digits, or one character of a script that is written without spaces. A segment ends at a
line break, at the mark of an option ("B.", "(C)", "D:") and at a sign of an unspaced script that is no letter; none of
these is a unit.

Numbers ignore case and the width of letters: they are digests of the unit in NFKC, case folded.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PATTERN = re.compile(rf"(?<!\w)\(?[A-H][.)\u3001\uff0e:\uff1a](?![A-Za-z0-9])|\n|[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ONE_UNSPACED = re.compile(f"[{_UNSPACED}]")

_KNOWN_UNITS = 2**20
_SEGMENT_END = 0


class _NumberOf(dict[str, int]):
    """The number of each unit seen so far; 0 for what ends a segment. Forgets all when it has become large."""

    def __missing__(self, match: str) -> int:
        if len(self) >= _KNOWN_UNITS:
            self.clear()
        if match.isalnum():
            plain = unicodedata.normalize("NFKC", match).casefold().encode("utf-8", "surrogatepass")
            # Bit 0 tells the kinds apart, bit 1 is set so that no unit has the number of a segment's end.
            number = int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "little") & ~1 | 2
            self[match] = number | (_ONE_UNSPACED.match(match) is not None)
        else:
            self[match] = _SEGMENT_END
        return self[match]


_number_of = _NumberOf()


class Scan(NamedTuple):
    """The units of several texts, one after the other.

    Attributes:
        numbers: Number of each unit; the lowest bit is set for scripts written without spaces.
        segments: Segment of each unit; a segment also ends where its text ends.
        starts: Where each text begins among the units, one more than there are texts.
    """

    numbers: Numbers
    segments: Places
    starts: Places


def scan(texts: Sequence[str]) -> Scan:
    """Return the units of ``texts``."""
    matches = [[*_PATTERN.findall(text), "\n"] for text in texts]
    numbers = np.fromiter(map(_number_of.__getitem__, chain.from_iterable(matches)), np.uint64)
    is_unit = numbers != _SEGMENT_END
    units_before = np.concatenate([[0], np.cumsum(is_unit)])
    starts = units_before[np.cumsum([0, *map(len, matches)])]
    return Scan(numbers[is_unit], np.cumsum(~is_unit)[is_unit], starts)


def spans_of(text: str) -> list[tuple[int, int]]:
    """Return the begin and end of each unit of a text, in characters."""
    return [match.span() for match in _PATTERN.finditer(text) if match.group().isalnum()]
