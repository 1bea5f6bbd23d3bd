"""Resampling whole clusters, for all comparisons of a part of the exam at once."""

from __future__ import annotations

import numpy as np
from scipy import special

from medctx_eval.stats.clusters import Clusters, FloatArray

WEIGHTS = 4_000_000
"""Cluster weights held in memory at a time: 16 MB, and small enough for the processor's cache to help."""
FEW_KINDS = 8
"""Clusters per kind from which drawing kinds is cheaper than drawing clusters."""


def _kinds(totals: FloatArray, clusters: Clusters, draws: int, seed: int) -> FloatArray | None:
    """Resampled means (draws,) of one value; nothing where its clusters are of too many kinds.

    Clusters with the same total and size are interchangeable, so a resample is one multinomial draw over the kinds.
    """
    kinds, repeats = np.unique(totals + 1j * clusters.sizes, return_counts=True)
    if FEW_KINDS * len(kinds) > clusters.count:
        return None
    drawn = np.random.default_rng(seed).multinomial(clusters.count, repeats / clusters.count, size=draws)
    return np.asarray((drawn @ kinds.real) / (drawn @ kinds.imag))


def _clusters(totals: FloatArray, clusters: Clusters, draws: int, seed: int) -> FloatArray:
    """Resampled means (draws, P) of P values, one draw of clusters serving all."""
    rng = np.random.default_rng(seed)
    count = clusters.count
    # The last column counts the items drawn.
    sums = np.vstack([totals, clusters.sizes]).T.astype(np.float32)
    means = np.empty((draws, len(totals)))
    size = np.uint16 if count <= np.iinfo(np.uint16).max else np.uint32
    step = max(1, WEIGHTS // count)
    for begin in range(0, draws, step):
        drawn = rng.integers(count, size=(min(step, draws - begin), count), dtype=size)
        weights = np.empty(drawn.shape, dtype=np.float32)
        for own, row in zip(weights, drawn, strict=True):
            own[:] = np.bincount(row, minlength=count)
        found = weights @ sums
        means[begin : begin + len(found)] = found[:, :-1] / found[:, -1:]
    return means


def resampled_means(totals: FloatArray, clusters: Clusters, draws: int, seed: int) -> FloatArray:
    """Means (draws, P) over items of P values whose cluster sums are ``totals`` (P, G), when clusters are drawn anew.

    Every draw takes G of the G clusters with replacement (Davison and Hinkley 1997, Bootstrap Methods and their
    Application, section 3.8). What is drawn for a value depends on ``seed``, ``draws`` and its own clusters alone: a
    comparison has the same interval whatever stands beside it.
    """
    means = np.empty((draws, len(totals)))
    many = []
    for place, own in enumerate(totals):
        found = _kinds(own, clusters, draws, seed)
        if found is None:
            many.append(place)
        else:
            means[:, place] = found
    if many:
        means[:, many] = _clusters(totals[many], clusters, draws, seed)
    return means


def intervals(means: FloatArray, clusters: int, level: float) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends (P,) of intervals read from resampled ``means`` (draws, P).

    The percentile interval is expanded for few clusters by reading it at the tail Phi(-sqrt(G / (G - 1)) t(G - 1)):
    Hesterberg (2015), The American Statistician 69:371-386, section 5.4.
    """
    reach = np.sqrt(clusters / (clusters - 1)) * special.stdtrit(clusters - 1, (1 + level) / 2)
    tail = float(special.ndtr(-reach))
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high
