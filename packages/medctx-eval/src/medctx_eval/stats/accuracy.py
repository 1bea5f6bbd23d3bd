"""Accuracy with an interval for items in clusters and models with several training seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from scipy import special
from statsmodels.stats.proportion import proportion_confint

from medctx.schemas.statistics import FEW_CLUSTERS, LEVEL, Accuracy
from medctx_eval.stats.clusters import Clusters, Labels, Values, as_rows, clusters_of
from medctx_eval.stats.seeds import CellRuns, Spread, runs_of, seed_variance, seed_weight


def wilson(value: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a proportion ``value`` in ``n`` (possibly fractional, > 0) independent trials."""
    low, high = proportion_confint(value * n, n, alpha=1 - level, method="wilson")
    return float(low), float(high)


def _interval(value: float, spread: Spread, clusters: Clusters, runs: int, level: float) -> tuple[float, float]:
    if clusters.count == 1:
        return 0.0, 1.0
    half_width = spread.half_width((1 + level) / 2)
    effective: float = clusters.count
    if 0 < value < 1 and half_width > 0:
        z = float(special.ndtri((1 + level) / 2))
        effective = min(clusters.items * runs, value * (1 - value) * (z / half_width) ** 2)
    low, high = wilson(value, effective, level)
    # Rounding must not put the value outside its interval.
    return min(low, value), max(high, value)


def accuracies(
    values: Values,
    clusters: Labels,
    cells: Sequence[CellRuns] | None = None,
    *,
    untrained: Collection[int] = (),
    level: float = LEVEL,
) -> list[Accuracy]:
    """Accuracy of each cell with its interval.

    Wilson's interval at the effective sample size p (1 - p) / variance, reduced by the squared ratio of the normal to
    the t quantile and limited to N per run: Korn and Graubard (1998), Survey Methodology 24:193-201, whose correction
    of the degrees of freedom is needed for few clusters; Dean and Pagano (2015), J. Survey Stat. Methodol. 3:484-503,
    find that the Wilson form covers best. If all items have the same outcome the variance is 0 and the effective size
    is the number of clusters. Seeds are combined as described in :class:`~medctx_eval.stats.seeds.Spread`.

    Args:
        values: Values in [0, 1] per run and item, shape (R, N).
        clusters: Cluster label of each item, length N.
        cells: Rows of each cell; None makes every row a cell.
        untrained: Rows of models without a training seed.
        level: Confidence level.

    Returns:
        One accuracy per cell.
    """
    grouping = clusters_of(clusters)
    rows = as_rows(values, grouping)
    cell_rows = list(range(len(rows))) if cells is None else list(cells)
    totals = grouping.totals(rows)
    variance = seed_variance(totals, grouping, cell_rows)
    means = np.array([totals[list(runs_of(cell))].mean(axis=0) for cell in cell_rows])
    results = []
    for cell, cell_totals, error in zip(cell_rows, means, grouping.errors(means), strict=True):
        seed_error = float(np.sqrt(variance.value * seed_weight(cell, untrained)))
        value = min(1.0, float(cell_totals.sum() / grouping.items))
        runs = len(runs_of(cell))
        spread = Spread(float(error), grouping.count - 1, seed_error, variance.df)
        low, high = _interval(value, spread, grouping, runs, level)
        results.append(
            Accuracy(
                n=grouping.items,
                clusters=grouping.count,
                value=value,
                low=low,
                high=high,
                seeds=runs,
                seed_error=seed_error if variance.measured else None,
                few_clusters=grouping.count < FEW_CLUSTERS,
            )
        )
    return results


def accuracy(correct: Values, clusters: Labels, level: float = LEVEL) -> Accuracy:
    """:func:`accuracies` of one run: ``correct`` of shape (N,)."""
    return accuracies(np.asarray(correct, dtype=np.float64)[None], clusters, level=level)[0]
