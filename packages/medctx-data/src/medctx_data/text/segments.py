"""Where the units of texts lie and which number stands for each, found for millions of characters at a time.

A unit is a run of letters and digits, or one character of a script that is written without spaces. What ends a segment
is no unit: a line's end, the mark of an option ("B.", "(C)", "D:"), a sign of an unspaced script that is no letter.
``tests/unit/data/test_scan.py`` has the same as a pattern.

Numbers ignore case and the width of letters: they are made of the characters of the unit in NFKC, case folded.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

_UNSPACED = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
_JAMO = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))
_MARKS = np.array([ord(mark) for mark in ".):\u3001\uff0e\uff1a"], np.uint32)
_FIRST, _LAST = ord("A"), ord("H")

_KNOWN, _WORD, _RUN, _ALONE, _BREAK, _ODD = (1 << bit for bit in range(6))
"""Of a character: looked at; ``\\w``; part of a run; a unit by itself; the end of a segment; NFKC and folding make more
of it than one character, or may join it to the one before."""

BASE = 0x9E3779B97F4A7C13  # odd, and 3 modulo 8: powers of it differ in all but a few low bits
_INVERSE = pow(BASE, -1, 2**64)


@lru_cache(maxsize=4)
def _powers(base: int, size: int) -> Numbers:
    powers = np.full(size, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def powers(size: int) -> tuple[Numbers, Numbers]:
    """At least ``size`` powers of :data:`BASE` from the zeroth on, and of its inverse modulo 2^64."""
    size = 1 << max(10, size.bit_length())
    return _powers(BASE, size), _powers(_INVERSE, size)


def mixed(numbers: Numbers) -> Numbers:
    """Every bit of the result depends on every bit of the number (a bijection)."""
    numbers = (numbers ^ (numbers >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return numbers ^ (numbers >> np.uint64(29))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _within(code: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def _is_odd(plain: str) -> bool:
    """Whether a unit with this character (plain already) must be made plain as a whole."""
    return len(plain) != 1 or unicodedata.combining(plain) != 0 or _within(ord(plain), _JAMO)


class _Characters:
    """What is known of characters by their code; they are looked at when they are first met."""

    def __init__(self) -> None:
        self.kinds = np.zeros(0x110000, np.uint8)
        self.folded = np.zeros(0x110000, np.uint32)

    def meet(self, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The kinds of characters."""
        kinds = self.kinds[codes]
        unknown = codes[kinds == 0]
        if len(unknown):
            for code in np.unique(unknown).tolist():
                self._look_at(code)
            kinds = self.kinds[codes]
        return kinds

    def _look_at(self, code: int) -> None:
        character, unspaced = chr(code), _within(code, _UNSPACED)
        kind = _KNOWN
        if character == "\n" or (unspaced and not character.isalnum()):
            kind |= _BREAK
        elif character == "_":
            kind |= _WORD
        elif character.isalnum():
            plain = _plain(character)
            kind |= _WORD | (_ALONE if unspaced else _RUN) | (_ODD if _is_odd(plain) else 0)
            self.folded[code] = ord(plain[0])
        self.kinds[code] = kind


_characters = _Characters()


class Scan(NamedTuple):
    """The units of a string: where each begins and ends (in characters), its number, the segment it is in.

    The lowest bit of a number says whether the unit's script is written without spaces.
    """

    begins: Places
    ends: Places
    numbers: Numbers
    segments: Places


def _marks(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> Places:
    """Where the letters of options stand; the first and the last character are none."""
    letters = np.flatnonzero((codes >= _FIRST) & (codes <= _LAST))
    letters = letters[~(kinds[letters - 1] & _WORD).astype(np.bool_)]
    letters = letters[np.isin(codes[letters + 1], _MARKS)]
    after = np.minimum(letters + 2, len(codes) - 1)
    goes_on = ((kinds[after] & _WORD) != 0) & (codes[after] < 128) & (codes[after] != ord("_"))
    fingerprints: Places = letters[~goes_on]
    return fingerprints


def _numbers(text: str, codes: NDArray[np.uint32], odd: Places, begins: Places, ends: Places) -> Numbers:
    """The polynomial of each unit's plain characters; units with an odd one are made plain one by one."""
    up, down = powers(len(codes) + 1)
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(_characters.folded[codes] * up[: len(codes)], dtype=np.uint64, out=sums[1:])
    numbers = (sums[ends] - sums[begins]) * down[begins]
    for unit in np.unique(np.searchsorted(ends, odd, side="right")).tolist():
        plain = np.array([ord(one) for one in _plain(text[begins[unit] : ends[unit]])], np.uint64)
        numbers[unit] = (plain * powers(len(plain))[0][: len(plain)]).sum(dtype=np.uint64)
    return numbers


def scan(text: str) -> Scan:
    """The units of ``text``."""
    # Between two line ends, every character has neighbours, and none of them changes what it is.
    padded = f"\n{text}\n"
    codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _characters.meet(codes)
    runs, breaks = (kinds & _RUN) != 0, (kinds & _BREAK) != 0
    options = _marks(codes, kinds)
    runs[options], breaks[options] = False, True
    alone = (kinds & _ALONE) != 0
    begins = np.flatnonzero(alone[1:-1] | (runs[1:-1] & ~runs[:-2])) + 1
    ends = np.flatnonzero(alone[1:-1] | (runs[1:-1] & ~runs[2:])) + 2
    odd = np.flatnonzero(((kinds & _ODD) != 0) & (runs | alone))
    numbers = mixed(_numbers(padded, codes, odd, begins, ends)) & ~np.uint64(1)
    numbers |= alone[begins].astype(np.uint64)
    return Scan(begins - 1, ends - 1, numbers, np.cumsum(breaks)[begins])
