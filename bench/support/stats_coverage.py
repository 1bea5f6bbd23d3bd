"""How often intervals cover the truth and tests alarm falsely, measured on simulated exams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from pydantic import Field

from bench.support.stats_simulate import (
    MEAN_SIZE,
    SIZE_CV,
    paired_exam,
    seeded_exam,
    unequal_exam,
    unequal_items,
)
from medctx.schemas.records import Record
from medctx.schemas.statistics import Accuracy, Difference
from medctx_eval.power.power import Disagreement, ExamDesign, detectable_difference, power
from medctx_eval.stats.accuracy import accuracies
from medctx_eval.stats.contrast import difference_of_differences
from medctx_eval.stats.paired import differences

CLUSTERS = (20, 60, 200)
CORRELATIONS = (0.0, 0.1, 0.3)
SEEDS = ((2, 0.0), (2, 0.02), (3, 0.02), (3, 0.05))
"""Training seeds per cell, and the standard deviation of accuracy between them."""
CHURN, SPARSE = 0.3, 0.1
"""Share of items that two models answer differently: usual, and so small that few items tell them apart."""
COVERED = (0.93, 0.97)
ALARMS = 0.06
POWER_OFF = 0.05


class Limits(Record):
    """What a row must hold: coverage between two shares, false alarms up to one, power near what was predicted.

    ``slack`` is added on every side, for simulations too short to tell.
    """

    slack: float = Field(0.0, ge=0)

    def covered(self, share: float) -> bool:
        """Whether a coverage is right."""
        return COVERED[0] - self.slack <= share <= COVERED[1] + self.slack

    def alarms(self, share: float) -> bool:
        """Whether false alarms are rare enough."""
        return share <= ALARMS + self.slack

    def near(self, seen: float, predicted: float) -> bool:
        """Whether a power was predicted."""
        return abs(seen - predicted) <= POWER_OFF + self.slack


class Row(Record):
    """One setting. ``effect`` is the true difference of its second half in [0, 1]; shares are of ``exams``.

    ``churn``: the share of items that two runs answer differently (nothing where it follows from the seeds).
    ``cover_accuracy``, ``cover_null``, ``cover_effect``: intervals that hold the truth. ``alarm``: differences called
    without there being one, by interval; ``alarm_p``: by p < 0.05 of the test that belongs to it; ``alarm_mcnemar``: by
    McNemar's, which takes items for independent. ``cover_bootstrap``: as ``cover_effect``, of the cluster bootstrap
    alone. These two are shown and held to nothing. ``power`` beside what the plan ``predicted``.
    """

    clusters: int
    icc: float
    churn: float | None = None
    seeds: int = 1
    seed_deviation: float = 0.0
    exams: int
    effect: float
    cover_accuracy: float
    cover_null: float
    cover_effect: float
    cover_bootstrap: float
    alarm: float
    alarm_p: float
    alarm_mcnemar: float
    power: float | None = None
    predicted: float | None = None

    def failures(self, limits: Limits) -> tuple[str, ...]:
        """What is out of bounds."""
        held = {
            "accuracy": self.cover_accuracy >= COVERED[0] - limits.slack,
            "null": limits.covered(self.cover_null),
            "effect": limits.covered(self.cover_effect),
            "alarm": limits.alarms(self.alarm),
            "alarm p": limits.alarms(self.alarm_p),
            "power": self.power is None or self.predicted is None or limits.near(self.power, self.predicted),
        }
        return tuple(name for name, holds in held.items() if not holds)


def _holds(ends: tuple[float, float], truth: float) -> bool:
    return ends[0] <= truth <= ends[1]


def _seen(right: Accuracy, nothing: Difference, gain: Difference, accuracy: float, effect: float) -> tuple[bool, ...]:
    """What one pair of exams shows, in the order of ``_SHARES``."""
    return (
        _holds((right.low, right.high), accuracy),
        _holds((nothing.low, nothing.high), 0.0),
        _holds((gain.low, gain.high), effect),
        _holds(gain.bootstrap, effect),
        nothing.outcome() != "not told apart",
        nothing.p < 0.05,
        nothing.p_mcnemar < 0.05,
        gain.outcome() == "gains",
    )


_SHARES = (
    "cover_accuracy",
    "cover_null",
    "cover_effect",
    "cover_bootstrap",
    "alarm",
    "alarm_p",
    "alarm_mcnemar",
    "power",
)


def single(clusters: int, icc: float, exams: int, draws: int, churn: float = CHURN) -> Row:
    """Two models of one run each: exams without a difference, and with one that the plan finds in four of five."""
    rng = np.random.default_rng([clusters, round(100 * icc), round(100 * churn)])
    models = Disagreement(discordance=churn, icc=icc)
    exam = ExamDesign(clusters=clusters, per_cluster=MEAN_SIZE, size_cv=SIZE_CV)
    effect = min(detectable_difference(models, exam) or 1.0, 0.9 * churn)
    seen = []
    for _ in range(exams):
        null = paired_exam(rng, clusters, icc, accuracy=0.45, gain=0.0, churn=churn)
        real = paired_exam(rng, clusters, icc, accuracy=0.45, gain=effect, churn=churn)
        right = accuracies(real.correct[:1], real.clusters)[0]
        (nothing,) = differences(null.correct, null.clusters, [(0, 1)], draws=draws, seed=int(rng.integers(2**31)))
        (gain,) = differences(real.correct, real.clusters, [(0, 1)], draws=draws, seed=int(rng.integers(2**31)))
        seen.append(_seen(right, nothing, gain, 0.45 + effect, effect))
    shares = dict(zip(_SHARES, np.mean(seen, axis=0).tolist(), strict=True))
    predicted = power(effect, models, exam)
    return Row(
        clusters=clusters,
        icc=icc,
        churn=churn,
        exams=exams,
        effect=effect,
        predicted=predicted,
        **shares,
    )


def seeded(clusters: int, seeds: int, deviation: float, exams: int, draws: int, icc: float = 0.1) -> Row:
    """A base and three equal cells of several training seeds each, ten points above it: cells against each other are
    the exam without a difference, the first against the base is the one with it.
    """
    rng = np.random.default_rng([clusters, seeds, round(1000 * deviation)])
    base, effect = 0.45, 0.1
    first, other, third = (tuple(range(1 + cell * seeds, 1 + (cell + 1) * seeds)) for cell in range(3))
    truths = (base, *3 * (base + effect,))
    seen = []
    for _ in range(exams):
        exam = seeded_exam(rng, clusters, icc, accuracies=truths, seeds=seeds, seed_deviation=deviation)
        right = accuracies(exam.correct, exam.clusters, [0, first, other, third], untrained=[0])[1]
        nothing, gain, _ = differences(
            exam.correct,
            exam.clusters,
            [(first, other), (first, 0), (third, 0)],
            draws=draws,
            seed=int(rng.integers(2**31)),
            untrained=[0],
        )
        seen.append(_seen(right, nothing, gain, base + effect, effect))
    shares = dict(zip(_SHARES, np.mean(seen, axis=0).tolist(), strict=True))
    del shares["power"]  # nothing is predicted: the plan does not know how seeds vary
    return Row(clusters=clusters, icc=icc, seeds=seeds, seed_deviation=deviation, exams=exams, effect=effect, **shares)


@dataclass(frozen=True)
class Setting:
    """One row that can be measured: models of one run each, or of several training ``seeds``."""

    clusters: int
    icc: float = 0.1
    churn: float = CHURN
    seeds: int = 1
    deviation: float = 0.0

    def measure(self, exams: int, draws: int) -> Row:
        """Simulate ``exams`` exams, with ``draws`` of the bootstrap in each."""
        if self.seeds > 1:
            return seeded(self.clusters, self.seeds, self.deviation, exams, draws, self.icc)
        return single(self.clusters, self.icc, exams, draws, self.churn)


def grid(sizes: Sequence[int] = CLUSTERS) -> list[Setting]:
    """Exams with so many clusters: models of one run that differ usually and rarely, then models of several seeds."""
    alone = product((CHURN, SPARSE), sizes, CORRELATIONS)
    several = product(sizes, SEEDS)
    return [
        *(Setting(clusters, icc, churn) for churn, clusters, icc in alone),
        *(Setting(clusters, seeds=seeds, deviation=deviation) for clusters, (seeds, deviation) in several),
    ]


FEW = (8, 12, 24)
RARE = (0.02, 0.1, 0.5, 0.9, 0.99)
NOISY_DEVIATION, QUIET_DEVIATION = 0.05, 0.01
"""Standard deviation of accuracy between the seeds of one cell, and of the three others."""
LEAST_COVERED = 0.93


class AccuracyRow(Record):
    """Coverage of accuracy intervals in one setting.

    Attributes:
        clusters: Number of clusters.
        icc: Correlation of two items of a cluster.
        accuracy: True accuracy.
        conditions: Conditions that are weighted alike.
        seeds: Training seeds per cell; above 1 one of four cells varies more between seeds than the others.
        exams: Number of simulated exams.
        covered: Share of intervals that hold the truth.
        flagged: Share of exams in which the difference in spread between seeds was noticed.
        width: Mean width of the interval.
    """

    clusters: int
    icc: float
    accuracy: float
    conditions: int
    seeds: int
    exams: int
    covered: float
    flagged: float
    width: float

    def failures(self, limits: Limits) -> tuple[str, ...]:
        """Intervals may be wider than asked for, never narrower."""
        return () if self.covered >= LEAST_COVERED - limits.slack else ("accuracy",)


def unequal(clusters: int, icc: float, accuracy: float, conditions: int, exams: int) -> AccuracyRow:
    """One run on clusters of 1 to 40 items per condition."""
    rng = np.random.default_rng([clusters, round(100 * icc), round(1000 * accuracy), conditions])
    results = []
    for _ in range(exams):
        exam = unequal_exam(rng, clusters, icc, accuracy=accuracy, conditions=conditions)
        strata = exam.conditions if conditions > 1 else None
        result = accuracies(exam.correct[None], exam.clusters, strata=strata)[0]
        results.append((_holds((result.low, result.high), accuracy), result.high - result.low))
    covered, width = np.mean(results, axis=0).tolist()
    return AccuracyRow(
        clusters=clusters,
        icc=icc,
        accuracy=accuracy,
        conditions=conditions,
        seeds=1,
        exams=exams,
        covered=covered,
        flagged=0.0,
        width=width,
    )


def noisy(clusters: int, seeds: int, exams: int, icc: float = 0.1) -> AccuracyRow:
    """Four cells of several seeds, of which the first varies more between them: its own interval."""
    rng = np.random.default_rng([clusters, seeds])
    truth = 0.55
    deviations = (0.0, NOISY_DEVIATION, *3 * (QUIET_DEVIATION,))
    cells = [0, *(tuple(range(1 + cell * seeds, 1 + (cell + 1) * seeds)) for cell in range(4))]
    results = []
    for _ in range(exams):
        exam = seeded_exam(rng, clusters, icc, accuracies=(0.45, *4 * (truth,)), seeds=seeds, seed_deviation=deviations)
        result = accuracies(exam.correct, exam.clusters, cells, untrained=[0])[1]
        pair = differences(exam.correct, exam.clusters, [(cells[1], cells[2])], untrained=[0], draws=100)[0]
        results.append((_holds((result.low, result.high), truth), pair.seeds_differ, result.high - result.low))
    covered, flagged, width = np.mean(results, axis=0).tolist()
    return AccuracyRow(
        clusters=clusters,
        icc=icc,
        accuracy=truth,
        conditions=1,
        seeds=seeds,
        exams=exams,
        covered=covered,
        flagged=flagged,
        width=width,
    )


def accuracy_rows(exams: int) -> Iterator[AccuracyRow]:
    """Unequal clusters under one and three conditions, then cells of which one is noisy."""
    for conditions, clusters, accuracy, icc in product((1, 3), FEW, RARE, CORRELATIONS):
        yield unequal(clusters, icc, accuracy, conditions, exams)
    for clusters, seeds in product((12, 24, 60), (2, 3)):
        yield noisy(clusters, seeds, exams)


class DifferenceRow(Record):
    """Coverage of intervals of differences on unequal clusters.

    Attributes:
        kind: ``paired``, or ``taught`` minus untaught: the difference of two differences on different clusters.
        clusters: Number of clusters (of each of the two exams).
        icc: Correlation of two items of a cluster.
        accuracy: True accuracy of the base.
        conditions: Conditions that are weighted alike.
        seeds: Training seeds per cell; above 1 the first cell varies more between seeds than the other.
        exams: Number of simulated exams.
        covered_null: Share of intervals that hold the difference of two equal cells.
        covered_effect: Share of intervals that hold the difference to the base.
        claimed: Share of exams in which equal cells are called different.
        width: Mean width of the interval of the difference to the base.
    """

    kind: str
    clusters: int
    icc: float
    accuracy: float
    conditions: int
    seeds: int
    exams: int
    covered_null: float
    covered_effect: float
    claimed: float
    width: float

    def failures(self, limits: Limits) -> tuple[str, ...]:
        """Intervals may be wider than asked for, never narrower."""
        held = {
            "null": self.covered_null >= LEAST_COVERED - limits.slack,
            "effect": self.covered_effect >= LEAST_COVERED - limits.slack,
            "claims": limits.alarms(self.claimed),
        }
        return tuple(name for name, holds in held.items() if not holds)


EFFECT = 0.05


def unequal_differences(
    clusters: int, accuracy: float, conditions: int, seeds: int, exams: int, icc: float = 0.2, *, taught: bool = False
) -> DifferenceRow:
    """A base and two equal cells on clusters of 1 to 40 items per condition; ``taught``: two such exams."""
    rng = np.random.default_rng([clusters, round(1000 * accuracy), conditions, seeds, taught])
    effect = EFFECT if accuracy < 0.9 else -EFFECT
    cells = [tuple(range(1 + cell * seeds, 1 + (cell + 1) * seeds)) for cell in range(2)]
    sides = [cell if seeds > 1 else cell[0] for cell in cells]
    deviation = (0.0, NOISY_DEVIATION, QUIET_DEVIATION) if seeds > 1 else 0.0

    def compared(gain: float) -> list[Difference]:
        labels, condition = unequal_items(rng, clusters, conditions)
        exam = seeded_exam(
            rng,
            clusters,
            icc,
            accuracies=(accuracy, accuracy + gain, accuracy + gain),
            seeds=seeds,
            seed_deviation=deviation,
            labels=labels,
        )
        strata = condition if conditions > 1 else None
        pairs = [(sides[0], sides[1]), (sides[0], 0)]
        return differences(exam.correct, labels, pairs, untrained=[0], draws=200, strata=strata)

    results = []
    for _ in range(exams):
        null, gain = compared(effect)
        if taught:
            untaught = compared(0.0)
            null = difference_of_differences(null, untaught[0])
            gain = difference_of_differences(gain, untaught[1])
        results.append(
            (
                _holds((null.low, null.high), 0.0),
                _holds((gain.low, gain.high), effect),
                null.excludes_zero,
                gain.high - gain.low,
            )
        )
    covered_null, covered_effect, claimed, width = np.mean(results, axis=0).tolist()
    return DifferenceRow(
        kind="taught" if taught else "paired",
        clusters=clusters,
        icc=icc,
        accuracy=accuracy,
        conditions=conditions,
        seeds=seeds,
        exams=exams,
        covered_null=covered_null,
        covered_effect=covered_effect,
        claimed=claimed,
        width=width,
    )


def difference_rows(exams: int) -> Iterator[DifferenceRow]:
    """Unequal clusters under one and three conditions with one to three seeds, then taught minus untaught."""
    for conditions, clusters, accuracy, seeds in product((1, 3), FEW, (0.02, 0.5, 0.99), (1, 2, 3)):
        yield unequal_differences(clusters, accuracy, conditions, seeds, exams)
    for clusters, accuracy, seeds in product((12, 24), (0.02, 0.3, 0.9), (1, 2)):
        yield unequal_differences(clusters, accuracy, 1, seeds, exams, taught=True)
