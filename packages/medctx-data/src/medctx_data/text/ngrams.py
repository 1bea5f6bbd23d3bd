"""Texts as units that can be compared: n-grams of units, shingles, and the similarity of two sets of shingles.

Units ignore case, punctuation and the width of letters (``medctx_data.text.segments``). A segment's end is
never inside a shingle, so the same options in another order give the same shingles.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medctx_data.text.segments import Numbers, Places, scan

VERSION = 3
"""Version of the numbers of units and shingles: numbers of two versions must not be compared."""
WORDS_IN_SHINGLE = 3
CHARACTERS_IN_SHINGLE = 5

_BASE = 0x9E3779B97F4A7C13  # odd, and 3 modulo 8: powers of it differ in all but a few low bits
_INVERSE = pow(_BASE, -1, 2**64)


@lru_cache(maxsize=4)
def _powers_of(base: int, size: int) -> Numbers:
    powers = np.full(size, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _powers(size: int) -> tuple[Numbers, Numbers]:
    """Return at least ``size`` powers of the base from the zeroth on, and of its inverse modulo 2^64."""
    size = 1 << max(10, size.bit_length())
    return _powers_of(_BASE, size), _powers_of(_INVERSE, size)


def _mix_bits(numbers: Numbers) -> Numbers:
    """Map numbers one to one to numbers of which every bit depends on every bit of the number."""
    numbers = (numbers ^ (numbers >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return numbers ^ (numbers >> np.uint64(29))


class Groups(NamedTuple):
    """Groups of texts: the group of each text, ascending, -1 for none; and the number of groups."""

    of_text: Places
    size: int


class Units:
    """The units of several texts, one after the other.

    Attributes:
        numbers: The number of every unit.
        starts: Where each text begins among them, one more than there are texts.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        scanned = scan(texts)
        self.numbers: Numbers = scanned.numbers
        self.starts: Places = scanned.starts
        self._text: Places = np.repeat(np.arange(len(texts)), np.diff(self.starts))
        self._segment: Places = scanned.segments
        up, self._back = _powers(len(self.numbers) + 1)
        self._sums: Numbers = np.zeros(len(self.numbers) + 1, np.uint64)
        np.cumsum(self.numbers * up[: len(self.numbers)], dtype=np.uint64, out=self._sums[1:])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def sequences(self, starts: Places, ends: Places) -> Numbers:
        """Return a number for each run of units from ``starts`` to before ``ends``; equal runs have equal numbers."""
        return _mix_bits(
            (self._sums[ends] - self._sums[starts]) * self._back[starts] + (ends - starts).astype(np.uint64)
        )

    def wholes(self) -> Numbers:
        """Return a number for each whole text."""
        return self.sequences(self.starts[:-1], self.starts[1:])

    def windows(self, width: int) -> tuple[Numbers, Places]:
        """Return every run of ``width`` units inside a text, and where each begins among all units."""
        return self._windows(width, self._text)

    def text_at(self, places: Places) -> Places:
        """Return the texts that the units at ``places`` belong to."""
        return self._text[places]

    def _windows(self, width: int, owner: Places) -> tuple[Numbers, Places]:
        last = len(self.numbers) - width
        if last < 0:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        begins = np.flatnonzero(owner[: last + 1] == owner[width - 1 :])
        return self.sequences(begins, begins + width), begins

    def unspaced(self) -> NDArray[np.bool_]:
        """Return for each text whether most of its units are single characters."""
        return self._mostly_characters(self._text, len(self))

    def _mostly_characters(self, owners: Places, size: int) -> NDArray[np.bool_]:
        owned = owners >= 0
        characters = np.bincount(owners[owned & ((self.numbers & np.uint64(1)) != 0)], minlength=size)
        return np.asarray(2 * characters > np.bincount(owners[owned], minlength=size), np.bool_)

    @cached_property
    def _cut(self) -> list[tuple[Numbers, Places]]:
        """All shingles of words, and all of characters, and where each begins among the units."""
        starts = np.flatnonzero(np.diff(self._segment, prepend=-1))
        ends = np.append(starts, len(self.numbers))[1:]
        shingles = []
        for width in (WORDS_IN_SHINGLE, CHARACTERS_IN_SHINGLE):
            numbers, begins = self._windows(width, self._segment)
            short = ends - starts < width
            whole = self.sequences(starts[short], ends[short])
            shingles.append((np.append(numbers, whole), np.append(begins, starts[short])))
        return shingles

    def bags(self, groups: Groups | None = None) -> tuple[Numbers, Places]:
        """Return the shingles of all texts, group by group with repetitions, and where each group begins.

        A shingle has ``WORDS_IN_SHINGLE`` words, or ``CHARACTERS_IN_SHINGLE`` characters where most units of
        a group are characters; a shorter segment is one shingle. Without ``groups`` each text is a group.
        """
        of_text, size = groups or Groups(np.arange(len(self)), len(self))
        of_unit = of_text[self._text]
        unspaced = self._mostly_characters(of_unit, size)
        owners, shingles = [], []
        for kind, (numbers, begins) in enumerate(self._cut):
            group = of_unit[begins]
            chosen = (group >= 0) & (unspaced[group] == bool(kind))
            owners.append(group[chosen])
            shingles.append(numbers[chosen])
        group = np.concatenate(owners)
        order = np.argsort(group, kind="stable")
        return np.concatenate(shingles)[order], np.searchsorted(group[order], np.arange(size + 1))

    def shingles(self, groups: Groups | None = None) -> tuple[Numbers, Places]:
        """Return ``bags`` as sets: sorted, each shingle once per group."""
        numbers, starts = self.bags(groups)
        group = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        order = np.lexsort((numbers, group))
        numbers = numbers[order]
        first = np.ones(len(group), np.bool_)
        first[1:] = (group[1:] != group[:-1]) | (numbers[1:] != numbers[:-1])
        return numbers[first], np.concatenate([[0], np.cumsum(first)])[starts]


def similarity(first: Numbers, second: Numbers) -> float:
    """Return the Jaccard similarity of two sets of shingles, each sorted and without repeats; 0 if both are empty."""
    shared = len(np.intersect1d(first, second, assume_unique=True))
    whole = len(first) + len(second) - shared
    return shared / whole if whole else 0.0
