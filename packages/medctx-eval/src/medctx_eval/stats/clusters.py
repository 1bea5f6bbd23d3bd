"""Sums of item values over clusters: all that the interval formulas need to know about an exam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Labels = Sequence[str] | NDArray[np.str_] | NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LEVEL = 0.95
FEWEST = 10
"""Below this many clusters no difference is called a gain or a loss."""

FEW = 30
"""Below this many clusters the asymptotics are thin (Cameron and Miller 2015, J. Human Resources 50:317-372,
section VI) and results carry a warning beside their correction."""


@dataclass(frozen=True)
class ClusterSums:
    """``totals[g]`` the sum of the values in cluster g, ``sizes[g]`` how many items it has; both of shape (G,)."""

    totals: IntArray
    sizes: IntArray

    @property
    def clusters(self) -> int:
        """G."""
        return len(self.sizes)

    @property
    def items(self) -> int:
        """N."""
        return int(self.sizes.sum())

    @property
    def mean(self) -> float:
        """Mean over items, not over clusters: every item weighs the same."""
        return float(self.totals.sum() / self.sizes.sum())

    @property
    def standard_error(self) -> float:
        """Cluster-robust standard error of the mean; infinite where there is one cluster only.

        Linearised variance of a ratio of cluster totals with the factor G / (G - 1): Cochran (1977), Sampling
        Techniques, section 9A.2; the sandwich of Liang and Zeger (1986), Biometrika 73:13-22, for a mean.
        """
        if self.clusters < 2:
            return float("inf")
        residuals = self.totals - self.mean * self.sizes
        variance = self.clusters / (self.clusters - 1) * float(residuals @ residuals) / self.items**2
        return float(np.sqrt(variance))


def cluster_sums(values: IntArray | BoolArray, clusters: Labels) -> ClusterSums:
    """Sum ``values`` (N,) within ``clusters`` (N labels). The result does not depend on the order of the items."""
    if len(values) == 0 or len(values) != len(clusters):
        raise ValueError(f"{len(values)} values for {len(clusters)} cluster labels")
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    sizes = np.bincount(index)
    totals = np.zeros(len(sizes), dtype=np.int64)
    np.add.at(totals, index, np.asarray(values, dtype=np.int64))
    return ClusterSums(totals=totals, sizes=sizes.astype(np.int64))
