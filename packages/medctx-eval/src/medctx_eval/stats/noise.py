"""How much two examinations of the same model differ: what no comparison can see below."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from medctx.schemas.records import Record
from medctx.schemas.report import Accuracy, Difference
from medctx_eval.stats.accuracy import accuracy
from medctx_eval.stats.clusters import BoolArray, Labels, Values
from medctx_eval.stats.paired import difference


class Noise(Record):
    """One model examined twice on the same items.

    ``verdicts``: share of answers that are right once and wrong once; ``answers``: share whose chosen letters
    changed, right or not. ``difference``: the second examination minus the first. ``floor`` in [0, 1]: how far apart
    two examinations of one model come out in 95 of 100 cases; a smaller difference between models is no finding.
    """

    verdicts: Accuracy
    answers: Accuracy
    difference: Difference
    floor: float = Field(ge=0, le=1)


def noise(
    first: Values, second: Values, changed: BoolArray, clusters: Labels, *, draws: int = 10_000, seed: int = 0
) -> Noise:
    """Measure it from ``first`` and ``second`` (N,): right or not; ``changed`` (N,): whether the letters differ."""
    found = difference(second, first, clusters, draws=draws, seed=seed)
    return Noise(
        verdicts=accuracy(np.abs(np.subtract(second, first, dtype=np.float64)), clusters),
        answers=accuracy(changed, clusters),
        difference=found,
        floor=min(1.0, max(found.value - found.low, found.high - found.value)) if found.clusters > 1 else 1.0,
    )
