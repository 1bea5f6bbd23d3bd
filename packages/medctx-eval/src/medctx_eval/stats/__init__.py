"""Accuracy and paired differences with intervals that know about clusters and seeds."""

from medctx.schemas.report import Accuracy, Difference, Word
from medctx_eval.stats.accuracy import accuracies, accuracy, wilson
from medctx_eval.stats.clusters import FEW
from medctx_eval.stats.collapse import PerItem, per_item
from medctx_eval.stats.exact import mcnemar, swap_tests
from medctx_eval.stats.family import holm
from medctx_eval.stats.margin import Equivalence, tost
from medctx_eval.stats.noise import Noise, noise
from medctx_eval.stats.paired import difference, differences

__all__ = [
    "FEW",
    "Accuracy",
    "Difference",
    "Equivalence",
    "Noise",
    "PerItem",
    "Word",
    "accuracies",
    "accuracy",
    "difference",
    "differences",
    "holm",
    "mcnemar",
    "noise",
    "per_item",
    "swap_tests",
    "tost",
    "wilson",
]
