"""Results of the statistics: accuracies, paired differences and what is derived from them.

All accuracies and shares lie in [0, 1], differences in [-1, 1], differences of differences in [-2, 2]; multiply by 100
for percent and accuracy points. Intervals hold 95 %. The functions that compute these records are in
``medctx_eval.stats``.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from medctx.schemas.records import Record

LEVEL = 0.95
"""Confidence level of every interval."""
MIN_CLUSTERS = 10
"""With fewer clusters no difference is called a gain, a loss or an equivalence."""
FEW_CLUSTERS = 30
"""With fewer clusters asymptotic results are unreliable, so results carry a warning beside their correction for it
(Cameron and Miller 2015, J. Human Resources 50:317-372, section VI)."""
MIN_SEED_DF = 2
"""Degrees of freedom of each cell from which those of the pooled variance of seeds are computed from how much cells
differ. Two seeds (one degree) cannot show it: intervals would be three times as wide."""
MAX_COCHRAN_P = 0.1
"""P value below which the variances of cells count as different."""

Outcome = Literal["gains", "loses", "equals", "not told apart"]
"""What a paired difference shows: its interval lies above 0, below 0, inside the margin around 0, or none of these."""


class Accuracy(Record):
    """Share of correct answers with its interval.

    Attributes:
        n: Number of items.
        clusters: Number of clusters (documents, patients, facts) the items belong to.
        value: Mean over items and over the ``seeds`` runs.
        low: Lower end of the interval.
        high: Upper end of the interval.
        seeds: Number of training seeds averaged.
        seed_error: Standard error due to training seeds, included in the interval. None if no cell was trained with
            several seeds; the interval then holds for these runs only.
        few_clusters: True below ``FEW_CLUSTERS`` clusters.
    """

    n: int = Field(ge=1)
    clusters: int = Field(ge=1)
    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    seeds: int = Field(1, ge=1)
    seed_error: float | None = None
    few_clusters: bool = False


class Difference(Record):
    """Accuracy of a first model minus that of a second on the items both answered, or a difference of two such values.

    Attributes:
        n: Number of items under their conditions. An item asked in several option orders or of several training seeds
            counts once, with its mean.
        clusters: Number of clusters of these items.
        value: The difference.
        low: Lower end of the interval.
        high: Upper end of the interval.
        bootstrap: Both ends of the cluster bootstrap interval alone, for comparison.
        only_first: Items on which the first model did better.
        only_second: Items on which the second model did better.
        p: P value that belongs to the interval: at most 0.05 exactly where the interval excludes 0. It is the mid-p of
            the permutation test; with repeated seeds it is at least that of a t test that includes their variance.
        p_mcnemar: Exact P value of McNemar's test, which assumes independent items. None for a difference of
            differences.
        p_permutation: Exact P value of the permutation test over clusters. None for a difference of differences.
        detectable: Smallest true difference (absolute value) found with 80 % power by an exam with this variance.
        error: Standard error due to items.
        df: Degrees of freedom of ``error``; 0 without an interval, where all items of a part lie in one cluster.
        seeds: Number of training seeds of the side that has fewest.
        seed_error: Standard error due to training seeds, or None if no cell was trained with several.
        seed_df: Degrees of freedom of ``seed_error``.
        seeds_differ: Whether training seeds vary more in some cells than in others; then each cell's own variance is
            used and no difference is claimed.
        few_clusters: True below ``FEW_CLUSTERS`` clusters.
    """

    n: int = Field(ge=1)
    clusters: int = Field(ge=1)
    value: float = Field(ge=-2, le=2)
    low: float = Field(ge=-2, le=2)
    high: float = Field(ge=-2, le=2)
    bootstrap: tuple[float, float]
    only_first: int = Field(ge=0)
    only_second: int = Field(ge=0)
    p: float = Field(ge=0, le=1)
    p_mcnemar: float | None = Field(None, ge=0, le=1)
    p_permutation: float | None = Field(None, ge=0, le=1)
    detectable: float = Field(ge=0, le=1)
    error: float = Field(ge=0, le=1)
    df: float = Field(ge=0)
    seeds: int = Field(1, ge=1)
    seed_error: float | None = Field(None, ge=0)
    seed_df: int = Field(0, ge=0)
    seeds_differ: bool = False
    few_clusters: bool = False

    @property
    def excludes_zero(self) -> bool:
        """Whether a gain or loss is claimed: the interval excludes 0, clusters suffice and seeds do not differ."""
        return self.clusters >= MIN_CLUSTERS and not self.seeds_differ and (self.low > 0 or self.high < 0)

    @property
    def turned(self) -> Difference:
        """The same difference with the models in the other order."""
        low, high = self.bootstrap
        update = {
            "value": -self.value,
            "low": -self.high,
            "high": -self.low,
            "bootstrap": (-high, -low),
            "only_first": self.only_second,
            "only_second": self.only_first,
        }
        return self.model_copy(update=update)

    def not_worse(self, margin: float) -> bool:
        """Non-inferiority: the whole interval lies above ``-margin``, a one-sided test at 2.5 % as in ICH E9.

        Uses the lower end of the interval that is shown, so that readers can check the result. Always False below
        ``MIN_CLUSTERS`` clusters, and where training seeds differ in spread.
        """
        return self.clusters >= MIN_CLUSTERS and not self.seeds_differ and self.low > -margin

    def equivalent(self, margin: float) -> bool:
        """Whether the whole interval lies inside ``margin`` on both sides of 0."""
        return self.not_worse(margin) and self.high < margin

    def outcome(self, margin: float = 0.0) -> Outcome:
        """The difference in words; "equals" only where equivalence within ``margin`` is shown."""
        if self.excludes_zero:
            return "gains" if self.low > 0 else "loses"
        return "equals" if self.equivalent(margin) else "not told apart"


class Equivalence(Record):
    """Two one-sided tests of a difference against ``margin``.

    Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15:657-680.

    Attributes:
        margin: The margin, in (0, 1).
        p_not_worse: P value of the null hypothesis that the first model is worse by the margin or more.
        p_not_better: P value of the null hypothesis that it is better by the margin or more.
        not_worse: Whether the shown interval lies above ``-margin``, each side tested at 2.5 %.
        equivalent: Whether it lies inside the margin on both sides.
    """

    margin: float = Field(gt=0, lt=1)
    p_not_worse: float = Field(ge=0, le=1)
    p_not_better: float = Field(ge=0, le=1)
    not_worse: bool
    equivalent: bool

    @property
    def p_equivalent(self) -> float:
        """P value of both tests together, the larger of the two."""
        return max(self.p_not_worse, self.p_not_better)


class RepeatNoise(Record):
    """How much two exams of one model on the same items differ.

    Attributes:
        verdicts: Share of items that were right in one exam and wrong in the other.
        answers: Share of items whose chosen letters changed, right or wrong.
        difference: Accuracy of the second exam minus that of the first.
        floor: Difference that 95 of 100 pairs of exams of one model stay below; smaller differences between models
            show nothing.
    """

    verdicts: Accuracy
    answers: Accuracy
    difference: Difference
    floor: float = Field(ge=0, le=1)


class ContextGain(Record):
    """Accuracy with the Book of one condition minus accuracy without a Book, on the items asked both ways."""

    condition: str
    difference: Difference


class Behaviour(Record):
    """Shares of items that show a behaviour; None where no item was asked in a way that shows it.

    ``knows`` and ``reads`` include the variance of training seeds in their intervals; the others hold for these runs.

    Attributes:
        knows: Right without a Book, on facts that training teaches.
        reads: Right with the evidence in the Book, alone or among distractors.
        context_gain: ``reads`` minus ``knows`` on the items asked both ways.
        gains: The same for each condition, depths of the evidence pooled.
        trusts_memory: Among the items it knows, answers from memory although the Book says otherwise.
        invents: Among readable answers to questions whose evidence was removed, answers instead of abstentions.
    """

    knows: Accuracy | None = None
    reads: Accuracy | None = None
    context_gain: Difference | None = None
    gains: tuple[ContextGain, ...] = ()
    trusts_memory: Accuracy | None = None
    invents: Accuracy | None = None


class Stratum(Record):
    """The difference to the base on the items of one stratum; None for what is pooled.

    Attributes:
        tokens: Largest length of the Books in tokens; None also for Books of the evidence only.
        depth: Position of the evidence in the Book, 0 (first) to 1 (last).
        distractors: Fewest and most passages beside the evidence.
        difference: Tuned cell minus base.
    """

    tokens: int | None = None
    depth: float | None = None
    distractors: tuple[int, int] | None = None
    difference: Difference


TermName = Literal["start", "length", "depth", "edge", "model", "model x length", "model x depth", "model x edge"]


class TrendTerm(Record):
    """One coefficient of a ``Trend``, in log odds of a right answer.

    Attributes:
        name: ``start`` is the base and ``model`` the tuned cell against the base; ``length``, ``depth`` and ``edge``
            are how the base changes, ``model x length`` and so on how much more the tuned cell changes.
        value: The coefficient.
        low: Lower end of its interval.
        high: Upper end of its interval.
        p: Two-sided P value of the coefficient being 0.
        meaning: What it compares, in words.
    """

    name: TermName
    value: float
    low: float
    high: float
    p: float = Field(ge=0, le=1)
    meaning: str

    @property
    def odds(self) -> float:
        """The factor exp(value) on the odds; below 1 where right answers become rarer."""
        return math.exp(self.value)


class Trend(Record):
    """A logistic model of right answers under ``open`` conditions, fitted to the answers of base and tuned cell.

    Generalised estimating equations (Liang and Zeger 1986, Biometrika 73:13-22) with an independence working
    correlation, which stays valid where length and depth vary within a cluster (Pepe and Anderson 1994, Communications
    in Statistics - Simulation 23:939-951). Standard errors are cluster-robust, with t quantiles of ``clusters`` - 1
    degrees of freedom.

    Attributes:
        rows: Number of answers.
        clusters: Number of clusters.
        few_clusters: True below ``FEW_CLUSTERS`` clusters.
        bias_reduced: Whether standard errors are bias-reduced (Mancl and DeRouen 2001, Biometrics 57:126-134).
        tokens: Length of the Book at which the terms hold (geometric mean), with the evidence halfway between front
            and back and halfway between middle and end.
        terms: The coefficients.
    """

    rows: int
    clusters: int
    few_clusters: bool
    bias_reduced: bool
    tokens: float
    terms: tuple[TrendTerm, ...]


class Attribution(Record):
    """A difference to the base split into strata of the Books.

    Attributes:
        by_tokens: By length of the Book.
        by_depth: By position of the evidence.
        by_distractors: By number of distractors; empty if the Books were not available.
        by_tokens_and_depth: By both.
        by_all: By length, position and number of distractors together.
        trend: Length and depth in one model; None if it could not be fitted.
    """

    by_tokens: tuple[Stratum, ...] = ()
    by_depth: tuple[Stratum, ...] = ()
    by_distractors: tuple[Stratum, ...] = ()
    by_tokens_and_depth: tuple[Stratum, ...] = ()
    by_all: tuple[Stratum, ...] = ()
    trend: Trend | None = None
