"""Accuracy and paired differences with intervals that know about clusters."""

from medctx_eval.stats.accuracy import Accuracy, accuracy, wilson
from medctx_eval.stats.clusters import FEW, LEVEL, ClusterSums, cluster_sums
from medctx_eval.stats.family import holm
from medctx_eval.stats.paired import Difference, Word, bootstrap_interval, difference, mcnemar, swap_test

__all__ = [
    "FEW",
    "LEVEL",
    "Accuracy",
    "ClusterSums",
    "Difference",
    "Word",
    "accuracy",
    "bootstrap_interval",
    "cluster_sums",
    "difference",
    "holm",
    "mcnemar",
    "swap_test",
    "wilson",
]
