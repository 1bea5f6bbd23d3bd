"""Units of texts: where they lie and a number for each, computed for millions of characters at a time.

A unit is a run of letters and digits, or one character of a script that is written without spaces. A segment ends at a
line break, at the mark of an option ("B.", "(C)", "D:") and at a sign of an unspaced script that is no letter; none of
these is a unit. The tests of this module define the same by a regular expression.

Numbers ignore case and the width of letters: they are computed from the unit's characters in NFKC, case folded.
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
"""Bits of a character: classified; ``\\w``; part of a run; a unit by itself; the end of a segment; odd: normalisation
turns it into several characters or may join it to the previous one."""

BASE = 0x9E3779B97F4A7C13  # odd, and 3 modulo 8: powers of it differ in all but a few low bits
_INVERSE = pow(BASE, -1, 2**64)


@lru_cache(maxsize=4)
def _powers(base: int, size: int) -> Numbers:
    powers = np.full(size, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def powers(size: int) -> tuple[Numbers, Numbers]:
    """Return at least ``size`` powers of :data:`BASE` from the zeroth on, and of its inverse modulo 2^64."""
    size = 1 << max(10, size.bit_length())
    return _powers(BASE, size), _powers(_INVERSE, size)


def mixed(numbers: Numbers) -> Numbers:
    """Mix the bits of numbers by a bijection: every bit of the result depends on every bit of the number."""
    numbers = (numbers ^ (numbers >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return numbers ^ (numbers >> np.uint64(29))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _within(code: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def _is_odd(plain: str) -> bool:
    """Return whether a unit with this normalised character must be normalised as a whole."""
    return len(plain) != 1 or unicodedata.combining(plain) != 0 or _within(ord(plain), _JAMO)


class _Characters:
    """Classes of characters by code point; a character is classified at its first occurrence."""

    def __init__(self) -> None:
        self.kinds = np.zeros(0x110000, np.uint8)
        self.folded = np.zeros(0x110000, np.uint32)

    def classify(self, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """Return the classes of characters."""
        kinds = self.kinds[codes]
        unknown = codes[kinds == 0]
        if len(unknown):
            for code in np.unique(unknown).tolist():
                self._add(code)
            kinds = self.kinds[codes]
        return kinds

    def _add(self, code: int) -> None:
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
    """The units of a string.

    Attributes:
        begins: Where each begins, in characters.
        ends: Where each ends.
        numbers: Number of each; the lowest bit is set for scripts written without spaces.
        segments: Segment of each.
    """

    begins: Places
    ends: Places
    numbers: Numbers
    segments: Places


def _marks(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> Places:
    """The places of option letters; the first and the last character are none."""
    letters = np.flatnonzero((codes >= _FIRST) & (codes <= _LAST))
    letters = letters[~(kinds[letters - 1] & _WORD).astype(np.bool_)]
    letters = letters[np.isin(codes[letters + 1], _MARKS)]
    after = np.minimum(letters + 2, len(codes) - 1)
    continues = ((kinds[after] & _WORD) != 0) & (codes[after] < 128) & (codes[after] != ord("_"))
    marks: Places = letters[~continues]
    return marks


def _numbers(text: str, codes: NDArray[np.uint32], odd: Places, begins: Places, ends: Places) -> Numbers:
    """The polynomial of each unit's normalised characters; units with an odd one are normalised one by one."""
    up, down = powers(len(codes) + 1)
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(_characters.folded[codes] * up[: len(codes)], dtype=np.uint64, out=sums[1:])
    numbers = (sums[ends] - sums[begins]) * down[begins]
    for unit in np.unique(np.searchsorted(ends, odd, side="right")).tolist():
        plain = np.array([ord(character) for character in _plain(text[begins[unit] : ends[unit]])], np.uint64)
        numbers[unit] = (plain * powers(len(plain))[0][: len(plain)]).sum(dtype=np.uint64)
    return numbers


def scan(text: str) -> Scan:
    """Return the units of ``text``."""
    # Between two line breaks every character has neighbours, and none of them changes its class.
    padded = f"\n{text}\n"
    codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _characters.classify(codes)
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
