"""The difference between two models that answered the same items."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import stats

from medctx.records import Record
from medctx_eval.stats.clusters import FEW, FEWEST, LEVEL, BoolArray, ClusterSums, IntArray, Labels, cluster_sums

Word = Literal["gains", "loses", "ties with"]

POWER = 0.8


class Difference(Record):
    """Accuracy of the first model minus that of the second, on N items both answered.

    ``value`` and its 95 % interval [``low``, ``high``] are in [-1, 1] (accuracy points / 100).
    ``only_first`` / ``only_second``: items that only the one or the other got right. ``p_mcnemar`` takes items for
    independent, ``p_swap`` only clusters. ``detectable``: the smallest true difference (absolute) that an exam of
    this noise finds with 80 % power, at most 1.
    """

    n: int = Field(ge=1)
    clusters: int = Field(ge=1)
    value: float = Field(ge=-1, le=1)
    low: float = Field(ge=-1, le=1)
    high: float = Field(ge=-1, le=1)
    only_first: int = Field(ge=0)
    only_second: int = Field(ge=0)
    p_mcnemar: float = Field(ge=0, le=1)
    p_swap: float = Field(ge=0, le=1)
    detectable: float = Field(ge=0, le=1)
    few_clusters: bool = False

    @property
    def word(self) -> Word:
        """A tie is an interval that contains 0; too few clusters for a claim count as one."""
        if self.clusters < FEWEST:
            return "ties with"
        return "gains" if self.low > 0 else "loses" if self.high < 0 else "ties with"

    def not_worse(self, margin: float) -> bool:
        """Non-inferiority: the whole interval lies above ``-margin`` (a one-sided test at 2.5 %, as ICH E9 asks).

        The bound is the lower end of the interval that is shown, so that readers can check the verdict by eye.
        """
        return self.low > -margin


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p of McNemar's test from the two discordant counts (1 where there are none).

    McNemar (1947), Psychometrika 12:153-157, in its exact binomial form.
    """
    discordant = only_first + only_second
    return float(stats.binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0


def swap_test(totals: IntArray) -> float:
    """Exact two-sided p under swapping the two models' names cluster by cluster.

    ``totals`` (G,): per cluster, items only the first got right minus items only the second got right. Under the
    null hypothesis each total is as likely with either sign; the distribution of their sum is the convolution of
    one scaled binomial per absolute value. With one item per cluster this is McNemar's exact test. Fisher's
    randomisation argument for matched pairs: Fisher (1935), The Design of Experiments, section 21.
    """
    sizes, counts = np.unique(np.abs(totals[totals != 0]), return_counts=True)
    observed = abs(int(totals.sum()))
    # chance[k] = P(sum of the totals whose sign came out positive = k)
    chance: NDArray[np.float64] = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        spread = np.zeros(size * count + 1)
        spread[::size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chance = np.convolve(chance, spread).astype(np.float64)
    whole = len(chance) - 1
    reached = np.abs(2 * np.arange(whole + 1) - whole) >= observed
    return min(1.0, float(chance[reached].sum()))


def bootstrap_interval(sums: ClusterSums, draws: int, seed: int, level: float = LEVEL) -> tuple[float, float]:
    """Interval of ``sums.mean`` from ``draws`` resamples of whole clusters.

    Clusters with the same total and size are interchangeable, so a resample is one multinomial draw over the
    distinct (total, size) pairs: the same distribution as drawing clusters one by one, at a fraction of the cost.
    The percentile interval is expanded for few clusters by reading it at the tail
    Phi(-sqrt(G / (G - 1)) t(G - 1)): Hesterberg (2015), The American Statistician 69:371-386, section 5.4.
    """
    count = sums.clusters
    if count < 2:
        return -1.0, 1.0
    pairs, repeats = np.unique(np.stack([sums.totals, sums.sizes], axis=1), axis=0, return_counts=True)
    weights = np.random.default_rng(seed).multinomial(count, repeats / count, size=draws)
    means = (weights @ pairs[:, 0]) / (weights @ pairs[:, 1])
    reach = np.sqrt(count / (count - 1)) * stats.t.ppf((1 + level) / 2, count - 1)
    tail = float(stats.norm.cdf(-reach))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def difference(
    first: BoolArray,
    second: BoolArray,
    clusters: Labels,
    *,
    draws: int = 10_000,
    seed: int = 0,
    level: float = LEVEL,
) -> Difference:
    """Compare ``first`` and ``second`` (both (N,), True = correct) item by item, clustered by ``clusters``.

    The interval is that of :func:`bootstrap_interval`, but never narrower than +-(1 - (alpha / 2)^(1 / N)): models
    that agree on every one of N items may still differ on that share of others (Clopper and Pearson 1934,
    Biometrika 26:404-413, at zero events). ``detectable`` is (t(1 - alpha / 2) + t(power)) standard errors with G - 1
    degrees of freedom: Bloom (1995), Evaluation Review 19:547-556.
    """
    sums = cluster_sums(first.astype(np.int64) - second.astype(np.int64), clusters)
    low, high = bootstrap_interval(sums, draws, seed, level)
    floor = 1 - ((1 - level) / 2) ** (1 / sums.items)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    detectable = 1.0
    if sums.clusters > 1:
        quantiles = stats.t.ppf([(1 + level) / 2, POWER], sums.clusters - 1)
        detectable = min(1.0, max(floor, float(quantiles.sum()) * sums.standard_error))
    return Difference(
        n=sums.items,
        clusters=sums.clusters,
        value=sums.mean,
        low=max(-1.0, min(low, sums.mean - floor)),
        high=min(1.0, max(high, sums.mean + floor)),
        only_first=only_first,
        only_second=only_second,
        p_mcnemar=mcnemar(only_first, only_second),
        p_swap=swap_test(sums.totals),
        detectable=detectable,
        few_clusters=sums.clusters < FEW,
    )
