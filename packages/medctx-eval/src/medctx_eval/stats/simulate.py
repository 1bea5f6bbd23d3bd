"""Exams whose truth is known, to measure how often the intervals are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medctx_eval.stats.clusters import BoolArray, IntArray

SIZES = (2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Simulated:
    """One exam of two models: ``first`` and ``second`` (N,) and the cluster of every item (N,)."""

    first: BoolArray
    second: BoolArray
    clusters: IntArray


def paired_exam(
    rng: np.random.Generator, clusters: int, icc: float, *, accuracy: float, gain: float, churn: float
) -> Simulated:
    """Draw an exam of ``clusters`` clusters of 2 to 6 items.

    The second model's accuracy is ``accuracy``, the first's ``accuracy + gain``; both are right and wrong on
    different items in a share ``churn`` >= |gain| of them. In every cluster the four outcomes (both right, only
    first, only second, none) have chances drawn from a Dirichlet distribution around these values with total
    concentration (1 - icc) / icc, which makes ``icc`` exactly the correlation of any score of two items of a
    cluster (Mosimann 1962, Biometrika 49:65-82).
    """
    only_first, only_second = (churn + gain) / 2, (churn - gain) / 2
    both = accuracy - only_second
    chances = np.array([both, only_first, only_second, 1 - both - churn])
    if chances.min() < 0:
        raise ValueError(f"no exam has accuracy {accuracy}, gain {gain} and churn {churn} together")
    sizes = rng.choice(SIZES, size=clusters)
    labels = np.repeat(np.arange(clusters), sizes)
    own = np.tile(chances, (clusters, 1))
    if icc > 0:
        own = rng.dirichlet(np.maximum(chances, 1e-9) * (1 - icc) / icc, size=clusters)
    bounds = np.cumsum(own, axis=1)[labels]
    outcome = (rng.random(len(labels))[:, None] > bounds[:, :3]).sum(axis=1)
    return Simulated(first=np.isin(outcome, (0, 1)), second=np.isin(outcome, (0, 2)), clusters=labels)
