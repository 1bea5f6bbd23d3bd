"""Accuracy with an interval that knows its items come in clusters, and its models from several seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from scipy import special

from medctx.schemas.report import LEVEL, Accuracy
from medctx_eval.stats.clusters import FEW, Clusters, Labels, Values, as_rows, clusters_of
from medctx_eval.stats.seeds import Rows, Spread, rows_of, seed_variance, share_of_seeds


def wilson(value: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of a proportion ``value`` seen in ``n`` (possibly fractional, > 0) independent trials.

    Wilson (1927), J. Am. Stat. Assoc. 22:209-212.
    """
    z = float(special.ndtri((1 + level) / 2))
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _interval(value: float, spread: Spread, clusters: Clusters, runs: int, level: float) -> tuple[float, float]:
    if clusters.count == 1:
        return 0.0, 1.0
    reach = spread.reach((1 + level) / 2)
    effective: float = clusters.count
    if 0 < value < 1 and reach > 0:
        z = float(special.ndtri((1 + level) / 2))
        effective = min(clusters.items * runs, value * (1 - value) * (z / reach) ** 2)
    low, high = wilson(value, effective, level)
    # Rounding must not put the value outside its own interval.
    return min(low, value), max(high, value)


def accuracies(
    values: Values,
    clusters: Labels,
    cells: Sequence[Rows] | None = None,
    *,
    untrained: Collection[int] = (),
    level: float = LEVEL,
) -> list[Accuracy]:
    """Mean of ``values`` (R, N) in [0, 1] per cell with intervals for items clustered by ``clusters`` (N labels).

    ``cells``: the rows of each cell (nothing: every row is one); ``untrained``: rows without a training seed.
    Wilson's interval at the effective sample size p (1 - p) / variance, shrunk by the squared ratio of the normal to
    the t quantile and then held to at most N per run: Korn and Graubard (1998), Survey Methodology 24:193-201, whose
    degrees-of-freedom correction is what few clusters need; Dean and Pagano (2015), J. Survey Stat. Methodol.
    3:484-503, find the Wilson form to cover best. Where every item has the same outcome the variance says nothing and
    the effective size is the number of clusters. Seeds enter as :class:`~medctx_eval.stats.seeds.Spread` says.
    """
    known = clusters_of(clusters)
    rows = as_rows(values, known)
    wanted = list(range(len(rows))) if cells is None else list(cells)
    totals = known.totals(rows)
    between = seed_variance(totals, known, wanted)
    means = np.array([totals[list(rows_of(cell))].mean(axis=0) for cell in wanted])
    found = []
    for cell, own, error in zip(wanted, means, known.errors(means), strict=True):
        seed_error = float(np.sqrt(between.value * share_of_seeds(cell, untrained)))
        value = min(1.0, float(own.sum() / known.items))
        runs = len(rows_of(cell))
        low, high = _interval(value, Spread(float(error), known.count - 1, seed_error, between.df), known, runs, level)
        found.append(
            Accuracy(
                n=known.items,
                clusters=known.count,
                value=value,
                low=low,
                high=high,
                seeds=runs,
                seed_error=seed_error if between.measured else None,
                few_clusters=known.count < FEW,
            )
        )
    return found


def accuracy(correct: Values, clusters: Labels, level: float = LEVEL) -> Accuracy:
    """:func:`accuracies` of one run: ``correct`` (N,)."""
    return accuracies(np.asarray(correct, dtype=np.float64)[None], clusters, level=level)[0]
