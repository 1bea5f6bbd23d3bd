"""Sums of item values over clusters, from which all interval formulas are computed.

Shapes: R runs, N items, G clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
