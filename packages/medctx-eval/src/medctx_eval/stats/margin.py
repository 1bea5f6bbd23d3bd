"""Non-inferiority and equivalence: tests of a difference against a margin stated beforehand."""

from __future__ import annotations

from medctx.schemas.statistics import LEVEL, Difference, Equivalence
from medctx_eval.stats.paired import spread_of


def _p(difference: Difference, distance: float, half_width: float) -> float:
    """One-sided P value of a difference ``distance`` away from the margin.

    Scaled so that it is 2.5 % where the shown end, ``half_width`` away, touches the margin.
    """
    spread = spread_of(difference)
    return spread.p(distance * spread.half_width((1 + LEVEL) / 2) / max(half_width, 1e-9))


def tost(difference: Difference, margin: float) -> Equivalence:
    """Two one-sided tests against a margin in (0, 1); fewer than ten clusters show nothing."""
    known = difference.clusters > 1
    return Equivalence(
        margin=margin,
        p_not_worse=_p(difference, margin + difference.value, difference.value - difference.low) if known else 1.0,
        p_not_better=_p(difference, margin - difference.value, difference.high - difference.value) if known else 1.0,
        not_worse=difference.not_worse(margin),
        equivalent=difference.equivalent(margin),
    )
