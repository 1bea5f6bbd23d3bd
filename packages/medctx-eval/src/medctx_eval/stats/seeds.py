"""Training seeds as a second source of chance beside the items."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from medctx_eval.stats.clusters import Clusters, FloatArray

Rows = int | tuple[int, ...]
"""The runs of one cell: one row, or one row per training seed."""


def rows_of(cell: Rows) -> tuple[int, ...]:
    """A cell's runs as a tuple; raises ValueError where it has none or names one twice."""
    rows = (cell,) if isinstance(cell, int) else tuple(cell)
    if not rows or len(set(rows)) < len(rows):
        raise ValueError(f"a cell needs different runs, not {rows}")
    return rows


@dataclass(frozen=True)
class SeedVariance:
    """``value``: variance of a cell's accuracy between training seeds, beyond what its items explain; ``df`` its
    degrees of freedom; nothing was measured where these are 0.
    """

    value: float = 0.0
    df: int = 0

    @property
    def measured(self) -> bool:
        """Whether any cell had several runs."""
        return self.df > 0


def seed_variance(totals: FloatArray, clusters: Clusters, cells: Iterable[Rows]) -> SeedVariance:
    """The seed's component of variance from cluster ``totals`` (R, G), pooled over ``cells`` with several runs.

    Runs of one cell differ by their seed and by how seed and item meet. The variance of run means holds both; the
    second part, which the interval over items holds too, is measured within clusters and subtracted, as in two-way
    clustering (Cameron, Gelbach and Miller 2011, J. Business and Economic Statistics 29:238-249). Cells have few
    runs, so one variance is taken for all of them, as analysis of variance does.

    What is subtracted is scaled to the median of a variance known with ``df`` degrees of freedom: where seeds bring
    nothing, nothing comes out in half of the exams. Subtracting the mean instead gives nothing in 61 % of them (``df``
    3), also where seeds do bring something, and then alarms in 5.8 % of exams without a difference, not 5.2 %.
    """
    if clusters.count < 2:
        return SeedVariance()
    between = within = 0.0
    df = 0
    for rows in {rows_of(cell) for cell in cells}:
        own = totals[list(rows)]
        means = own.sum(axis=1) / clusters.items
        residuals = own - own.mean(axis=0) - np.outer(means - means.mean(), clusters.sizes)
        between += float(np.square(means - means.mean()).sum())
        within += clusters.factor * float(np.square(residuals).sum()) / clusters.items**2
        df += len(rows) - 1
    if not df:
        return SeedVariance()
    median = float(special.chdtri(df, 0.5)) / df
    return SeedVariance(max(0.0, (between - median * within) / df), df)


def share_of_seeds(cell: Rows, untrained: Collection[int]) -> float:
    """What the seed variance is multiplied by in a cell's mean: 1 / runs, 0 for a model that was not trained."""
    rows = rows_of(cell)
    return 0.0 if all(row in untrained for row in rows) else 1 / len(rows)


@dataclass(frozen=True)
class Spread:
    """Standard errors of an estimate from items (``error``, ``df`` = clusters - 1) and from seeds.

    Intervals join the two by adding the squares of their half-widths, each with its own t quantile: Howe (1974), J. Am.
    Stat. Assoc. 69:789-794; Zou and Donner (2008), Statistics in Medicine 27:1693-1702.
    """

    error: float
    df: int
    seed_error: float = 0.0
    seed_df: int = 0

    def items_reach(self, *probabilities: float) -> float:
        """As :meth:`reach`, of items alone."""
        return float(special.stdtrit(self.df, probabilities).sum()) * self.error if self.df else float("inf")

    def seeds_reach(self, *probabilities: float) -> float:
        """As :meth:`reach`, of seeds alone."""
        return float(special.stdtrit(self.seed_df, probabilities).sum()) * self.seed_error if self.seed_df else 0.0

    def reach(self, *probabilities: float) -> float:
        """Half-width of the interval whose upper tail begins at a probability in (0.5, 1); several are added up."""
        return float(np.hypot(self.items_reach(*probabilities), self.seeds_reach(*probabilities)))

    def p(self, distance: float) -> float:
        """One-sided p of seeing an estimate at least ``distance`` above a hypothesised value: the tail at which the
        interval's end touches it.
        """
        if distance <= 0:
            return 1 - self.p(-distance) if distance < 0 else 0.5
        if self.reach(1 - 1e-12) <= distance:
            return 1e-12
        if self.reach(0.5 + 1e-12) >= distance:
            return 0.5
        return 1 - float(optimize.brentq(lambda level: self.reach(level) - distance, 0.5 + 1e-12, 1 - 1e-12))
