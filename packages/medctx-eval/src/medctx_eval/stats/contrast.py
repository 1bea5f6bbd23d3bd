"""Differences of differences: how much more one set of items changes than another."""

from __future__ import annotations

import numpy as np

from medctx.schemas.statistics import LEVEL, Difference
from medctx_eval.stats.seeds import Spread, combined_df


def _combined(*parts: tuple[float, float]) -> tuple[float, float]:
    """Standard error and degrees of freedom of a sum of independent estimates with ``(error, df)``.

    Satterthwaite (1946), Biometrics Bulletin 2:110-114. None (0) where one of them has none.
    """
    total = sum(error**2 for error, _ in parts)
    weighted = sum(error**4 / df for error, df in parts) if all(df for _, df in parts) else 0.0
    return float(np.sqrt(total)), total**2 / weighted if weighted else min(df for _, df in parts)


def _ends(
    first: Difference, second: Difference, ends: tuple[float, float], other: tuple[float, float]
) -> tuple[float, float]:
    """Interval of ``first`` minus ``second`` from the ends of each."""
    value = first.value - second.value
    below = np.hypot(first.value - ends[0], other[1] - second.value)
    above = np.hypot(ends[1] - first.value, second.value - other[0])
    return max(-2.0, value - float(below)), min(2.0, value + float(above))


def difference_of_differences(first: Difference, second: Difference) -> Difference:
    """``first`` minus ``second``, two differences of the same pair of cells on different items.

    The interval squares and adds the distances of both intervals from their values (Zou and Donner 2008, Statistics in
    Medicine 27:1693-1702), which takes the items as independent: they lie in different clusters. Where training seeds
    move both in the same direction the interval is wider than needed.

    Args:
        first: For example the difference on taught items.
        second: The difference on untaught items.

    Returns:
        The difference, in [-2, 2]; its P value belongs to the interval.
    """
    value = first.value - second.value
    low, high = _ends(first, second, (first.low, first.high), (second.low, second.high))
    error, df = _combined((first.error, first.df), (second.error, second.df))
    parts = [(part.seed_error or 0.0) ** 2 for part in (first, second)]
    seed_df = combined_df([(value, part.seed_df) for value, part in zip(parts, (first, second), strict=True)])
    spread = Spread(error, df, float(np.sqrt(sum(parts))), seed_df)
    known = first.df > 0 and second.df > 0
    half_width = value - low if value > 0 else high - value
    scale = spread.half_width((1 + LEVEL) / 2) / max(half_width, 1e-9)
    return Difference(
        n=first.n + second.n,
        clusters=first.clusters + second.clusters,
        value=value,
        low=low if known else -2.0,
        high=high if known else 2.0,
        bootstrap=_ends(first, second, first.bootstrap, second.bootstrap),
        only_first=first.only_first + second.only_second,
        only_second=first.only_second + second.only_first,
        p=min(1.0, 2 * spread.p(abs(value) * scale)) if known else 1.0,
        detectable=min(1.0, float(np.hypot(first.detectable, second.detectable))),
        error=min(1.0, spread.error),
        df=df,
        seeds=min(first.seeds, second.seeds),
        seed_error=None if first.seed_error is None else spread.seed_error,
        seed_df=seed_df,
        seeds_differ=first.seeds_differ or second.seeds_differ,
        few_clusters=first.few_clusters or second.few_clusters,
    )
