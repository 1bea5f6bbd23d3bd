"""How small a difference a study sees, from the items, clusters and seeds that it plans. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from medctx.schemas.study_plan import Estimand, Family, Power, StudyPlan, WeightedPart

LEVEL = 0.05
"""Two-sided error rate of a single contrast."""
FloatArray: TypeAlias = NDArray[np.float64]
PROBABILITIES: FloatArray = (np.arange(400) + 0.5) / 400
"""Quantiles over which power is averaged."""


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
        seeds: From training seeds.
        seeds_df: Degrees of freedom of ``seeds``; 0 where seeds are not repeated.
    """

    items: float
    items_df: float
    seeds: float
    seeds_df: int

    @property
    def total(self) -> float:
        """The standard deviation of the estimate."""
        return math.hypot(self.items, self.seeds)

    def half_widths(self, level: float) -> FloatArray:
        """Half-widths of the report's intervals, at the quantiles ``PROBABILITIES`` of the seed variance it estimates.

        One seed shows no variance, and the report leaves it out; a plan takes it as known instead, so that fewer seeds
        never promise more.
        """
        of_items = float(special.stdtrit(self.items_df, 1 - level / 2)) * self.items
        if not self.seeds_df:
            known = float(special.ndtri(1 - level / 2)) * self.seeds
            return np.full(len(PROBABILITIES), math.hypot(of_items, known))
        estimated = special.chdtri(self.seeds_df, 1 - PROBABILITIES) / self.seeds_df
        of_seeds = float(special.stdtrit(self.seeds_df, 1 - level / 2)) * self.seeds * np.sqrt(estimated)
        widths: FloatArray = np.hypot(of_items, of_seeds)
        return widths


def planned_errors(
    estimand: Estimand, *, item_sd: float, icc: float, seed_sd: float, seeds: int, cells: int, untrained: bool = True
) -> PlannedErrors:
    """Standard errors of the paired difference of two cells on an estimand.

    Parts are independent, items of a cluster are correlated by ``icc`` (design effect 1 + (m - 1) icc with m items a
    cluster; Kish 1965, Survey Sampling, section 5.4), and every training seed moves a cell as a whole. The report
    pools the variance of seeds over all cells.

    Args:
        estimand: Its parts with their weights, items and clusters.
        item_sd: Standard deviation of an item's paired difference.
        icc: Correlation of paired differences within a cluster.
        seed_sd: Standard deviation that a training seed adds to a cell's accuracy.
        seeds: Training seeds of each cell.
        cells: Trained cells that the report pools.
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
        seeds=seed_sd * math.sqrt((1 if untrained else 2) / seeds),
        seeds_df=cells * (seeds - 1),
    )


def power_of(difference: float, errors: PlannedErrors, level: float = LEVEL) -> float:
    """Probability that the report's interval at error rate ``level`` leaves out 0, if ``difference`` is true.

    The interval is that of ``medctx_eval.stats.seeds.Spread``; the estimated variance of seeds varies as a chi-squared
    variable over its degrees of freedom.
    """
    widths, shift = errors.half_widths(level), abs(difference)
    found = special.ndtr((shift - widths) / errors.total) + special.ndtr((-shift - widths) / errors.total)
    return float(found.mean())


def detectable(errors: PlannedErrors, target: float, level: float = LEVEL) -> float:
    """Return the smallest difference that is detected with probability ``target``."""
    largest = float(errors.half_widths(level).max()) + 10 * errors.total
    return float(optimize.brentq(lambda difference: power_of(difference, errors, level) - target, 0.0, largest))


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
