"""Simulated studies whose truth is known: shapes of the law, items in clusters, runs that differ by chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from study.law.evidence.item_noise import MeasuredCell, PairError, item_noise
from study.law.evidence.points import DesignPoint, FloatArray, ItemNoise, Measured, MeasuredRun

Shape = Callable[[FloatArray], FloatArray]
"""True accuracy in (0, 1) at general shares."""

BASE = "base"
RATIOS: Mapping[str, float] = {"1:0": 1, "9:1": 0.9, "4:1": 0.8, "1:1": 0.5, "1:4": 0.2, "1:9": 0.1, "0:1": 0}


def _bend(shares: FloatArray) -> FloatArray:
    return np.asarray(special.expit(-0.1 + 1.1 * (1 - np.exp(-2.5 * shares)) / (1 - np.exp(-2.5))))


READING: Mapping[str, Shape] = {
    "law": _bend,
    "straight": lambda shares: 0.45 + 0.25 * shares,
    "flat": lambda shares: np.full_like(shares, 0.6),
    "replay": lambda shares: 0.45 + 0.25 * (1 - np.exp(-20 * shares)),
    "hump": lambda shares: 0.55 + 0.6 * shares * (1 - shares) + 0.05 * shares,
    "threshold": lambda shares: 0.45 + 0.25 * special.expit((shares - 0.35) / 0.06),
    "root": lambda shares: 0.45 + 0.25 * np.sqrt(shares),
}
"""How reading may rise with general data. ``law`` is the fitted form and ``straight`` and ``flat`` are near it;
``replay`` is steeper than its prior likes; ``hump``, ``threshold`` and ``root`` are no such curves."""
WRONG = ("hump", "threshold", "root")

GROWTH: Mapping[str, Shape] = {
    "none": np.zeros_like,
    "slowing": lambda amounts: 1 - 1 / amounts,
    "gaining speed": lambda amounts: 0.38 * (amounts**2.2 - 1),
    "threshold": lambda amounts: 1.4 * special.expit((np.log(amounts) - 0.35) / 0.2) - 0.2,
}
"""What amounts (multiples of the reference) add in logits. The first three are power laws, as the form's are;
``gaining speed`` is what SmolLM2 did with 20,000, 40,000 and 80,000 tokens."""


@dataclass(frozen=True, slots=True)
class Exam:
    """``items`` in ``clusters`` of equal size, and what the latent difficulty of an item is made of: its ``cluster``,
    the ``item`` itself, and how it takes to the ``composition``; the rest is between item and run.
    """

    items: int = 240
    clusters: int = 60
    cluster: float = 0.15
    item: float = 0.35
    composition: float = 0.2


@dataclass(frozen=True, slots=True)
class Design:
    """``shares`` of the cells, ``seeds`` runs of each, ``run_sd`` between runs in logits; ``amounts`` at which equal
    shares were trained as well, multiples of that of the other cells, and how accuracy grows with them.
    """

    shares: tuple[float, ...]
    seeds: int = 2
    run_sd: float = 0.08
    exam: Exam = Exam()
    amounts: tuple[float, ...] = ()
    growth: str = "none"

    @property
    def places(self) -> dict[str, DesignPoint]:
        """The cells by name."""
        of_all = 1.0 if self.amounts else None
        results = {f"{share:g}": DesignPoint(share, of_all) for share in self.shares}
        return results | {f"0.5 x {amount:g}": DesignPoint(0.5, amount) for amount in self.amounts}


class Simulated(NamedTuple):
    """A simulated study as a report would tell of it, and the scores (cells, unseen) of further runs on its exam."""

    measured: Measured
    unseen: FloatArray


def verdicts(
    accuracies: FloatArray,
    shares: Sequence[float | None],
    exam: Exam,
    rng: np.random.Generator,
    of_items: np.random.Generator | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Right (1) or wrong (0) of runs with true ``accuracies`` (R,) on the items, shape (R, items), and their clusters.

    A probit model: errors of runs correlate over items, more so where shares are near. ``shares``: nothing for the
    base, which takes to items in its own way. ``of_items``: the chance that makes the items, where it is another.
    """
    items = of_items or rng
    cluster = np.arange(exam.items) * exam.clusters // exam.items
    common = np.sqrt(exam.cluster) * items.standard_normal(exam.clusters)[cluster]
    common = common + np.sqrt(exam.item) * items.standard_normal(exam.items)
    ends = items.standard_normal((3, exam.items))
    taken = [
        ends[2] if share is None else np.cos(np.pi / 2 * share) * ends[0] + np.sin(np.pi / 2 * share) * ends[1]
        for share in shares
    ]
    residual = np.sqrt(1 - exam.cluster - exam.item - exam.composition)
    latent = (
        common + np.sqrt(exam.composition) * np.array(taken) + residual * rng.standard_normal((len(shares), exam.items))
    )
    return (latent < stats.norm.ppf(accuracies)[:, None]).astype(np.float64), cluster.astype(np.float64)


def error_of(values: FloatArray, clusters: FloatArray) -> float:
    """Cluster-robust standard error of a mean of ``values`` (items,), as reports compute it."""
    totals = np.bincount(clusters.astype(np.int64), weights=values - values.mean())
    return float(np.sqrt(len(totals) / (len(totals) - 1) * np.square(totals).sum()) / len(values))


def _noise(
    means: Mapping[str, FloatArray], places: Mapping[str, DesignPoint], seeds: int, clusters: FloatArray
) -> ItemNoise:
    """What a report's paired errors tell of the chance in the items; ``means``: verdicts by cell, the base's among
    them.
    """
    cells = {
        name: MeasuredCell(float(value.mean()), seeds, None if name == BASE else places[name].share)
        for name, value in means.items()
    }
    pairs = [
        PairError(first, second, error_of(means[first] - means[second], clusters))
        for first, second in combinations(means, 2)
    ]
    accuracy, items = cells[BASE].accuracy, len(clusters)
    inflation = error_of(means[BASE], clusters) ** 2 / max(accuracy * (1 - accuracy) / items, 1e-9)
    return item_noise(items, inflation, cells, pairs)


def study(
    shape: Shape, base: float, design: Design, rng: np.random.Generator, part: str = "reading", unseen: int = 0
) -> Simulated:
    """Simulate the exam of every cell of a design, ``unseen`` further runs of each, and the base."""
    places = design.places
    shares = np.repeat([place.share for place in places.values()], design.seeds + unseen)
    amounts = np.repeat([place.amount or 1.0 for place in places.values()], design.seeds + unseen)
    logits = special.logit(shape(shares)) + GROWTH[design.growth](amounts)
    truth = special.expit(logits + design.run_sd * rng.standard_normal(len(shares)))
    right, clusters = verdicts(np.append(truth, base), [*shares, None], design.exam, rng)
    by_cell = right[:-1].reshape(len(places), design.seeds + unseen, -1)
    seen, new = by_cell[:, : design.seeds], by_cell[:, design.seeds :]
    means = {name: of_cell.mean(axis=0) for name, of_cell in zip(places, seen, strict=True)} | {BASE: right[-1]}
    runs = tuple(
        MeasuredRun(name, place, float(seed_accuracy.mean()), seed)
        for (name, place), of_cell in zip(places.items(), seen, strict=True)
        for seed, seed_accuracy in enumerate(of_cell)
    )
    measured = Measured(part, runs, float(right[-1].mean()), _noise(means, places, design.seeds, clusters))
    return Simulated(measured, new.mean(axis=2))
