"""Items in clusters and strata (conditions): sums over clusters, and weighted means over strata with their errors.

The one definition of a weighted estimand: accuracies, differences and their intervals are computed from it, with
standard errors corrected for small samples.

Shapes: R rows of values (runs, or differences of cells), N items, G clusters, C strata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Labels = Sequence[str] | NDArray[np.generic]
Values = BoolArray | FloatArray
"""Right or wrong per item, or the share of its option orders in which it was answered correctly."""


@dataclass(frozen=True)
class Clusters:
    """The cluster of each item: ``index`` (N,) counts the sorted labels, ``sizes`` (G,) the items of each cluster."""

    index: IntArray
    sizes: IntArray

    @property
    def count(self) -> int:
        """Number of clusters G."""
        return len(self.sizes)

    @property
    def items(self) -> int:
        """Number of items N."""
        return len(self.index)

    @cached_property
    def factor(self) -> float:
        """Small-sample correction G / (G - 1); infinite for one cluster."""
        return self.count / (self.count - 1) if self.count > 1 else float("inf")

    def totals(self, values: Values) -> FloatArray:
        """Sums (R, G) of ``values`` (R, N) within clusters."""
        rows = np.asarray(values, dtype=np.float64)
        return np.array([np.bincount(self.index, weights=row, minlength=self.count) for row in rows])


def clusters_of(labels: Labels) -> Clusters:
    """The clusters of N items from their labels; independent of the order of the items."""
    if len(labels) == 0:
        raise ValueError("there are no items")
    _, index, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    return Clusters(index=index.astype(np.int64), sizes=sizes.astype(np.int64))


def as_rows(values: Values, clusters: Clusters) -> FloatArray:
    """``values`` as an array (R, N); raises ValueError if their number is not N or one lies outside [0, 1]."""
    rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if rows.shape[1] != clusters.items:
        raise ValueError(f"{rows.shape[1]} values for {clusters.items} cluster labels")
    if rows.min() < 0 or rows.max() > 1:
        raise ValueError("values must lie in [0, 1]")
    return rows


MAX_EXACT_CLUSTERS = 200
"""Clusters up to which degrees of freedom are computed; with more they are taken as G - 1."""


class _Products(NamedTuple):
    """Traces of the covariance of cluster scores for independent items (first) and for items of a cluster that are
    equal (second), and the inner products of the two matrices.
    """

    first_trace: float
    second_trace: float
    first_square: float
    mixed: float
    second_square: float


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
        return np.asarray(self.sums(np.ones((1, self.clusters.items)))[0])

    @cached_property
    def counts(self) -> FloatArray:
        """Items of each stratum, (C,)."""
        return np.asarray(self.sizes.sum(axis=0))

    @cached_property
    def even(self) -> bool:
        """Whether all items weigh alike, as in a plain mean."""
        return bool(np.allclose(self.weights * self.clusters.items, self.counts, rtol=1e-12))

    @cached_property
    def estimable(self) -> bool:
        """Whether errors can be estimated: every stratum lies in several clusters. The items of a stratum that lies in
        one cluster do not show how much clusters differ.
        """
        return bool((np.count_nonzero(self.sizes, axis=0) > 1).all())

    @cached_property
    def effective_items(self) -> float:
        """Number of equally weighted independent items with the same variance (Kish 1965, Survey Sampling)."""
        return float(1 / (np.square(self.weights) / self.counts).sum())

    @cached_property
    def items_per_cluster(self) -> float:
        """Weighted mean number of items that share a cluster, m in the design effect 1 + (m - 1) icc."""
        cluster_weights = (self.sizes * self.weights / self.counts).sum(axis=1)
        return float(np.square(cluster_weights).sum() * self.effective_items)

    @cached_property
    def _leverage_weights(self) -> FloatArray:
        """Item weights divided by the square root of 1 - leverage, by cluster and stratum, (G, C)."""
        remaining = np.maximum(1 - self.sizes / self.counts, 1e-9)
        return np.asarray(self.weights / self.counts / np.sqrt(remaining))

    def sums(self, rows: Values) -> FloatArray:
        """Sums (R, G, C) of ``rows`` (R, N)."""
        count = len(self.weights)
        index = self.clusters.index * count + self.stratum
        cells = self.clusters.count * count
        sums = [np.bincount(index, weights=row, minlength=cells) for row in np.asarray(rows, dtype=np.float64)]
        return np.array(sums, dtype=np.float64).reshape(-1, self.clusters.count, count)

    def _stratum_means(self, sums: FloatArray) -> FloatArray:
        # Sums of right answers are exact in any order of the items.
        return np.asarray(sums.sum(axis=1) / self.counts)

    def means(self, rows: Values) -> FloatArray:
        """Weighted means (R,) of ``rows`` (R, N)."""
        return np.asarray((self.weights * self._stratum_means(self.sums(rows))).sum(axis=1))

    def mean(self, values: Values) -> float:
        """Weighted mean of ``values`` (N,)."""
        return float(self.means(np.asarray(values, dtype=np.float64)[None])[0])

    def totals(self, rows: Values) -> FloatArray:
        """What each cluster adds to the weighted means, times N: shape (R, G).

        Plain sums where all items weigh alike, so that counts stay whole numbers.
        """
        sums = self.sums(rows)
        if self.even:
            return np.asarray(sums.sum(axis=2))
        return np.asarray((sums * (self.clusters.items * self.weights / self.counts)).sum(axis=2))

    def _residuals(self, sums: FloatArray) -> FloatArray:
        """Sums of the deviations from the means of the strata, (R, G, C)."""
        return np.asarray(sums - self.sizes * self._stratum_means(sums)[:, None, :])

    def linear_scores(self, rows: Values) -> FloatArray:
        """What the items of each cluster add to the deviation of the weighted means, (R, G); linear in ``rows``."""
        return np.asarray((self._residuals(self.sums(rows)) * (self.weights / self.counts)).sum(axis=2))

    def errors(self, rows: Values) -> FloatArray:
        """CR2 standard errors (R,) of the weighted means (Bell and McCaffrey 2002, Survey Methodology 28:169-181).

        Residuals are scaled by their leverage, so that the variance is unbiased for independent items however unequal
        the clusters are. Infinite where they are not ``estimable``.
        """
        if not self.estimable:
            return np.full(len(rows), np.inf)
        scores = (self._residuals(self.sums(rows)) * self._leverage_weights).sum(axis=2)
        return np.asarray(np.sqrt(np.square(scores).sum(axis=1)))

    def iccs(self, rows: Values) -> FloatArray:
        """Analysis-of-variance estimates (R,) of the correlation within a cluster, in [0, 1] (Donner 1986, Int.
        Statistical Review 54:67-82).
        """
        count, clusters = self.clusters.items, self.clusters.count
        if count <= clusters or clusters < 2:
            return np.zeros(len(rows))
        sums = self.sums(rows)
        sizes = self.sizes.sum(axis=1)
        squares = np.square(np.asarray(rows, dtype=np.float64)).sum(axis=1)
        total_sum = squares - (self.counts * np.square(self._stratum_means(sums))).sum(axis=1)
        between_sum = (np.square(self._residuals(sums).sum(axis=2)) / sizes).sum(axis=1)
        within = (total_sum - between_sum) / (count - clusters)
        between = between_sum / (clusters - 1)
        usual = (count - float(np.square(sizes).sum()) / count) / (clusters - 1)
        total = between + (usual - 1) * within
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(total > 1e-15, np.clip((between - within) / total, 0, 1), 0.0)

    @cached_property
    def _products(self) -> _Products:
        count = self.clusters.count
        # projections[g, k, c]: what an item of cluster k and stratum c adds to the score of cluster g.
        projections = self._leverage_weights[:, None, :] * (
            np.eye(count)[:, :, None] - (self.sizes / self.counts)[:, None, :]
        )
        scaled = projections * self.sizes[None]
        first = scaled.reshape(count, -1) @ projections.reshape(count, -1).T
        shared = scaled.sum(axis=2)
        second = shared @ shared.T
        return _Products(
            float(np.trace(first)),
            float(np.trace(second)),
            float(np.square(first).sum()),
            float((first * second).sum()),
            float(np.square(second).sum()),
        )

    def df(self, icc: float) -> float:
        """Satterthwaite degrees of freedom of ``errors``, for items that correlate by ``icc`` within a cluster.

        Bell and McCaffrey (2002), with the working correlation of Imbens and Kolesar (2016), Review of Economics and
        Statistics 98:701-712: unequal clusters have fewer degrees of freedom than G - 1. 0 where errors are not
        ``estimable``.
        """
        if not self.estimable:
            return 0
        count = self.clusters.count
        if count > MAX_EXACT_CLUSTERS:
            return count - 1
        products, rest = self._products, 1 - icc
        trace = rest * products.first_trace + icc * products.second_trace
        square = rest**2 * products.first_square + 2 * icc * rest * products.mixed + icc**2 * products.second_square
        return trace**2 / square


def stratified(
    clusters: Clusters, strata: Labels | None = None, weights: Mapping[str, float] | None = None
) -> StratifiedClusters:
    """Items in their clusters and strata.

    Args:
        clusters: The cluster of each item.
        strata: Label of each item's stratum (such as its condition), length N. None puts all items into one.
        weights: Weight of each label; those of the strata that have items are scaled to add up to 1. None weighs all
            strata alike.
    """
    if strata is None:
        return StratifiedClusters(clusters, np.zeros(clusters.items, dtype=np.int64), np.ones(1))
    names, index = np.unique(np.asarray(strata), return_inverse=True)
    values = np.ones(len(names)) if weights is None else np.array([weights[str(name)] for name in names], dtype=float)
    if (values <= 0).any():
        raise ValueError("every stratum needs a weight above 0")
    return StratifiedClusters(clusters, index.astype(np.int64), values / values.sum())
