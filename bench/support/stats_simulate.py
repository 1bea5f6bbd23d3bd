"""Exams whose truth is known, to measure how often the intervals are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from medctx_eval.stats.clusters import BoolArray, FloatArray, IntArray

MAX_UNEQUAL_SIZE = 40
"""Items of the largest cluster of a condition in ``unequal_exam``."""

SIZES = (2, 3, 4, 5, 6)
MEAN_SIZE = float(np.mean(SIZES))
SIZE_CV = float(np.std(SIZES)) / MEAN_SIZE


@dataclass(frozen=True)
class Simulated:
    """One exam of R runs: ``correct`` (R, N), and the cluster of every item ``clusters`` (N,)."""

    correct: BoolArray
    clusters: IntArray


def paired_exam(
    rng: np.random.Generator, clusters: int, icc: float, *, accuracy: float, gain: float, churn: float
) -> Simulated:
    """Draw an exam of two runs on ``clusters`` clusters of 2 to 6 items.

    The second run's accuracy is ``accuracy``, the first's ``accuracy + gain``; they are right and wrong on different
    items in a share ``churn`` >= |gain| of them. In every cluster the four outcomes (both right, only first, only
    second, none) have chances drawn from a Dirichlet distribution around these values with total concentration
    (1 - icc) / icc, which makes ``icc`` exactly the correlation of any score of two items of a cluster (Mosimann 1962,
    Biometrika 49:65-82).
    """
    only_first, only_second = (churn + gain) / 2, (churn - gain) / 2
    both = accuracy - only_second
    chances = np.array([both, only_first, only_second, 1 - both - churn])
    if chances.min() < 0:
        raise ValueError(f"no exam has accuracy {accuracy}, gain {gain} and churn {churn} together")
    labels = np.repeat(np.arange(clusters), rng.choice(SIZES, size=clusters))
    by_cluster = np.tile(chances, (clusters, 1))
    if icc > 0:
        by_cluster = rng.dirichlet(np.maximum(chances, 1e-9) * (1 - icc) / icc, size=clusters)
    bounds = np.cumsum(by_cluster, axis=1)[labels]
    outcome = (rng.random(len(labels))[:, None] > bounds[:, :3]).sum(axis=1)
    return Simulated(np.stack([np.isin(outcome, (0, 1)), np.isin(outcome, (0, 2))]), labels)


def seeded_exam(
    rng: np.random.Generator,
    clusters: int,
    icc: float,
    *,
    accuracies: tuple[float, ...],
    seeds: int,
    seed_deviation: float | Sequence[float],
    labels: IntArray | None = None,
) -> Simulated:
    """Draw an exam of an untrained base and of cells with several training seeds each, on clusters of 2 to 6 items.

    ``labels``: the cluster of every item, for clusters of other sizes.

    The first row is the base, of accuracy ``accuracies[0]`` exactly; then ``seeds`` rows for every further accuracy,
    around which runs differ with standard deviation ``seed_deviation`` (one for all cells, or one per accuracy). A run
    is right where a normal score falls below its threshold; half the score's variance belongs to the item, a quarter to
    the cell on this item and a quarter to the run on it, each with the share ``icc`` common to the cluster.
    """
    if labels is None:
        labels = np.repeat(np.arange(clusters), rng.choice(SIZES, size=clusters))

    def score(*shape: int) -> FloatArray:
        common = rng.standard_normal((*shape, clusters))[..., labels]
        return np.asarray(np.sqrt(icc) * common + np.sqrt(1 - icc) * rng.standard_normal((*shape, len(labels))))

    cells = len(accuracies)
    scores = np.sqrt(0.5) * score() + 0.5 * score(cells)[:, None] + 0.5 * score(cells, seeds)
    shifts = np.broadcast_to(seed_deviation, cells)[:, None] * rng.standard_normal((cells, seeds))
    shifts[0] = 0
    chances = np.clip(np.array(accuracies)[:, None] + shifts, 0.001, 0.999)
    correct = scores < ndtri(chances)[:, :, None]
    return Simulated(np.concatenate([correct[0, :1], *correct[1:]]), labels)


@dataclass(frozen=True)
class UnequalExam:
    """One run on clusters of very unequal sizes: right or not, cluster and condition of every item, all (N,)."""

    correct: BoolArray
    clusters: IntArray
    conditions: IntArray


def unequal_items(rng: np.random.Generator, clusters: int, conditions: int) -> tuple[IntArray, IntArray]:
    """Cluster and condition of the items of clusters of 1 to 40 items per condition, as in ``unequal_exam``."""
    sizes = rng.integers(1, MAX_UNEQUAL_SIZE + 1, size=(clusters, conditions))
    if conditions > 1:
        sizes *= rng.random(sizes.shape) < 0.8
        sizes[sizes.sum(axis=1) == 0, 0] = 1
    place = np.repeat(np.arange(clusters * conditions), sizes.ravel())
    return place // conditions, place % conditions


def unequal_exam(
    rng: np.random.Generator, clusters: int, icc: float, *, accuracy: float, conditions: int
) -> UnequalExam:
    """Draw an exam of one run on clusters of 1 to 40 items per condition.

    The chance of a right answer in a cluster has a beta distribution around ``accuracy``, which makes ``icc`` the
    correlation of two items of a cluster. With several conditions a cluster is asked under each of them with
    probability 0.8; its chance is the same under all.
    """
    labels, condition = unequal_items(rng, clusters, conditions)
    chances = np.full(clusters, accuracy)
    if icc > 0:
        total = (1 - icc) / icc
        chances = rng.beta(accuracy * total, (1 - accuracy) * total, size=clusters)
    return UnequalExam(rng.random(len(labels)) < chances[labels], labels, condition)
