"""Variance from the choice of items, estimated from the paired errors in a report.

Every difference of a report carries the standard error that items bring to it, computed from the verdicts of both
models on the same items and clustered by document. A difference's variance is what two runs do *not* share, so the
errors of all pairs say how strongly runs hang together, and whether more so where their compositions are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from study.law.evidence.points import ItemNoise, alike, inside

GUESS = (0.35, 0.15)
"""Of an accuracy's variance by items, what is a run's own and what neighbours share but strangers do not, where
pairs are too few to say."""
GUESS_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """A cell's accuracy, the mean over ``runs``; ``share`` is nothing for the untouched model."""

    accuracy: float
    runs: int
    share: float | None


@dataclass(frozen=True, slots=True)
class PairError:
    """The standard error that items bring to the difference of two cells."""

    first: str
    second: str
    error: float


def item_noise(
    items: int, inflation: float, cells: Mapping[str, MeasuredCell], pairs: Sequence[PairError]
) -> ItemNoise:
    """The noise model of ``items`` from the paired errors of ``cells``.

    ``inflation``: variance of a single accuracy over the binomial one. With q = p (1 - p) / items the variance of the
    difference of tuned cells with r and r' runs is A (q / r + q' / r') + B (q + q' - 2 sqrt(q q') k) + F (q + q' - 2
    sqrt(q q')), where k says how much their compositions have in common: A is a run's own, B shared by neighbours, F
    by all. A and B by least squares, not negative; F is what is left of ``inflation``.
    """
    binomial = {
        name: float(p * (1 - p) / items) for name, cell in cells.items() for p in [inside(cell.accuracy, items)]
    }
    tuned = [pair for pair in pairs if cells[pair.first].share is not None and cells[pair.second].share is not None]
    # The guess counts as a few pairs' worth of evidence.
    rows = [(GUESS_WEIGHT, 0.0), (0.0, GUESS_WEIGHT)]
    seen = [GUESS_WEIGHT * part * inflation for part in GUESS]
    for pair in tuned:
        first, second = cells[pair.first], cells[pair.second]
        q, r = binomial[pair.first], binomial[pair.second]
        common = float(alike(np.array([first.share or 0.0]), np.array([second.share or 0.0]))[0, 0])
        whole = q + r
        rows.append(((q / first.runs + r / second.runs) / whole, (whole - 2 * np.sqrt(q * r) * common) / whole))
        seen.append(pair.error**2 / whole)
    (same_run, neighbours), _ = optimize.nnls(np.array(rows), np.array(seen))
    inflation = max(inflation, same_run + neighbours, 1e-9)
    everywhere = max(0.0, inflation - same_run - neighbours)
    correlations = []
    for pair in pairs:
        ends = sorted((pair.first, pair.second), key=lambda name: cells[name].share is not None)
        untouched, other = cells[ends[0]], cells[ends[1]]
        if untouched.share is None and other.share is not None:
            q, r = binomial[ends[0]], binomial[ends[1]]
            variances = q * inflation + r * (inflation - same_run + same_run / other.runs)
            correlations.append((variances - pair.error**2) / (2 * np.sqrt(q * r) * inflation))
    return ItemNoise(
        items=items,
        inflation=inflation,
        near=min(1.0, (neighbours + everywhere) / inflation),
        far=everywhere / inflation,
        base=float(np.clip(np.mean(correlations), 0, 1)) if correlations else 0.0,
        origin=f"from the paired errors of {len(pairs)} pairs of cells on {items} items",
    )
