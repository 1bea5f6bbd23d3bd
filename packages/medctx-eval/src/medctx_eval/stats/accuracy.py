"""Accuracy of one model with an interval that knows its items come in clusters."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy import stats

from medctx.records import Record
from medctx_eval.stats.clusters import FEW, LEVEL, BoolArray, Labels, cluster_sums


class Accuracy(Record):
    """``value`` = correct / N in [0, 1] and its 95 % interval [``low``, ``high``], inside [0, 1]."""

    n: int = Field(ge=1)
    clusters: int = Field(ge=1)
    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    few_clusters: bool = False


def wilson(value: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of a proportion ``value`` seen in ``n`` (possibly fractional, > 0) independent trials.

    Wilson (1927), J. Am. Stat. Assoc. 22:209-212.
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    centre = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def accuracy(correct: BoolArray, clusters: Labels, level: float = LEVEL) -> Accuracy:
    """Share of True in ``correct`` (N,) with an interval for items clustered by ``clusters`` (N labels).

    Wilson's interval at the effective sample size p (1 - p) / variance, which is at most N and is shrunk by the
    squared ratio of the normal to the t quantile with G - 1 degrees of freedom: Korn and Graubard (1998), Survey
    Methodology 24:193-201, whose degrees-of-freedom correction is what few clusters need; Dean and Pagano (2015),
    J. Survey Stat. Methodol. 3:484-503, find the Wilson form to cover best. Where every item has the same
    outcome the variance says nothing and the effective size is the number of clusters.
    """
    sums = cluster_sums(correct, clusters)
    value, count = sums.mean, sums.clusters
    if count == 1:
        low, high = 0.0, 1.0
    else:
        variance = sums.standard_error**2
        effective = min(sums.items, value * (1 - value) / variance) if 0 < value < 1 and variance > 0 else count
        tail = (1 + level) / 2
        shrink = float(stats.norm.ppf(tail) / stats.t.ppf(tail, count - 1)) ** 2
        low, high = wilson(value, effective * shrink, level)
        # Rounding must not put the value outside its own interval.
        low, high = min(low, value), max(high, value)
    return Accuracy(n=sums.items, clusters=count, value=value, low=low, high=high, few_clusters=count < FEW)
