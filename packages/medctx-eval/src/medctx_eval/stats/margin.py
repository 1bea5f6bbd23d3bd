"""Is a difference small enough? Tests against a margin that was stated before."""

from __future__ import annotations

from pydantic import Field

from medctx.schemas.records import Record
from medctx.schemas.report import LEVEL, Difference
from medctx_eval.stats.seeds import Spread


class Equivalence(Record):
    """Two one-sided tests of a difference against ``margin`` (in (0, 1)).

    ``p_not_worse``: of the null hypothesis that the first model is worse by the margin or more; ``p_not_better``:
    that it is better by as much; ``p_equivalent``, the larger of the two, belongs to "equivalent within the margin"
    (Schuirmann 1987, J. Pharmacokinetics and Biopharmaceutics 15:657-680). ``not_worse`` and ``equivalent`` are read
    off the shown interval, which tests each side at 2.5 %.
    """

    margin: float = Field(gt=0, lt=1)
    p_not_worse: float = Field(ge=0, le=1)
    p_not_better: float = Field(ge=0, le=1)
    not_worse: bool
    equivalent: bool

    @property
    def p_equivalent(self) -> float:
        """P of the two one-sided tests together."""
        return max(self.p_not_worse, self.p_not_better)


def _p(found: Difference, distance: float, reach: float) -> float:
    """One-sided p of lying ``distance`` from the margin, scaled so that it is 2.5 % where the shown end, ``reach``
    away, touches the margin.
    """
    spread = Spread(found.error, found.clusters - 1, found.seed_error or 0.0, found.seed_df)
    return spread.p(distance * spread.reach((1 + LEVEL) / 2) / max(reach, 1e-9))


def tost(found: Difference, margin: float) -> Equivalence:
    """Test a difference against a margin in (0, 1); fewer than ten clusters prove nothing."""
    known = found.clusters > 1
    return Equivalence(
        margin=margin,
        p_not_worse=_p(found, margin + found.value, found.value - found.low) if known else 1.0,
        p_not_better=_p(found, margin - found.value, found.high - found.value) if known else 1.0,
        not_worse=found.not_worse(margin),
        equivalent=found.not_worse(margin) and found.high < margin,
    )
