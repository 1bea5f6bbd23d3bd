"""What an exam of a given size can see, and how large one must be to see a difference."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy import optimize, special, stats

from medctx.errors import MedctxError
from medctx.schemas.records import Record
from medctx.schemas.report import LEVEL
from medctx_eval.power.moments import skewness_and_kurtosis
from medctx_eval.stats.clusters import Labels, Values, clusters_of
from medctx_eval.stats.paired import POWER

MOST_CLUSTERS = 10_000_000
LEAST_VARIANCE, LEAST_SHIFT = 0.2, -0.15
"""Of the t statistic under skewed clusters: beyond these the first-order formula is none."""


class Design(Record):
    """An exam: ``clusters`` Books, patients or documents of ``per_cluster`` items each; ``size_cv`` is the coefficient
    of variation of the clusters' sizes, 0 where all are equal.
    """

    clusters: int = Field(ge=2)
    per_cluster: float = Field(ge=1)
    size_cv: float = Field(0.0, ge=0)

    @property
    def items(self) -> int:
        """N."""
        return round(self.clusters * self.per_cluster)


class Disagreement(Record):
    """How two models differ: on a share ``discordance`` of the items exactly one of them is right, and ``icc`` is the
    correlation of their difference between two items of a cluster.
    """

    discordance: float = Field(gt=0, le=1)
    icc: float = Field(ge=0, le=1)


def _error(delta: float, models: Disagreement, exam: Design) -> float:
    """Standard error of a paired difference of ``delta``.

    Item differences are -1, 0 or 1, so their variance is discordance - delta^2; clusters multiply it by the design
    effect 1 + ((1 + cv^2) m - 1) icc: Eldridge, Ashby and Kerry (2006), Int. J. Epidemiology 35:1292-1300.
    """
    effect = 1 + ((1 + exam.size_cv**2) * exam.per_cluster - 1) * models.icc
    variance = max(models.discordance - delta**2, 1e-9)
    return float(np.sqrt(variance * effect / (exam.clusters * exam.per_cluster)))


def _shift(delta: float, models: Disagreement, exam: Design, threshold: float) -> float:
    """By how many standard deviations skewed clusters move the t statistic above ``threshold``, against normal ones.

    Where the difference is most of the discordance, clusters are skewed: their mean and their variance come out small
    together, and the statistic varies less. First-order moments of a studentised mean, whose variance for a
    standardised mean d is 1 - skewness x d + (kurtosis - 1) x d^2 / 4: Bentkus, Jing, Shao and Zhou (2007), Bernoulli
    13:346-364.
    """
    count = exam.clusters
    ncp = delta / _error(delta, models, exam)
    mean = ncp / np.sqrt(count)

    def above(skewness: float, kurtosis: float) -> float:
        centre = ncp * (1 + 3 * (kurtosis - 1) / (8 * count)) - skewness / (2 * np.sqrt(count))
        variance = max(1 - skewness * mean + (kurtosis - 1) * mean**2 / 4, LEAST_VARIANCE)
        return float((centre - threshold) / np.sqrt(variance))

    items = exam.per_cluster * (1 + exam.size_cv**2)
    shape = skewness_and_kurtosis(items, delta, models.discordance, models.icc)
    return max(above(*shape) - above(0.0, 3.0), LEAST_SHIFT)


def power(delta: float, models: Disagreement, exam: Design, level: float = LEVEL) -> float:
    """Chance in [0, 1] that the interval of a true difference ``delta`` > 0 lies above 0.

    The noncentral t distribution with one degree of freedom less than there are clusters, shifted for the skewness of
    clusters in which few items tell the two models apart.
    """
    df = exam.clusters - 1
    threshold = float(special.stdtrit(df, (1 + level) / 2))
    normal = float(stats.nct.sf(threshold, df, delta / _error(delta, models, exam)))
    if not 0 < normal < 1:
        return normal
    return float(special.ndtr(special.ndtri(normal) + _shift(delta, models, exam, threshold)))


def detectable(models: Disagreement, exam: Design, wanted: float = POWER, level: float = LEVEL) -> float | None:
    """The smallest difference in (0, 1) found with power ``wanted``; nothing where even all the discordance would not
    be.
    """
    most = models.discordance
    if power(most, models, exam, level) < wanted:
        return None
    return float(optimize.brentq(lambda delta: power(delta, models, exam, level) - wanted, 1e-9, most))


def clusters_needed(
    delta: float, models: Disagreement, per_cluster: float, *, size_cv: float = 0.0, wanted: float = POWER
) -> int:
    """The fewest clusters of ``per_cluster`` items with which a difference ``delta`` in (0, 1) is found."""
    if not 0 < delta < models.discordance:
        raise MedctxError(
            f"Models that answer {models.discordance:.1%} of the items differently cannot differ by {100 * delta:g} "
            "points; ask for a smaller --delta or a larger --discordance."
        )

    def enough(clusters: int) -> bool:
        exam = Design(clusters=clusters, per_cluster=per_cluster, size_cv=size_cv)
        return power(delta, models, exam) >= wanted

    high = 2
    while not enough(high):
        high *= 2
        if high > MOST_CLUSTERS:
            raise MedctxError(
                f"No exam of up to {MOST_CLUSTERS:,} clusters sees {100 * delta:g} points; ask for a larger --delta."
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def measure(difference: Values, clusters: Labels) -> tuple[Disagreement, Design]:
    """Discordance, correlation and design from the item ``difference`` (N,) in [-1, 1] of two runs.

    The correlation is the analysis-of-variance estimate (Donner 1986, Int. Statistical Review 54:67-82), at least 0;
    where every cluster has one item it is 0. Raises MedctxError where the runs never differ.
    """
    known = clusters_of(clusters)
    values = np.asarray(difference, dtype=np.float64)
    discordance = float(np.square(values).mean())
    if known.count < 2 or discordance == 0:
        raise MedctxError("The runs agree on every item or lie in one cluster; state --discordance and --icc instead.")
    means = known.totals(values[None])[0] / known.sizes
    inner = known.items - known.count
    icc = 0.0
    if inner:
        within = float(np.square(values - means[known.index]).sum()) / inner
        between = float((known.sizes * np.square(means - values.mean())).sum()) / (known.count - 1)
        usual = (known.items - float(np.square(known.sizes).sum()) / known.items) / (known.count - 1)
        total = between + (usual - 1) * within
        icc = float(np.clip((between - within) / total, 0, 1)) if total > 0 else 0.0
    per_cluster = known.items / known.count
    exam = Design(clusters=known.count, per_cluster=per_cluster, size_cv=float(np.std(known.sizes)) / per_cluster)
    return Disagreement(discordance=discordance, icc=icc), exam
