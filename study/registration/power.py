"""How small a difference a study sees, from the items, clusters and seeds that it plans. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from medctx.schemas.statistics import MAX_COCHRAN_P, MIN_SEED_DF
from medctx.schemas.study_plan import Estimand, Family, Power, StudyPlan, WeightedPart

LEVEL = 0.05
"""Two-sided error rate of a single contrast."""
FloatArray: TypeAlias = NDArray[np.float64]
DRAWS = 4_000
"""Studies whose estimated seed variance is drawn; power differs by about 0.003 between draws of so many."""


def seed_variances(variances: FloatArray, df: int, trained: int) -> tuple[FloatArray, FloatArray]:
    """The seed variance that the report's intervals take, from the variances of cells; a test compares the two.

    A cell takes the pooled variance or its own, whichever is larger. Degrees of freedom are those of the pooled
    variance, fewer the more cells differ, or those of the cells compared where Cochran's test rejects pooling.

    Args:
        variances: Variances of each cell between its seeds, shape (studies, cells); the first cells are compared.
        df: Degrees of freedom of each.
        trained: How many cells are compared.

    Returns:
        The summed variance of the compared cells and its degrees of freedom, each of shape (studies,).
    """
    cells, compared = variances.shape[1], variances[:, :trained]
    used = np.maximum(compared, variances.mean(axis=1, keepdims=True))
    # Satterthwaite (1946), Biometrics Bulletin 2:110-114.
    pooled_df = np.full(len(variances), float(df * cells))
    if df >= MIN_SEED_DF:
        pooled_df = np.maximum(df, np.floor(df * variances.sum(axis=1) ** 2 / np.square(variances).sum(axis=1)))
    if cells == 1:
        return used.sum(axis=1), pooled_df
    share = variances.max(axis=1) / variances.sum(axis=1)
    differ = cells * special.betainc((cells - 1) * df / 2, df / 2, 1 - share) < MAX_COCHRAN_P
    own_df = np.floor(df * used.sum(axis=1) ** 2 / np.square(used).sum(axis=1))
    return used.sum(axis=1), np.where(differ, own_df, pooled_df)


@cache
def _drawn_variances(cells: int, df: int, trained: int) -> tuple[FloatArray, FloatArray]:
    """As ``seed_variances``, of ``DRAWS`` studies whose seeds have the variance 1."""
    drawn = np.random.default_rng(0).chisquare(df, (DRAWS, max(cells, trained))) / df
    return seed_variances(drawn, df, trained)


def _inverse_items(part: WeightedPart, estimand: Estimand) -> float:
    """The variance of a part's mean as a multiple of that of an item: two means where taught less untaught is taken."""
    if estimand.measure == "accuracy":
        return 1 / part.items
    return 1 / (part.items - part.untaught) + 1 / part.untaught


@dataclass(frozen=True, slots=True)
class PlannedErrors:
    """Standard errors of a paired difference as a plan supposes them.

    Attributes:
        items: From items and clusters.
        items_df: Degrees of freedom of ``items`` in the report's intervals.
        seed_sd: Standard deviation that a training seed adds to a cell.
        seeds: Training seeds of each cell.
        cells: Trained cells whose variances of seeds the report compares and pools.
        trained: How many of the two cells are trained: 1 or 2.
    """

    items: float
    items_df: float
    seed_sd: float
    seeds: int
    cells: int
    trained: int = 1

    @property
    def total(self) -> float:
        """The standard deviation of the estimate."""
        return math.hypot(self.items, self.seed_sd * math.sqrt(self.trained / self.seeds))

    def half_widths(self, level: float) -> FloatArray:
        """Half-widths of the report's intervals in ``DRAWS`` studies, which differ in the seed variance they estimate.

        One seed shows no variance, and the report leaves it out; a plan takes it as known instead.
        """
        of_items = float(special.stdtrit(self.items_df, 1 - level / 2)) * self.items
        if self.seeds == 1:
            known = float(special.ndtri(1 - level / 2)) * self.seed_sd * math.sqrt(self.trained)
            return np.full(1, math.hypot(of_items, known))
        variances, degrees = _drawn_variances(self.cells, self.seeds - 1, self.trained)
        of_seeds = special.stdtrit(degrees, 1 - level / 2) * self.seed_sd * np.sqrt(variances / self.seeds)
        widths: FloatArray = np.hypot(of_items, of_seeds)
        return widths


def planned_errors(
    estimand: Estimand, *, item_sd: float, icc: float, seed_sd: float, seeds: int, cells: int, untrained: bool = True
) -> PlannedErrors:
    """Standard errors of the paired difference of two cells on an estimand.

    Parts are independent, items of a cluster are correlated by ``icc`` (design effect 1 + (m - 1) icc with m items a
    cluster; Kish 1965, Survey Sampling, section 5.4), and every training seed moves a cell as a whole.

    Args:
        estimand: Its parts with their weights, items and clusters.
        item_sd: Standard deviation of an item's paired difference.
        icc: Correlation of paired differences within a cluster.
        seed_sd: Standard deviation that a training seed adds to a cell's accuracy.
        seeds: Training seeds of each cell.
        cells: Trained cells whose variances of seeds the report compares and pools.
        untrained: Whether the cell compared with has no training seed.
    """
    variances, degrees = [], []
    for part in estimand.parts:
        effect = 1 + (part.items / part.clusters - 1) * icc
        variances.append(part.weight**2 * item_sd**2 * effect * _inverse_items(part, estimand))
        degrees.append(max(1, part.clusters - 1))
    total = sum(variances)
    # Satterthwaite (1946), Biometrics Bulletin 2:110-114.
    items_df = total**2 / sum(variance**2 / df for variance, df in zip(variances, degrees, strict=True))
    return PlannedErrors(
        items=math.sqrt(total),
        items_df=items_df,
        seed_sd=seed_sd,
        seeds=seeds,
        cells=cells,
        trained=1 if untrained else 2,
    )


def power_of(difference: float, errors: PlannedErrors, level: float = LEVEL) -> float:
    """Probability that the report's interval at error rate ``level`` leaves out 0, if ``difference`` is true.

    The interval is that of ``medctx_eval.stats.seeds.Spread``; the variances of cells between their seeds vary as
    chi-squared variables over their degrees of freedom.
    """
    return _share_excluded(difference, errors.half_widths(level), errors.total)


def _share_excluded(difference: float, widths: FloatArray, total: float) -> float:
    """Share of intervals that leave out 0, about an estimate with standard deviation ``total``."""
    shift = abs(difference)
    excluded = special.ndtr((shift - widths) / total) + special.ndtr((-shift - widths) / total)
    return float(excluded.mean())


def detectable(errors: PlannedErrors, target: float, level: float = LEVEL) -> float:
    """Return the smallest difference that is detected with probability ``target``."""
    widths, total = errors.half_widths(level), errors.total
    largest = float(widths.max()) + 10 * total
    return float(optimize.brentq(lambda difference: _share_excluded(difference, widths, total) - target, 0.0, largest))


def planned_power(
    estimand: Estimand,
    difference: float,
    family: Family,
    *,
    item_sd: float,
    icc: float,
    seed_sd: float,
    seeds: int,
    cells: int,
    untrained: bool = True,
    target: float = 0.8,
) -> Power:
    """The power of the primary contrast, tested first in its family and so at the family's error rate."""
    errors = planned_errors(
        estimand, item_sd=item_sd, icc=icc, seed_sd=seed_sd, seeds=seeds, cells=cells, untrained=untrained
    )
    return Power(
        difference=difference,
        power=power_of(difference, errors, family.error_rate),
        detectable=detectable(errors, target, family.error_rate),
        target=target,
        item_sd=item_sd,
        icc=icc,
        seed_sd=seed_sd,
    )


def plan_sentence(plan: StudyPlan) -> str:
    """The primary contrast of a plan and how small a difference is seen on it."""
    power = plan.power
    return (
        f"{plan.primary.name}: {100 * power.difference:g} points are seen with power {power.power:.2f}, "
        f"{100 * power.detectable:.1f} points with {power.target:g}"
    )
