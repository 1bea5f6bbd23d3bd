"""Cluster bootstrap of all comparisons on one part of the exam at once.

Shapes: P comparisons, G clusters, C strata.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from medctx_eval.stats.clusters import Clusters, FloatArray, StratifiedClusters

MAX_WEIGHTS = 4_000_000
"""Cluster weights held in memory at a time (16 MB), few enough for the processor's cache to help."""
CLUSTERS_PER_KIND = 8
"""Average number of equal clusters from which drawing kinds of clusters is cheaper than drawing clusters."""


def _means_by_kind(totals: FloatArray, clusters: Clusters, draws: int, seed: int) -> FloatArray | None:
    """Resampled means (draws,) of one comparison, or None if too few of its clusters are equal.

    Clusters with the same total and size are interchangeable, so a resample is one multinomial draw over the kinds.
    """
    kinds, repeats = np.unique(totals + 1j * clusters.sizes, return_counts=True)
    if CLUSTERS_PER_KIND * len(kinds) > clusters.count:
        return None
    drawn = np.random.default_rng(seed).multinomial(clusters.count, repeats / clusters.count, size=draws)
    return np.asarray((drawn @ kinds.real) / (drawn @ kinds.imag))


def _means_by_cluster(sums: FloatArray, estimand: StratifiedClusters, draws: int, seed: int) -> FloatArray:
    """Resampled weighted means (draws, P) of P comparisons, using one draw of clusters for all.

    NaN where a draw leaves a stratum without items.
    """
    rng = np.random.default_rng(seed)
    count, strata = estimand.clusters.count, len(estimand.weights)
    # The last row counts the items drawn.
    columns = np.concatenate([sums, estimand.sizes[None]]).transpose(1, 0, 2).reshape(count, -1).astype(np.float32)
    means = np.empty((draws, len(sums)))
    size = np.uint16 if count <= np.iinfo(np.uint16).max else np.uint32
    step = max(1, MAX_WEIGHTS // count)
    for begin in range(0, draws, step):
        drawn = rng.integers(count, size=(min(step, draws - begin), count), dtype=size)
        weights = np.empty(drawn.shape, dtype=np.float32)
        for weight_row, drawn_row in zip(weights, drawn, strict=True):
            weight_row[:] = np.bincount(drawn_row, minlength=count)
        products = (weights @ columns).reshape(len(weights), -1, strata)
        with np.errstate(invalid="ignore"):
            by_stratum = products[:, :-1] / products[:, -1:]
        means[begin : begin + len(products)] = by_stratum @ estimand.weights
    return means


def resampled_means(sums: FloatArray, estimand: StratifiedClusters, draws: int, seed: int) -> FloatArray:
    """Weighted means of P comparisons, recomputed on resampled clusters.

    Each draw takes G of the G clusters with replacement (Davison and Hinkley 1997, Bootstrap Methods and their
    Application, section 3.8). The draws of a comparison depend only on ``seed``, ``draws`` and its own clusters, so its
    interval does not depend on which other comparisons are computed with it.

    Args:
        sums: Sums of each comparison by cluster and stratum, shape (P, G, C).
        estimand: Clusters and weights of the items.
        draws: Number of resamples.
        seed: Seed of the random generator.

    Returns:
        Resampled means, shape (draws, P).
    """
    means = np.empty((draws, len(sums)))
    remaining = []
    for place, row in enumerate(sums):
        by_kind = _means_by_kind(row[:, 0], estimand.clusters, draws, seed) if row.shape[1] == 1 else None
        if by_kind is None:
            remaining.append(place)
        else:
            means[:, place] = by_kind
    if remaining:
        means[:, remaining] = _means_by_cluster(sums[remaining], estimand, draws, seed)
    return means


def percentile_intervals(means: FloatArray, clusters: int, level: float) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends (P,) of percentile intervals from resampled ``means`` (draws, P).

    Expanded for few clusters by using the tail Phi(-sqrt(G / (G - 1)) t(G - 1)): Hesterberg (2015), The American
    Statistician 69:371-386, section 5.4.
    """
    reach = np.sqrt(clusters / (clusters - 1)) * special.stdtrit(clusters - 1, (1 + level) / 2)
    tail = float(special.ndtr(-reach))
    quantile = np.nanquantile if np.isnan(means).any() else np.quantile
    low, high = quantile(means, [tail, 1 - tail], axis=0)
    return low, high
