"""Accuracies and paired differences with intervals for clustered items and repeated training seeds.

Example:
    >>> from medctx_eval.stats import difference
    >>> result = difference([True] * 12 + [False] * 12, [False] * 24, [str(item) for item in range(24)])
    >>> result.outcome()
    'gains'
"""

from medctx.schemas.statistics import (
    FEW_CLUSTERS,
    LEVEL,
    MIN_CLUSTERS,
    Accuracy,
    Difference,
    Equivalence,
    Outcome,
    RepeatNoise,
)
from medctx_eval.stats.accuracy import accuracies, accuracy, wilson
from medctx_eval.stats.answers import PerItem, per_item
from medctx_eval.stats.exact import mcnemar, permutation_tests
from medctx_eval.stats.margin import tost
from medctx_eval.stats.noise import repeat_noise
from medctx_eval.stats.paired import difference, differences, holm

__all__ = [
    "FEW_CLUSTERS",
    "LEVEL",
    "MIN_CLUSTERS",
    "Accuracy",
    "Difference",
    "Equivalence",
    "Outcome",
    "PerItem",
    "RepeatNoise",
    "accuracies",
    "accuracy",
    "difference",
    "differences",
    "holm",
    "mcnemar",
    "per_item",
    "permutation_tests",
    "repeat_noise",
    "tost",
    "wilson",
]
