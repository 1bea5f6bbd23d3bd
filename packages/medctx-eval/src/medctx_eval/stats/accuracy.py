"""Accuracy with an interval for items in clusters and models with several training seeds."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy import special

from medctx.schemas.statistics import FEW_CLUSTERS, LEVEL, Accuracy
from medctx_eval.stats.clusters import Labels, StratifiedClusters, Values, as_rows, clusters_of, stratified
from medctx_eval.stats.seeds import CellRuns, Spread, runs_of, seed_variances, seed_weight

PRIOR_ICC, PRIOR_ANSWERS = 0.3, 50.0
"""Correlation within clusters assumed without data, and the number of answers of the rarer kind that it weighs as much
as. Chosen so that intervals cover in at least 93 % of simulated exams (``bench/simulations/stats_coverage.py``)."""


def wilson(value: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a proportion ``value`` in ``n`` (possibly fractional, > 0) independent trials."""
    z = float(special.ndtri((1 + level) / 2))
    shrunk = 1 + z**2 / n
    centre = (value + z**2 / (2 * n)) / shrunk
    half_width = z * math.sqrt(value * (1 - value) / n + z**2 / (4 * n**2)) / shrunk
    return max(0.0, centre - half_width), min(1.0, centre + half_width)


def _effective_items(value: float, minority: float, spread: Spread, strata: StratifiedClusters, level: float) -> float:
    """Number of independent items with as much information as the items in their clusters.

    With few answers of the rarer kind the correlation within clusters cannot be estimated: they may lie in one cluster
    by chance or because clusters differ. The design effect is therefore at least that of a correlation which starts at
    ``PRIOR_ICC`` and decreases with the number of such answers.
    """
    icc = PRIOR_ICC * PRIOR_ANSWERS / (PRIOR_ANSWERS + minority) if 0 < value < 1 else PRIOR_ICC
    quantile = float(special.ndtri((1 + level) / 2) / special.stdtrit(spread.df, (1 + level) / 2))
    effective = strata.effective_items * quantile**2 / (1 + (strata.items_per_cluster - 1) * icc)
    half_width = spread.half_width((1 + level) / 2)
    if not 0 < value < 1:
        return min(effective, strata.clusters.count)
    if half_width > 0:
        z = float(special.ndtri((1 + level) / 2))
        effective = min(effective, value * (1 - value) * (z / half_width) ** 2)
    return effective


def _interval(
    value: float, minority: float, spread: Spread, strata: StratifiedClusters, level: float
) -> tuple[float, float]:
    if not strata.estimable:
        return 0.0, 1.0
    low, high = wilson(value, _effective_items(value, minority, spread, strata, level), level)
    # Rounding must not put the value outside its interval.
    return min(low, value), max(high, value)


def accuracies(
    values: Values,
    clusters: Labels,
    cells: Sequence[CellRuns] | None = None,
    *,
    untrained: Collection[int] = (),
    level: float = LEVEL,
    strata: Labels | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[Accuracy]:
    """Accuracy of each cell with its interval.

    Wilson's interval at the effective sample size p (1 - p) / variance, reduced by the squared ratio of the normal to
    the t quantile: Korn and Graubard (1998), Survey Methodology 24:193-201; Dean and Pagano (2015), J. Survey Stat.
    Methodol. 3:484-503, find that the Wilson form covers best. Variance and degrees of freedom are those of
    ``StratifiedClusters`` (CR2, Satterthwaite). Seeds are combined as described in
    ``Spread``.

    Args:
        values: Values in [0, 1] per run and item, shape (R, N).
        clusters: Cluster label of each item, length N.
        cells: Rows of each cell; None makes every row a cell.
        untrained: Rows of models without a training seed.
        level: Confidence level.
        strata: Label of each item's stratum (such as its condition); the accuracy is then the weighted mean of the
            strata's means. None weighs all items alike. A stratum in one cluster makes the interval [0, 1].
        weights: Weight of each stratum; None weighs them alike.

    Returns:
        One accuracy per cell.
    """
    grouping = clusters_of(clusters)
    rows = as_rows(values, grouping)
    cell_rows = list(range(len(rows))) if cells is None else list(cells)
    estimand = stratified(grouping, strata, weights)
    variances = seed_variances(rows, estimand, cell_rows)
    results = []
    for cell in cell_rows:
        means = rows[list(runs_of(cell))].mean(axis=0)
        seed = variances.of(cell)
        seed_error = float(np.sqrt(seed.value * seed_weight(cell, untrained)))
        value = min(1.0, estimand.mean(means))
        minority = float(min(means.sum(), grouping.items - means.sum()))
        df = estimand.df(float(estimand.iccs(means[None])[0]))
        spread = Spread(float(estimand.errors(means[None])[0]), df, seed_error, seed.df)
        low, high = _interval(value, minority, spread, estimand, level)
        results.append(
            Accuracy(
                n=grouping.items,
                clusters=grouping.count,
                value=value,
                low=low,
                high=high,
                seeds=len(runs_of(cell)),
                seed_error=seed_error if seed.measured else None,
                few_clusters=grouping.count < FEW_CLUSTERS,
            )
        )
    return results


def accuracy(correct: Values, clusters: Labels, level: float = LEVEL) -> Accuracy:
    """``accuracies`` of one run: ``correct`` of shape (N,)."""
    return accuracies(np.asarray(correct, dtype=np.float64)[None], clusters, level=level)[0]
