"""Rows that repeat an earlier row: equal ones by fingerprint, similar ones proposed by MinHash and decided by shingles.

The first row of a group stays. Rows are numbers here; a function gives their content.
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
_BATCH = 500

Proposal = tuple[int, list[int]]
ShinglesOf = Callable[[Sequence[int]], Sequence[Sequence[Numbers]]]
"""For each row one or several sets of shingles: two rows are as similar as the least similar pair of these."""


def equal_rows(fingerprints: NDArray[np.uint64], usable: NDArray[np.bool_]) -> dict[int, int]:
    """Map each usable row whose fingerprint (two numbers) an earlier usable row has to the first such row."""
    rows = np.flatnonzero(usable)
    chosen = fingerprints[rows]
    order = np.lexsort((rows, chosen[:, 1], chosen[:, 0]))
    chosen, rows = chosen[order], rows[order]
    repeats = np.zeros(len(rows), np.bool_)
    repeats[1:] = (chosen[1:] == chosen[:-1]).all(axis=1)
    first = rows[np.maximum.accumulate(np.where(repeats, 0, np.arange(len(rows))))] if len(rows) else rows
    return dict(sorted(zip(rows[repeats].tolist(), first[repeats].tolist(), strict=True)))


def _pairs(keys: Numbers, rows: Places) -> NDArray[np.int64]:
    """Every (row, earlier row) that share a band, coded as one number, once per shared band.

    Within a band's group a row is paired only with the first row and the one just before: the work grows with the
    number of rows, never with its square.
    """
    codes = []
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
        codes += [members + leading, (members + before)[before != leading]]
    return np.concatenate(codes) if codes else np.empty(0, np.int64)


def proposals(keys: Numbers, usable: NDArray[np.bool_]) -> Iterator[Proposal]:
    """Yield rows in order, each with earlier rows that may be similar, those that share most bands first."""
    rows = np.flatnonzero(usable)
    total = int(rows.max(initial=0)) + 1
    codes, shared = np.unique(_pairs(keys, rows), return_counts=True)
    members, others = codes // total, codes % total
    order = np.lexsort((others, -shared, members))
    members, others = members[order], others[order]
    edges = np.append(np.flatnonzero(np.diff(members, prepend=-1)), len(members)).tolist()
    for start, end in pairwise(edges):
        yield int(members[start]), others[start : min(end, start + PROPOSALS)].tolist()


def _least_similarity(first: Sequence[Numbers], second: Sequence[Numbers]) -> float:
    return min((similarity(a, b) for a, b in zip(first, second, strict=True) if len(a) or len(b)), default=0.0)


def similar_rows(
    candidates: Sequence[Proposal], shingles_of: ShinglesOf, threshold: float, advance: Advance = lambda step: None
) -> dict[int, tuple[int, float]]:
    """Decide which candidate rows are similar to an earlier row that stays.

    Args:
        candidates: Rows with the earlier rows they may be similar to, from ``proposals``.
        shingles_of: Gives the sets of shingles of rows.
        threshold: Least Jaccard similarity, up to 1.
        advance: Called for every row that is decided.

    Returns:
        For each row to leave out the row it repeats and their similarity. A row that resembles only a row left out is
        compared with the one kept instead of it.
    """
    of: dict[int, tuple[int, float]] = {}
    for start in range(0, len(candidates), _BATCH):
        batch = candidates[start : start + _BATCH]
        needed = {row for row, _ in batch} | {other for _, others in batch for other in others}
        needed |= {of[row][0] for row in needed if row in of}
        numbers = sorted(needed)
        known = dict(zip(numbers, shingles_of(numbers), strict=True))
        for row, others in batch:
            best = (0.0, 0)
            for other in dict.fromkeys(of[other][0] if other in of else other for other in others):
                best = max(best, (_least_similarity(known[row], known[other]), -other))
            if best[0] >= threshold:
                of[row] = (-best[1], best[0])
            advance(1)
    return of
