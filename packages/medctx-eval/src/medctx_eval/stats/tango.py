"""Score intervals of paired differences: right where few items tell two models apart."""

from __future__ import annotations

import numpy as np
from scipy import special

from medctx_eval.stats.clusters import Clusters, FloatArray

MOST = 2.0
"""Independent items that an item may count for at most: with few clusters their variance may come out far too small by
chance."""
STEPS = 40
"""Halvings: ends are known to 1e-12."""


def _scores(differences: FloatArray, gained: FloatArray, lost: FloatArray, size: FloatArray) -> FloatArray:
    """Standardised distance of what was seen from hypothesised ``differences`` (2, P).

    ``gained`` and ``lost`` (P,) are shares of ``size`` items that only the first or only the second model got right.
    Their variance is the one that the hypothesis itself makes likeliest: Tango (1998), Statistics in Medicine
    17:891-908.
    """
    linear = -gained - lost + (2 - gained + lost) * differences
    constant = -lost * differences * (1 - differences)
    second = (np.sqrt(np.maximum(linear**2 - 8 * constant, 0)) - linear) / 4
    variance = np.maximum(2 * second + differences * (1 - differences), 0) / size
    distance = gained - lost - differences
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, distance / np.sqrt(variance))


def _effective(by_item: FloatArray, errors: FloatArray, clusters: Clusters, level: float) -> FloatArray:
    """How many independent items (P,) would tell as much as N items in clusters with standard ``errors`` (P,)."""
    discordance, value = np.abs(by_item).mean(axis=1), by_item.mean(axis=1)
    binomial = discordance - value**2
    quantile = special.ndtri((1 + level) / 2) / special.stdtrit(clusters.count - 1, (1 + level) / 2)
    alone = by_item.var(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = binomial * (quantile / errors) ** 2
        most = MOST * clusters.items * binomial / alone
    known = (binomial > 1e-12) & (alone > 1e-12)
    return np.where(known, np.minimum(size, most), float(clusters.items))


def score_intervals(
    by_item: FloatArray, errors: FloatArray, clusters: Clusters, level: float
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends (P,) for the mean item differences ``by_item`` (P, N) in [-1, 1].

    Tango's interval for pairs, whose variance belongs to the hypothesised difference and not to the one seen: where
    few items are answered differently, the latter is small whenever the difference comes out small, and Wald's and
    the bootstrap's intervals then miss the truth on one side. Clusters enter by the effective sample size, the
    binomial variance over the cluster-robust one (``errors`` squared), times the squared ratio of the normal to the t
    quantile with G - 1 degrees of freedom: Yang, Sun and Hardin (2012), Pharmaceutical Statistics 11:386-393, with the
    correction for few clusters of Korn and Graubard (1998), Survey Methodology 24:193-201. Values between -1 and 1
    (several orders, several seeds) make the dispersion smaller than binomial, as in quasi-likelihood.
    """
    size = _effective(by_item, errors, clusters, level)
    gained, lost = np.maximum(by_item, 0).mean(axis=1), np.maximum(-by_item, 0).mean(axis=1)
    quantile = float(special.ndtri((1 + level) / 2))
    sides = np.array([[1.0], [-1.0]])
    near, far = np.tile(gained - lost, (2, 1)), np.tile(-sides, len(by_item))
    for _ in range(STEPS):
        middle = (near + far) / 2
        outside = sides * _scores(middle, gained, lost, size) > quantile
        far, near = np.where(outside, middle, far), np.where(outside, near, middle)
    return near[0], near[1]
