"""How small a difference a study sees, from the items, clusters and seeds that it plans. Pure functions."""

from __future__ import annotations

import math
from statistics import NormalDist

from medctx.schemas.study_plan import Estimand, Family, Power, StudyPlan, WeightedPart

LEVEL = 0.05
"""Two-sided error rate of a single contrast."""


def _inverse_items(part: WeightedPart, estimand: Estimand) -> float:
    """The variance of a part's mean as a multiple of that of an item: two means where taught less untaught is taken."""
    if estimand.measure == "accuracy":
        return 1 / part.items
    return 1 / (part.items - part.untaught) + 1 / part.untaught


def standard_error(
    estimand: Estimand, *, item_sd: float, icc: float, seed_sd: float, seeds: int, untrained: bool = True
) -> float:
    """Standard error of the paired difference of two cells on an estimand.

    Parts are independent, items of a cluster are correlated by ``icc`` (design effect 1 + (m - 1) icc with m items a
    cluster; Kish 1965, Survey Sampling, section 5.4), and every training seed moves a cell as a whole.

    Args:
        estimand: Its parts with their weights, items and clusters.
        item_sd: Standard deviation of an item's paired difference.
        icc: Correlation of paired differences within a cluster.
        seed_sd: Standard deviation that a training seed adds to a cell's accuracy.
        seeds: Training seeds of each cell.
        untrained: Whether the cell compared with has no training seed.
    """
    total = 0.0
    for part in estimand.parts:
        effect = 1 + (part.items / part.clusters - 1) * icc
        total += part.weight**2 * item_sd**2 * effect * _inverse_items(part, estimand)
    return math.sqrt(total + (1 if untrained else 2) * seed_sd**2 / seeds)


def power_of(difference: float, error: float, level: float = LEVEL) -> float:
    """Probability that a two-sided normal test at ``level`` tells ``difference`` from 0."""
    normal = NormalDist()
    reach = normal.inv_cdf(1 - level / 2)
    shift = abs(difference) / error
    return normal.cdf(shift - reach) + normal.cdf(-shift - reach)


def detectable(error: float, target: float, level: float = LEVEL) -> float:
    """Return the smallest difference that is detected with probability ``target``, ignoring the wrong side."""
    normal = NormalDist()
    return error * (normal.inv_cdf(1 - level / 2) + normal.inv_cdf(target))


def planned_power(
    estimand: Estimand,
    difference: float,
    family: Family,
    *,
    item_sd: float,
    icc: float,
    seed_sd: float,
    seeds: int,
    untrained: bool = True,
    target: float = 0.8,
) -> Power:
    """The power of the primary contrast, tested first in its family and so at the family's error rate."""
    error = standard_error(estimand, item_sd=item_sd, icc=icc, seed_sd=seed_sd, seeds=seeds, untrained=untrained)
    return Power(
        difference=difference,
        power=power_of(difference, error, family.error_rate),
        detectable=detectable(error, target, family.error_rate),
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
