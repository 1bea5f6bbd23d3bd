"""How much two exams of the same model differ: the smallest difference a comparison can show."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from medctx.schemas.statistics import RepeatNoise
from medctx_eval.stats.accuracy import accuracies
from medctx_eval.stats.clusters import BoolArray, Labels, Values
from medctx_eval.stats.paired import differences


def repeat_noise(
    first: Values,
    second: Values,
    changed: BoolArray,
    clusters: Labels,
    *,
    draws: int = 10_000,
    seed: int = 0,
    strata: Labels | None = None,
    weights: Mapping[str, float] | None = None,
) -> RepeatNoise:
    """Measure the noise from two exams of one model.

    Args:
        first: Right or not in the first exam, shape (N,).
        second: The same in the second exam.
        changed: Whether the chosen letters differ, shape (N,).
        clusters: Cluster label of each item.
        draws: Bootstrap resamples.
        seed: Seed of the bootstrap.
        strata: Label of each item's stratum.
        weights: Weight of each stratum.
    """
    both = np.stack([np.asarray(second, dtype=np.float64), np.asarray(first, dtype=np.float64)])
    result = differences(both, clusters, [(0, 1)], draws=draws, seed=seed, strata=strata, weights=weights)[0]
    shares = np.stack([np.abs(both[0] - both[1]), np.asarray(changed, dtype=np.float64)])
    verdicts, answers = accuracies(shares, clusters, strata=strata, weights=weights)
    half_width = max(result.value - result.low, result.high - result.value)
    return RepeatNoise(
        verdicts=verdicts,
        answers=answers,
        difference=result,
        floor=min(1.0, half_width) if result.clusters > 1 else 1.0,
    )
