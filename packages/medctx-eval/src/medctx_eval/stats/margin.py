"""Non-inferiority and equivalence: tests of a difference against a margin stated beforehand."""

from __future__ import annotations

import numpy as np
from scipy import special

from medctx.schemas.statistics import LEVEL, Difference, Equivalence
from medctx_eval.stats.paired import spread_of


def _p(difference: Difference, distance: float, half_width: float) -> float:
    """One-sided P value of a difference ``distance`` away from the margin.

    Scaled so that it is 2.5 % where the shown end, ``half_width`` away, touches the margin.
    """
    spread = spread_of(difference)
    return spread.p(distance * spread.half_width((1 + LEVEL) / 2) / max(half_width, 1e-9))


def p_above(difference: Difference, null: float) -> float:
    """One-sided P value of the hypothesis that the true difference is at most ``null``.

    It is 2.5 % where the lower end of the shown interval touches ``null``; 1 without an interval, as for a single
    cluster.
    """
    if not difference.df:
        return 1.0
    return _p(difference, difference.value - null, difference.value - difference.low)


def p_promotion(knowledge: Difference, reading: Difference, margin: float) -> float:
    """P value of the hypothesis that a cell gains no knowledge or reads worse by ``margin`` or more.

    The larger of the two one-sided P values: an intersection-union test (Berger 1982, Technometrics 24:295-300). Holm
    over cells then bounds the chance that any cell passes that should not, whatever the cells share.
    """
    return max(p_above(knowledge, 0.0), p_above(reading, -margin))


def keeping_power(reading: Difference, margin: float, level: float) -> float:
    """Chance that a cell with a true difference of 0 is shown to be above ``-margin`` by a one-sided test at ``level``.

    From the standard errors of the observed ``reading``; a normal approximation of its estimate.
    """
    if not reading.df:
        return 0.0
    spread = spread_of(reading)
    scale = (reading.value - reading.low) / max(spread.half_width((1 + LEVEL) / 2), 1e-12)
    reach = scale * spread.half_width(1 - min(level, (1 - LEVEL) / 2))
    error = float(np.hypot(spread.error, spread.seed_error))
    return float(special.ndtr((margin - reach) / max(error, 1e-12)))


def tost(difference: Difference, margin: float) -> Equivalence:
    """Two one-sided tests against a margin in (0, 1), which are never significant with fewer than ten clusters."""
    known = difference.df > 0
    return Equivalence(
        margin=margin,
        p_not_worse=_p(difference, margin + difference.value, difference.value - difference.low) if known else 1.0,
        p_not_better=_p(difference, margin - difference.value, difference.high - difference.value) if known else 1.0,
        not_worse=difference.not_worse(margin),
        equivalent=difference.equivalent(margin),
    )
