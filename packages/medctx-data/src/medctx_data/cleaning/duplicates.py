"""Rows that repeat an earlier row: equal ones by fingerprint, alike ones proposed by MinHash and decided by shingles.

The first of a group stays. Rows are numbers here; what they say is asked for through a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medctx.process.progress import Advance
from medctx_data.text.ngrams import similarity
from medctx_data.text.segments import Numbers, Places

PROPOSALS = 4
"""Earlier rows that a row is compared with at most: those it shares most bands with. Bounds the work on templates."""
_AT_ONCE = 500

Proposal = tuple[int, list[int]]
ShinglesOf = Callable[[Sequence[int]], Sequence[Sequence[Numbers]]]
"""For each row one or several sets of shingles: rows are as alike as the least alike of these."""


def equal_to(fingerprints: NDArray[np.uint64], usable: NDArray[np.bool_]) -> dict[int, int]:
    """The usable rows whose fingerprint (two numbers) an earlier usable row has, and the first such row."""
    rows = np.flatnonzero(usable)
    chosen = fingerprints[rows]
    order = np.lexsort((rows, chosen[:, 1], chosen[:, 0]))
    chosen, rows = chosen[order], rows[order]
    repeats = np.zeros(len(rows), np.bool_)
    repeats[1:] = (chosen[1:] == chosen[:-1]).all(axis=1)
    first = rows[np.maximum.accumulate(np.where(repeats, 0, np.arange(len(rows))))] if len(rows) else rows
    return dict(sorted(zip(rows[repeats].tolist(), first[repeats].tolist(), strict=True)))


def _pairs(keys: Numbers, rows: Places) -> NDArray[np.int64]:
    """Every (row, earlier row) that share a band, coded as one number, once for each band they share.

    Of a band's group only the first row and the one just before are paired with a row: the work grows with the
    number of rows, never with its square.
    """
    found = []
    total = int(rows.max(initial=0)) + 1
    for band in range(keys.shape[1]):
        column = keys[rows, band]
        order = np.argsort(column, kind="stable")
        repeats = np.flatnonzero(column[order][1:] == column[order][:-1]) + 1
        if not len(repeats):
            continue
        fresh = np.arange(len(order))
        fresh[repeats] = 0
        first = np.maximum.accumulate(fresh)[repeats]
        members = rows[order[repeats]] * total
        before, leading = rows[order[repeats - 1]], rows[order[first]]
        found += [members + leading, (members + before)[before != leading]]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def proposals(keys: Numbers, usable: NDArray[np.bool_]) -> Iterator[Proposal]:
    """Rows in order, each with the earlier rows it may be alike, those that share most bands first."""
    rows = np.flatnonzero(usable)
    total = int(rows.max(initial=0)) + 1
    codes, shared = np.unique(_pairs(keys, rows), return_counts=True)
    members, others = codes // total, codes % total
    order = np.lexsort((others, -shared, members))
    members, others = members[order], others[order]
    edges = np.append(np.flatnonzero(np.diff(members, prepend=-1)), len(members)).tolist()
    for start, end in pairwise(edges):
        yield int(members[start]), others[start : min(end, start + PROPOSALS)].tolist()


def _likeness(one: Sequence[Numbers], two: Sequence[Numbers]) -> float:
    return min((similarity(a, b) for a, b in zip(one, two, strict=True) if len(a) or len(b)), default=0.0)


def alike(
    waiting: Sequence[Proposal], shingles_of: ShinglesOf, least: float, advance: Advance = lambda step: None
) -> dict[int, tuple[int, float]]:
    """Of the rows ``waiting`` those that are alike an earlier row that stays: which one, and how much.

    Similarities are Jaccard's, from ``least`` to 1. A row that resembles only a row left out is compared with the one
    that was kept instead of it. ``advance`` is told of every row that is decided.
    """
    of: dict[int, tuple[int, float]] = {}
    for start in range(0, len(waiting), _AT_ONCE):
        batch = waiting[start : start + _AT_ONCE]
        needed = {row for row, _ in batch} | {one for _, others in batch for one in others}
        needed |= {of[one][0] for one in needed if one in of}
        numbers = sorted(needed)
        known = dict(zip(numbers, shingles_of(numbers), strict=True))
        for row, others in batch:
            best = (0.0, 0)
            for other in dict.fromkeys(of[one][0] if one in of else one for one in others):
                best = max(best, (_likeness(known[row], known[other]), -other))
            if best[0] >= least:
                of[row] = (-best[1], best[0])
            advance(1)
    return of
