"""The ends of a difference's interval: how those of several methods become the ones that are shown."""

from __future__ import annotations

import numpy as np

from medctx_eval.stats.clusters import FEW
from medctx_eval.stats.seeds import Spread

Ends = tuple[float, float]
"""Lower and upper end."""


def least(items: int, level: float) -> float:
    """Half-width below which no interval over N items goes: models that agree on every one of them may still differ
    on a share 1 - (alpha / 2)^(1 / N) of others (Clopper and Pearson 1934, Biometrika 26:404-413, at zero events).
    """
    return float(1 - ((1 - level) / 2) ** (1 / items))


def joined(value: float, score: Ends, bootstrap: Ends, spread: Spread, level: float) -> Ends:
    """The score interval's ends, from ``FEW`` clusters on at least the bootstrap's, widened by the variance of seeds.

    The bootstrap guards against clusters of very unequal sizes; few clusters are too few for it.
    """
    seeds = spread.seeds_reach((1 + level) / 2)
    ends = [score, bootstrap] if spread.df + 1 >= FEW else [score]
    below, above = max(value - low for low, _ in ends), max(high - value for _, high in ends)
    return max(-1.0, value - float(np.hypot(below, seeds))), min(1.0, value + float(np.hypot(above, seeds)))


def agreeing(value: float, ends: Ends, p: float, items: int, level: float) -> Ends:
    """Ends that hold 0 exactly where ``p`` does not reject it.

    The swap test knows best whether 0 is possible, as it needs no variance. An end on the wrong side of 0 is moved
    there; to leave 0 it is moved by half an item.
    """
    low, high = ends
    if p > 1 - level:
        return min(low, 0.0), max(high, 0.0)
    half = min(abs(value), 0.5 / items)
    return (max(low, half), high) if value > 0 else (low, min(high, -half))
