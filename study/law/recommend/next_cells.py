"""Which cells to run next: constrained expected improvement under noise, in batches."""

from __future__ import annotations

import numpy as np

from medctx.schemas.records import Record
from study.law.evidence.names import ratio_of
from study.law.evidence.points import FloatArray
from study.law.recommend.curves import Curves


class NextCell(Record):
    """A composition worth running. ``improvement``: how much it and those before it in the batch are expected to add
    to the utility of the best measured cell (in units of the utility).
    """

    ratio: str
    share: float
    improvement: float


def next_cells(curves: Curves, measured: FloatArray, count: int) -> tuple[NextCell, ...]:
    """The ``count`` compositions whose trial is expected to improve most on the ``measured`` shares.

    Expected improvement under a constraint (Gardner et al. 2014, ICML) with incumbents that are themselves uncertain
    (Letham et al. 2019, Bayesian Analysis 14:495-519): in every joint draw the best measured cell that keeps reading
    is the incumbent, and what a candidate that keeps it has more is its improvement. Where no measured cell keeps it
    in a draw, the least utility of the draw stands in, so that any that does is an improvement. A batch is chosen
    one by one, each with those before it taken as run.
    """
    old = np.isclose(curves.shares[:, None], measured[None, :], atol=1e-6).any(axis=1)
    value = np.where(curves.keeps, curves.utility, -np.inf)
    incumbent = value[:, old].max(axis=1)
    incumbent = np.where(np.isfinite(incumbent), incumbent, curves.utility.min(axis=1))
    free = np.logical_not(old)
    found: list[NextCell] = []
    before = 0.0
    best = incumbent
    while len(found) < count and free.any():
        gains = np.maximum(value - best[:, None], 0).mean(axis=0)
        chosen = int(np.where(free, gains, -1).argmax())
        if gains[chosen] <= 0:
            break
        before += float(gains[chosen])
        best = np.maximum(best, value[:, chosen])
        free[chosen] = False
        share = float(curves.shares[chosen])
        found.append(NextCell(ratio=ratio_of(share), share=share, improvement=before))
    return tuple(found)
