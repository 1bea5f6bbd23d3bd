"""Sorted numbers and whom they belong to, searched millions at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medctx_data.text.segments import Numbers, Places


class Found(NamedTuple):
    """What was found: the place of each number in what was searched for, and whom it belongs to."""

    places: Places
    owners: Places


class Table:
    """Numbers with their owners; a number may have several. ``owners`` are numbers from 0."""

    def __init__(self, numbers: Numbers, owners: Places) -> None:
        order = np.lexsort((owners, numbers))
        numbers, owners = numbers[order], owners[order]
        fresh = np.ones(len(numbers), np.bool_)
        fresh[1:] = (numbers[1:] != numbers[:-1]) | (owners[1:] != owners[:-1])
        self.numbers, self.owners = numbers[fresh], owners[fresh]
        bits = max(10, (8 * len(self.numbers)).bit_length())
        self._drop = np.uint64(64 - bits)
        self._may = np.zeros(1 << bits, np.bool_)
        self._may[self._slots(self.numbers)] = True

    def _slots(self, numbers: Numbers) -> Numbers:
        """Where a number is marked in a sieve that most numbers of others fall through."""
        slots: Numbers = (numbers * np.uint64(0x9E3779B97F4A7C15)) >> self._drop
        return slots

    def without_common(self, most: int) -> Table:
        """The same less the numbers that have more than ``most`` owners."""
        _, place, counts = np.unique(self.numbers, return_inverse=True, return_counts=True)
        rare = counts[place] <= most
        return Table(self.numbers[rare], self.owners[rare])

    def _hits(self, searched: Numbers) -> Places:
        """The places of ``searched`` whose numbers are in the table."""
        likely = np.flatnonzero(self._may[self._slots(searched)])
        if not len(likely):
            return likely
        begin = np.minimum(np.searchsorted(self.numbers, searched[likely]), len(self.numbers) - 1)
        found: Places = likely[self.numbers[begin] == searched[likely]]
        return found

    def contains(self, searched: Numbers) -> NDArray[np.bool_]:
        """For each of ``searched`` whether it is in the table."""
        found = np.zeros(len(searched), np.bool_)
        found[self._hits(searched)] = True
        return found

    def find(self, searched: Numbers) -> Found:
        """Every place of ``searched`` whose number is in the table, once for each of its owners."""
        hits = self._hits(searched)
        begin = np.searchsorted(self.numbers, searched[hits])
        counts = np.searchsorted(self.numbers, searched[hits], side="right") - begin
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return Found(np.repeat(hits, counts), self.owners[np.repeat(begin, counts) + within])
