"""Weighted means over strata (conditions) of items in clusters, with small-sample corrected standard errors.

Shapes: N items, G clusters, C strata.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medctx_eval.stats.clusters import Clusters, FloatArray, IntArray

MAX_EXACT_CLUSTERS = 200
"""Clusters up to which degrees of freedom are computed; with more they are taken as G - 1."""


@dataclass(frozen=True)
class StratifiedClusters:
    """Items in clusters and strata.

    Attributes:
        clusters: The cluster of each item.
        stratum: Stratum of each item, (N,).
        weights: Weight of each stratum, (C,), adding up to 1.
    """

    clusters: Clusters
    stratum: IntArray
    weights: FloatArray

    @cached_property
    def sizes(self) -> FloatArray:
        """Items of each cluster in each stratum, (G, C)."""
        return self._sums(np.ones(self.clusters.items))

    @cached_property
    def item_weights(self) -> FloatArray:
        """Weight of each item in the mean, (N,)."""
        return np.asarray((self.weights / self.sizes.sum(axis=0))[self.stratum])

    @cached_property
    def effective_items(self) -> float:
        """Number of equally weighted independent items with the same variance (Kish 1965, Survey Sampling)."""
        return float(1 / np.square(self.item_weights).sum())

    @cached_property
    def items_per_cluster(self) -> float:
        """Weighted mean number of items that share a cluster, m in the design effect 1 + (m - 1) icc."""
        return float(np.square(self._sums(self.item_weights).sum(axis=1)).sum() * self.effective_items)

    @cached_property
    def _leverage_weights(self) -> FloatArray:
        """Item weights divided by the square root of 1 - leverage, by cluster and stratum, (G, C)."""
        counts = self.sizes.sum(axis=0)
        remaining = np.maximum(1 - self.sizes / counts, 1e-9)
        return np.asarray(self.weights / counts / np.sqrt(remaining))

    def _sums(self, values: FloatArray) -> FloatArray:
        """Sums (G, C) of ``values`` (N,)."""
        count = len(self.weights)
        index = self.clusters.index * count + self.stratum
        sums = np.bincount(index, weights=values, minlength=self.clusters.count * count)
        return np.asarray(sums, dtype=np.float64).reshape(-1, count)

    def mean(self, values: FloatArray) -> float:
        """Weighted mean of ``values`` (N,)."""
        # Sums of right answers are exact in any order of the items.
        return float((self.weights * self._sums(values).sum(axis=0) / self.sizes.sum(axis=0)).sum())

    def residuals(self, values: FloatArray) -> FloatArray:
        """``values`` (N,) minus the mean of their stratum."""
        means = self._sums(values).sum(axis=0) / self.sizes.sum(axis=0)
        return np.asarray(values - means[self.stratum])

    def error(self, values: FloatArray) -> float:
        """CR2 standard error of the weighted mean (Bell and McCaffrey 2002, Survey Methodology 28:169-181).

        Residuals are scaled by their leverage, so that the variance is unbiased for independent items however unequal
        the clusters are. Infinite for one cluster.
        """
        if self.clusters.count < 2:
            return float("inf")
        scores = (self._leverage_weights * self._sums(self.residuals(values))).sum(axis=1)
        return float(np.sqrt(np.square(scores).sum()))

    def icc(self, values: FloatArray) -> float:
        """Analysis-of-variance estimate of the correlation within a cluster, in [0, 1] (Donner 1986, Int. Statistical
        Review 54:67-82).
        """
        residuals, sizes = self.residuals(values), self.sizes.sum(axis=1)
        count, inner = self.clusters.items, self.clusters.items - self.clusters.count
        if inner <= 0 or self.clusters.count < 2:
            return 0.0
        sums = np.bincount(self.clusters.index, weights=residuals, minlength=self.clusters.count)
        between_sum = float((np.square(sums) / sizes).sum())
        within = (float(np.square(residuals).sum()) - between_sum) / inner
        between = between_sum / (self.clusters.count - 1)
        usual = (count - float(np.square(sizes).sum()) / count) / (self.clusters.count - 1)
        total = between + (usual - 1) * within
        return float(np.clip((between - within) / total, 0, 1)) if total > 0 else 0.0

    def df(self, icc: float) -> float:
        """Satterthwaite degrees of freedom of :meth:`error`, for items that correlate by ``icc`` within a cluster.

        Bell and McCaffrey (2002), with the working correlation of Imbens and Kolesar (2016), Review of Economics and
        Statistics 98:701-712: unequal clusters have fewer degrees of freedom than G - 1.
        """
        count = self.clusters.count
        if not 1 < count <= MAX_EXACT_CLUSTERS:
            return max(count - 1, 0)
        sizes, totals = self.sizes, self.sizes.sum(axis=0)
        # projections[g, k, c]: what an item of cluster k and stratum c adds to the score of cluster g.
        projections = self._leverage_weights[:, None, :] * (np.eye(count)[:, :, None] - (sizes / totals)[None])
        scaled = projections * sizes[None]
        flat = projections.reshape(count, -1)
        independent = scaled.reshape(count, -1) @ flat.T
        shared = scaled.sum(axis=2)
        covariance = (1 - icc) * independent + icc * shared @ shared.T
        return float(np.trace(covariance) ** 2 / np.square(covariance).sum())
