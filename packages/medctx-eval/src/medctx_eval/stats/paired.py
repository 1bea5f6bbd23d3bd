"""The difference between models that answered the same items."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from scipy import special

from medctx.schemas.report import LEVEL, Difference
from medctx_eval.stats.bootstrap import intervals, resampled_means
from medctx_eval.stats.clusters import FEW, Clusters, FloatArray, Labels, Values, as_rows, clusters_of
from medctx_eval.stats.ends import Ends, agreeing, joined, least
from medctx_eval.stats.exact import SwapTest, mcnemar, swap_tests
from medctx_eval.stats.seeds import Rows, SeedVariance, Spread, rows_of, seed_variance, share_of_seeds
from medctx_eval.stats.tango import score_intervals

Pair = tuple[Rows, Rows]

POWER = 0.8


def _seeds_of(pair: Pair, untrained: Collection[int]) -> int:
    """Runs of the trained side that has fewest."""
    sides = [rows_of(side) for side in pair]
    trained = [len(side) for side in sides if not all(row in untrained for row in side)]
    return min(trained, default=1)


def _spread(
    error: float, clusters: Clusters, pair: Pair, between: SeedVariance, untrained: Collection[int], level: float
) -> Spread:
    """Standard errors of a pair; that of items is such that no interval is narrower than its least width."""
    df = clusters.count - 1
    if df:
        error = max(error, least(clusters.items, level) / float(special.stdtrit(df, (1 + level) / 2)))
    shares = sum(share_of_seeds(side, untrained) for side in pair)
    return Spread(error, df, float(np.sqrt(between.value * shares)), between.df)


def _p(value: float, swap: SwapTest, spread: Spread) -> float:
    """Where seeds were repeated, the larger p of swapping names and of the t test that counts their variance."""
    return max(swap.mid, min(1.0, 2 * spread.p(abs(value)))) if spread.seed_df else swap.mid


def _difference(
    by_item: FloatArray,
    score: Ends,
    bootstrap: Ends,
    spread: Spread,
    clusters: Clusters,
    swap: SwapTest,
    seeds: int,
    level: float,
) -> Difference:
    value = float(by_item.mean())
    only_first, only_second = int((by_item > 0).sum()), int((by_item < 0).sum())
    known = clusters.count > 1
    low, high, p = -1.0, 1.0, 1.0
    if known:
        p = _p(value, swap, spread)
        floor = least(clusters.items, level)
        score = min(score[0], value - floor), max(score[1], value + floor)
        low, high = agreeing(value, joined(value, score, bootstrap, spread, level), p, clusters.items, level)
    return Difference(
        n=clusters.items,
        clusters=clusters.count,
        value=value,
        low=low,
        high=high,
        bootstrap=bootstrap if known else (-1.0, 1.0),
        only_first=only_first,
        only_second=only_second,
        p=p,
        p_mcnemar=mcnemar(only_first, only_second),
        p_swap=swap.exact,
        detectable=min(1.0, spread.reach((1 + level) / 2, POWER)) if known else 1.0,
        error=min(1.0, spread.error),
        seeds=seeds,
        seed_error=spread.seed_error if spread.seed_df else None,
        seed_df=spread.seed_df,
        few_clusters=clusters.count < FEW,
    )


def differences(
    correct: Values,
    clusters: Labels,
    pairs: Sequence[Pair],
    *,
    draws: int = 10_000,
    seed: int = 0,
    untrained: Collection[int] = (),
    level: float = LEVEL,
) -> list[Difference]:
    """Compare the two cells of every pair item by item, all on one resampling of ``clusters`` (N labels).

    ``correct`` (R, N) holds a row per run, values in [0, 1]; a cell is a row, or a tuple of the rows of its training
    seeds; ``untrained`` names rows without a seed (the base). The interval is that of
    :mod:`~medctx_eval.stats.tango`, from 30 clusters on not shorter than that of
    :mod:`~medctx_eval.stats.bootstrap`; it is joined with the variance of seeds as
    :class:`~medctx_eval.stats.seeds.Spread` says, has a least width, and holds 0 exactly where ``p`` does not reject
    it. ``detectable`` is (t(1 - alpha / 2) + t(power)) standard errors with G - 1 degrees of freedom: Bloom (1995),
    Evaluation Review 19:547-556.
    """
    known = clusters_of(clusters)
    rows = as_rows(correct, known)
    if not pairs:
        return []
    by_item = np.array([rows[list(rows_of(a))].mean(axis=0) - rows[list(rows_of(b))].mean(axis=0) for a, b in pairs])
    totals = known.totals(by_item)
    between = seed_variance(known.totals(rows), known, [side for pair in pairs for side in pair])
    errors = known.errors(totals)
    nothing = np.zeros(len(pairs))
    score = bootstrap = nothing, nothing
    if known.count > 1:
        score = score_intervals(by_item, errors, known, level)
        bootstrap = intervals(resampled_means(totals, known, draws, seed), known.count, level)
    return [
        _difference(
            by_item[place],
            (float(score[0][place]), float(score[1][place])),
            (float(bootstrap[0][place]), float(bootstrap[1][place])),
            _spread(error, known, pair, between, untrained, level),
            known,
            swap,
            _seeds_of(pair, untrained),
            level,
        )
        for place, (pair, error, swap) in enumerate(
            zip(pairs, errors.tolist(), swap_tests(totals, draws=draws, seed=seed), strict=True)
        )
    ]


def difference(
    first: Values,
    second: Values,
    clusters: Labels,
    *,
    draws: int = 10_000,
    seed: int = 0,
    level: float = LEVEL,
) -> Difference:
    """:func:`differences` of one pair of runs: ``first`` and ``second`` (both (N,))."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values cannot be paired")
    both = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    return differences(both, clusters, [(0, 1)], draws=draws, seed=seed, level=level)[0]
