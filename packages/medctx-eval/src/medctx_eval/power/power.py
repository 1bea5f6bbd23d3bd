"""Power of a paired comparison: what an exam of a given size detects, and the size needed for a difference."""

from __future__ import annotations

from math import comb, floor, prod

import numpy as np
from pydantic import Field
from scipy import optimize, special, stats

from medctx.errors import MedctxError
from medctx.schemas.records import Record
from medctx.schemas.statistics import LEVEL
from medctx_eval.stats.clusters import Labels, Values, clusters_of
from medctx_eval.stats.paired import POWER

MAX_CLUSTERS = 10_000_000
MIN_VARIANCE, MIN_SHIFT = 0.2, -0.15
"""Bounds of the t statistic's variance and shift under skewed clusters; beyond them the first-order formula fails."""

_STIRLING = ((1,), (0, 1), (0, 1, 1), (0, 1, 3, 1), (0, 1, 7, 6, 1))
"""Stirling numbers of the second kind: powers up to the fourth in terms of falling factorials."""


class ExamDesign(Record):
    """Size of an exam.

    Attributes:
        clusters: Number of Books, patients or documents.
        per_cluster: Mean number of items per cluster.
        size_cv: Coefficient of variation of the cluster sizes; 0 if all are equal.
    """

    clusters: int = Field(ge=2)
    per_cluster: float = Field(ge=1)
    size_cv: float = Field(0.0, ge=0)

    @property
    def items(self) -> int:
        """Number of items."""
        return round(self.clusters * self.per_cluster)


class Disagreement(Record):
    """How two models differ.

    Attributes:
        discordance: Share of items that exactly one of them answers correctly.
        icc: Correlation of their difference between two items of a cluster.
    """

    discordance: float = Field(gt=0, le=1)
    icc: float = Field(ge=0, le=1)


def _factorial_moment(items: int, first: float, second: float, icc: float, powers: tuple[int, int]) -> float:
    """Mixed factorial moment of the counts of items that only the first or only the second model answered correctly.

    For ``items`` items with probabilities ``first`` and ``second`` under a Dirichlet distribution of total
    concentration (1 - icc) / icc: Mosimann (1962), Biometrika 49:65-82.
    """
    a, b = powers
    ways = prod(items - place for place in range(a + b))
    if icc == 0:
        return float(ways * first**a * second**b)
    total = (1 - icc) / icc
    rising = prod(first * total + place for place in range(a)) * prod(second * total + place for place in range(b))
    return float(ways * rising / prod(total + place for place in range(a + b)))


def _raw_moments(items: int, first: float, second: float, icc: float) -> list[float]:
    """Moments about 0, up to the fourth, of the first count minus the second."""

    def product(a: int, b: int) -> float:
        return sum(
            _STIRLING[a][i] * _STIRLING[b][j] * _factorial_moment(items, first, second, icc, (i, j))
            for i in range(a + 1)
            for j in range(b + 1)
        )

    return [sum(comb(k, a) * (-1) ** (k - a) * product(a, k - a) for a in range(k + 1)) for k in range(5)]


def skewness_and_kurtosis(items: float, delta: float, discordance: float, icc: float) -> tuple[float, float]:
    """Skewness and kurtosis of the difference of two models in one cluster; 0 and 3 for a normal distribution.

    Args:
        items: Items of the cluster, at least 1; moments are interpolated between whole numbers.
        delta: True difference.
        discordance: Share of items exactly one model answers correctly, above 0.
        icc: Correlation of two items of a cluster.
    """
    chances = (discordance + delta) / 2, max((discordance - delta) / 2, 0.0)
    # No concentration parameter can be computed at a correlation of 0 or 1.
    icc = 0.0 if icc < 1e-6 else min(icc, 0.99)
    whole = floor(items)
    share = items - whole
    ends = _raw_moments(whole, *chances, icc), _raw_moments(whole + 1, *chances, icc)
    mean, second, third, fourth = (
        (1 - share) * low + share * high for low, high in zip(ends[0][1:], ends[1][1:], strict=True)
    )
    variance = second - mean**2
    skewness = (third - 3 * mean * second + 2 * mean**3) / variance**1.5
    return skewness, (fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4) / variance**2


def _error(delta: float, models: Disagreement, exam: ExamDesign) -> float:
    """Standard error of a paired difference of ``delta``.

    Item differences are -1, 0 or 1, so their variance is discordance - delta^2; clusters multiply it by the design
    effect 1 + ((1 + cv^2) m - 1) icc: Eldridge, Ashby and Kerry (2006), Int. J. Epidemiology 35:1292-1300.
    """
    effect = 1 + ((1 + exam.size_cv**2) * exam.per_cluster - 1) * models.icc
    variance = max(models.discordance - delta**2, 1e-9)
    return float(np.sqrt(variance * effect / (exam.clusters * exam.per_cluster)))


def _shift(delta: float, models: Disagreement, exam: ExamDesign, threshold: float) -> float:
    """Shift of the t statistic above ``threshold`` due to skewed clusters, in standard deviations.

    Where the difference is most of the discordance, clusters are skewed: mean and variance are small together and the
    statistic varies less. First-order moments of a studentised mean, whose variance for a standardised mean d is
    1 - skewness x d + (kurtosis - 1) x d^2 / 4: Bentkus, Jing, Shao and Zhou (2007), Bernoulli 13:346-364.
    """
    count = exam.clusters
    ncp = delta / _error(delta, models, exam)
    mean = ncp / np.sqrt(count)

    def above(skewness: float, kurtosis: float) -> float:
        centre = ncp * (1 + 3 * (kurtosis - 1) / (8 * count)) - skewness / (2 * np.sqrt(count))
        variance = max(1 - skewness * mean + (kurtosis - 1) * mean**2 / 4, MIN_VARIANCE)
        return float((centre - threshold) / np.sqrt(variance))

    items = exam.per_cluster * (1 + exam.size_cv**2)
    shape = skewness_and_kurtosis(items, delta, models.discordance, models.icc)
    return max(above(*shape) - above(0.0, 3.0), MIN_SHIFT)


def power(delta: float, models: Disagreement, exam: ExamDesign, level: float = LEVEL) -> float:
    """Probability that the interval of a true difference ``delta`` > 0 lies above 0.

    The noncentral t distribution with one degree of freedom less than there are clusters, shifted for the skewness of
    clusters in which few items tell the two models apart.

    Args:
        delta: True difference in (0, 1).
        models: How the two models differ.
        exam: Size of the exam.
        level: Confidence level of the interval.
    """
    df = exam.clusters - 1
    threshold = float(special.stdtrit(df, (1 + level) / 2))
    normal = float(stats.nct.sf(threshold, df, delta / _error(delta, models, exam)))
    if not 0 < normal < 1:
        return normal
    return float(special.ndtr(special.ndtri(normal) + _shift(delta, models, exam, threshold)))


def detectable_difference(
    models: Disagreement, exam: ExamDesign, target: float = POWER, level: float = LEVEL
) -> float | None:
    """Smallest difference in (0, 1) found with power ``target``; None if even the largest possible one is not."""
    largest = models.discordance
    if power(largest, models, exam, level) < target:
        return None
    return float(optimize.brentq(lambda delta: power(delta, models, exam, level) - target, 1e-9, largest))


def clusters_needed(
    delta: float, models: Disagreement, per_cluster: float, *, size_cv: float = 0.0, target: float = POWER
) -> int:
    """Smallest number of clusters of ``per_cluster`` items with which a difference ``delta`` in (0, 1) is found.

    Raises:
        MedctxError: If the models cannot differ by ``delta``, or more than ten million clusters are needed.
    """
    if not 0 < delta < models.discordance:
        raise MedctxError(
            f"Models that answer {models.discordance:.1%} of the items differently cannot differ by {100 * delta:g} "
            "points; pass a smaller --delta or a larger --discordance."
        )

    def enough(clusters: int) -> bool:
        exam = ExamDesign(clusters=clusters, per_cluster=per_cluster, size_cv=size_cv)
        return power(delta, models, exam) >= target

    high = 2
    while not enough(high):
        high *= 2
        if high > MAX_CLUSTERS:
            raise MedctxError(
                f"No exam of up to {MAX_CLUSTERS:,} clusters detects {100 * delta:g} points; pass a larger --delta."
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def measure_disagreement(difference: Values, clusters: Labels) -> tuple[Disagreement, ExamDesign]:
    """Discordance, correlation and exam design from the item differences of two runs.

    The correlation is the analysis-of-variance estimate (Donner 1986, Int. Statistical Review 54:67-82), at least 0; it
    is 0 if every cluster has one item.

    Args:
        difference: Item differences in [-1, 1], shape (N,).
        clusters: Cluster label of each item.

    Raises:
        MedctxError: If the runs never differ or all items lie in one cluster.
    """
    grouping = clusters_of(clusters)
    values = np.asarray(difference, dtype=np.float64)
    discordance = float(np.square(values).mean())
    if grouping.count < 2 or discordance == 0:
        raise MedctxError("The runs agree on every item or lie in one cluster; pass --discordance and --icc instead.")
    means = grouping.totals(values[None])[0] / grouping.sizes
    inner = grouping.items - grouping.count
    icc = 0.0
    if inner:
        within = float(np.square(values - means[grouping.index]).sum()) / inner
        between = float((grouping.sizes * np.square(means - values.mean())).sum()) / (grouping.count - 1)
        usual = (grouping.items - float(np.square(grouping.sizes).sum()) / grouping.items) / (grouping.count - 1)
        total = between + (usual - 1) * within
        icc = float(np.clip((between - within) / total, 0, 1)) if total > 0 else 0.0
    per_cluster = grouping.items / grouping.count
    exam = ExamDesign(
        clusters=grouping.count, per_cluster=per_cluster, size_cv=float(np.std(grouping.sizes)) / per_cluster
    )
    return Disagreement(discordance=discordance, icc=icc), exam
