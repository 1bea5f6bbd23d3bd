"""Sorted numbers and their owners, searched millions at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medctx_data.text.segments import Numbers, Places


class Matches(NamedTuple):
    """Result of a search: the place of each match in the numbers searched for, and the owner."""

    places: Places
    owners: Places


class HashIndex:
    """Numbers with their owners; a number may have several. Owners are numbered from 0."""

    def __init__(self, numbers: Numbers, owners: Places) -> None:
        order = np.lexsort((owners, numbers))
        numbers, owners = numbers[order], owners[order]
        fresh = np.ones(len(numbers), np.bool_)
        fresh[1:] = (numbers[1:] != numbers[:-1]) | (owners[1:] != owners[:-1])
        self.numbers, self.owners = numbers[fresh], owners[fresh]
        # One bit per slot: most numbers that are not in the index are discarded without a binary search.
        bits = max(10, (8 * len(self.numbers)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._occupied = np.zeros(1 << bits, np.bool_)
        self._occupied[self._slots(self.numbers)] = True

    def _slots(self, numbers: Numbers) -> Numbers:
        slots: Numbers = (numbers * np.uint64(0x9E3779B97F4A7C15)) >> self._shift
        return slots

    def without_common(self, limit: int) -> HashIndex:
        """Return the index without numbers that have more than ``limit`` owners."""
        _, place, counts = np.unique(self.numbers, return_inverse=True, return_counts=True)
        rare = counts[place] <= limit
        return HashIndex(self.numbers[rare], self.owners[rare])

    def _hits(self, searched: Numbers) -> Places:
        """The places of ``searched`` whose numbers are in the index."""
        likely = np.flatnonzero(self._occupied[self._slots(searched)])
        if not len(likely):
            return likely
        begin = np.minimum(np.searchsorted(self.numbers, searched[likely]), len(self.numbers) - 1)
        hits: Places = likely[self.numbers[begin] == searched[likely]]
        return hits

    def contains(self, searched: Numbers) -> NDArray[np.bool_]:
        """Return for each number whether it is in the index."""
        contained = np.zeros(len(searched), np.bool_)
        contained[self._hits(searched)] = True
        return contained

    def find(self, searched: Numbers) -> Matches:
        """Return every place of ``searched`` whose number is in the index, once per owner."""
        hits = self._hits(searched)
        begin = np.searchsorted(self.numbers, searched[hits])
        counts = np.searchsorted(self.numbers, searched[hits], side="right") - begin
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return Matches(np.repeat(hits, counts), self.owners[np.repeat(begin, counts) + within])
