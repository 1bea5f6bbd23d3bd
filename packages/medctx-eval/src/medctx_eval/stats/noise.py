"""How much two exams of the same model differ: the smallest difference a comparison can show."""

from __future__ import annotations

import numpy as np

from medctx.schemas.statistics import RepeatNoise
from medctx_eval.stats.accuracy import accuracy
from medctx_eval.stats.clusters import BoolArray, Labels, Values
from medctx_eval.stats.paired import difference


def repeat_noise(
    first: Values, second: Values, changed: BoolArray, clusters: Labels, *, draws: int = 10_000, seed: int = 0
) -> RepeatNoise:
    """Measure the noise from two exams of one model.

    Args:
        first: Right or not in the first exam, shape (N,).
        second: The same in the second exam.
        changed: Whether the chosen letters differ, shape (N,).
        clusters: Cluster label of each item.
        draws: Bootstrap resamples.
        seed: Seed of the bootstrap.
    """
    result = difference(second, first, clusters, draws=draws, seed=seed)
    half_width = max(result.value - result.low, result.high - result.value)
    return RepeatNoise(
        verdicts=accuracy(np.abs(np.subtract(second, first, dtype=np.float64)), clusters),
        answers=accuracy(changed, clusters),
        difference=result,
        floor=min(1.0, half_width) if result.clusters > 1 else 1.0,
    )
