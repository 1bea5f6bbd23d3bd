"""Registering a study's plan before anything is trained, and its power.

Pure functions of plans; only :func:`register` touches the disk.
"""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, write_record
from medctx.schemas.study_plan import PLAN_FILE, Estimand, Family, Power, StudyPlan

LEVEL = 0.05
"""Two-sided error rate of a single contrast."""


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
        total += part.weight**2 * item_sd**2 * effect / part.items
    return math.sqrt(total + (1 if untrained else 2) * seed_sd**2 / seeds)


def power_of(difference: float, error: float, level: float = LEVEL) -> float:
    """Probability that a two-sided normal test at ``level`` tells ``difference`` from 0."""
    normal = NormalDist()
    reach = normal.inv_cdf(1 - level / 2)
    shift = abs(difference) / error
    return normal.cdf(shift - reach) + normal.cdf(-shift - reach)


def detectable(error: float, target: float, level: float = LEVEL) -> float:
    """The difference that is told from 0 with probability ``target``; the wrong side's share is left out."""
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
    target: float = 0.8,
) -> Power:
    """The power of the primary contrast, tested first in its family and so at the family's error rate."""
    error = standard_error(estimand, item_sd=item_sd, icc=icc, seed_sd=seed_sd, seeds=seeds)
    return Power(
        difference=difference,
        power=power_of(difference, error, family.error_rate),
        detectable=detectable(error, target, family.error_rate),
        target=target,
        item_sd=item_sd,
        icc=icc,
        seed_sd=seed_sd,
    )


def short_digest(plan: StudyPlan) -> str:
    """What a plan is called: any change of it changes its digest."""
    return digest.of_record(plan)[: digest.SHORT]


def register(plan: StudyPlan, folder: Path) -> Path:
    """Write ``plan.json`` if the folder has none, and return its path.

    Raises:
        MedctxError: The folder has another plan.
    """
    path = folder / PLAN_FILE
    if path.is_file():
        before = read_record(path, StudyPlan)
        if digest.of_record(before) != digest.of_record(plan):
            changed = ", ".join(_changed(before, plan))
            raise MedctxError(
                f"{path} holds the plan {short_digest(before)}, and this study differs from it in {changed}; "
                "restore the study's settings, or give another output folder to register another plan."
            )
        return path
    write_record(path, plan)
    return path


def _changed(before: StudyPlan, after: StudyPlan) -> list[str]:
    return [name for name in StudyPlan.model_fields if getattr(before, name) != getattr(after, name)]
