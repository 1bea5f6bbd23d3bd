"""Differences between models that answered the same items.

Shapes: R runs, N items, P pairs of cells, G clusters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy import special

from medctx.schemas.statistics import FEW_CLUSTERS, LEVEL, Difference
from medctx_eval.stats.bootstrap import percentile_intervals, resampled_means
from medctx_eval.stats.clusters import FloatArray, Labels, StratifiedClusters, Values, as_rows, clusters_of, stratified
from medctx_eval.stats.exact import PermutationTest, mcnemar, permutation_tests
from medctx_eval.stats.seeds import CellRuns, SeedVariances, Spread, combined_df, runs_of, seed_variances, seed_weight
from medctx_eval.stats.tango import score_intervals

Pair = tuple[CellRuns, CellRuns]
Ends = tuple[float, float]
"""Lower and upper end of an interval."""
POWER = 0.8


def holm(values: Sequence[float]) -> list[float]:
    """Holm-adjusted P values in the order of ``values``. Holm (1979), Scand. J. Statistics 6:65-70.

    Equal to ``statsmodels.stats.multitest.multipletests``, each call of which runs a full garbage collection: a report
    with a hundred comparisons waited seconds for that.
    """
    plain = np.asarray(values, dtype=float)
    order = np.argsort(plain, kind="stable")
    adjusted = np.empty_like(plain)
    adjusted[order] = np.minimum(np.maximum.accumulate(plain[order] * np.arange(len(plain), 0, -1)), 1.0)
    return [float(value) for value in adjusted]


def minimum_half_width(items: float, level: float) -> float:
    """Smallest half-width of an interval over N items.

    Models that agree on all of them may still differ on a share 1 - (alpha / 2)^(1 / N) of others (Clopper and Pearson
    1934, Biometrika 26:404-413, at zero events).
    """
    return float(1 - ((1 - level) / 2) ** (1 / items))


def _combined(value: float, score: Ends, bootstrap: Ends, spread: Spread, clusters: int, level: float) -> Ends:
    """The score interval widened by the variance of seeds, and from ``FEW_CLUSTERS`` clusters at least as wide as the
    bootstrap's.

    The bootstrap protects against clusters of very unequal sizes; it needs many clusters.
    """
    seeds = spread.seeds_half_width((1 + level) / 2)
    ends = [score, bootstrap] if clusters >= FEW_CLUSTERS else [score]
    below, above = max(value - low for low, _ in ends), max(high - value for _, high in ends)
    return max(-1.0, value - float(np.hypot(below, seeds))), min(1.0, value + float(np.hypot(above, seeds)))


def _consistent(value: float, ends: Ends, p: float, items: int, level: float) -> Ends:
    """Ends that include 0 exactly where ``p`` does not reject it.

    The permutation test needs no variance, so it decides. An end on the wrong side of 0 is moved to 0; to exclude 0 an
    end is moved by half an item.
    """
    low, high = ends
    if p > 1 - level:
        return min(low, 0.0), max(high, 0.0)
    half = min(abs(value), 0.5 / items)
    return (max(low, half), high) if value > 0 else (low, min(high, -half))


def _fewest_seeds(pair: Pair, untrained: Collection[int]) -> int:
    """Runs of the trained side that has fewest."""
    sides = [runs_of(side) for side in pair]
    trained = [len(side) for side in sides if not all(row in untrained for row in side)]
    return min(trained, default=1)


def spread_of(difference: Difference) -> Spread:
    """The standard errors of a difference with their degrees of freedom."""
    return Spread(difference.error, difference.df, difference.seed_error or 0.0, difference.seed_df)


def _spread(
    error: float,
    df: float,
    items: float,
    pair: Pair,
    variances: SeedVariances,
    untrained: Collection[int],
    level: float,
) -> Spread:
    """Standard errors of a pair; that of ``items`` is at least what gives the minimum half-width."""
    if df:
        error = max(error, minimum_half_width(items, level) / float(special.stdtrit(df, (1 + level) / 2)))
    parts = [(variances.of(side).value * seed_weight(side, untrained), variances.of(side).df) for side in pair]
    if not variances.differ:
        seed_df = variances.pooled.df
    else:
        seed_df = combined_df([part for part, side in zip(parts, pair, strict=True) if seed_weight(side, untrained)])
    return Spread(error, df, float(np.sqrt(sum(value for value, _ in parts))), seed_df)


def _p(value: float, permutation: PermutationTest, spread: Spread) -> float:
    """The mid-p; where seeds were repeated at least the P value of the t test that includes their variance."""
    return max(permutation.mid, min(1.0, 2 * spread.p(abs(value)))) if spread.seed_df else permutation.mid


def _difference(
    by_item: FloatArray,
    score: Ends,
    bootstrap: Ends,
    spread: Spread,
    estimand: StratifiedClusters,
    permutation: PermutationTest,
    seeds: int,
    seeds_differ: bool,
    level: float,
) -> Difference:
    clusters, value = estimand.clusters, estimand.mean(by_item)
    only_first, only_second = int((by_item > 0).sum()), int((by_item < 0).sum())
    known = estimand.estimable
    low, high, p = -1.0, 1.0, 1.0
    if known:
        p = _p(value, permutation, spread)
        floor = minimum_half_width(estimand.effective_items, level)
        score = min(score[0], value - floor), max(score[1], value + floor)
        ends = _combined(value, score, bootstrap, spread, clusters.count, level)
        low, high = _consistent(value, ends, p, clusters.items, level)
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
        p_permutation=permutation.exact,
        detectable=min(1.0, spread.half_width((1 + level) / 2, POWER)) if known else 1.0,
        error=min(1.0, spread.error),
        df=spread.df,
        seeds=seeds,
        seed_error=spread.seed_error if spread.seed_df else None,
        seed_df=spread.seed_df,
        seeds_differ=seeds_differ,
        few_clusters=clusters.count < FEW_CLUSTERS,
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
    strata: Labels | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[Difference]:
    """Compare the two cells of each pair item by item.

    The interval is the score interval of ``tango``, from 30 clusters at least as wide as that of
    ``bootstrap``, combined with the variance of seeds as described in
    ``Spread``. It has a minimum width and includes 0 exactly where ``p`` does not reject
    it. Standard errors and degrees of freedom are those of ``StratifiedClusters``.
    ``detectable`` is (t(1 - alpha / 2) + t(power)) standard errors: Bloom (1995), Evaluation Review 19:547-556.

    Args:
        correct: Values in [0, 1] per run and item, shape (R, N).
        clusters: Cluster label of each item, length N.
        pairs: The two cells of each comparison; a cell is a row, or a tuple of the rows of its training seeds.
        draws: Bootstrap resamples.
        seed: Seed of the bootstrap.
        untrained: Rows of models without a training seed, such as the base.
        level: Confidence level.
        strata: Label of each item's stratum (such as its condition); the difference is then the weighted mean of the
            strata's mean differences. None weighs all items alike. A stratum in one cluster makes the interval
            [-1, 1].
        weights: Weight of each stratum; None weighs them alike.

    Returns:
        One difference per pair.
    """
    grouping = clusters_of(clusters)
    rows = as_rows(correct, grouping)
    if not pairs:
        return []
    estimand = stratified(grouping, strata, weights)
    by_item = np.array([rows[list(runs_of(a))].mean(axis=0) - rows[list(runs_of(b))].mean(axis=0) for a, b in pairs])
    totals, errors = estimand.totals(by_item), estimand.errors(by_item)
    df = np.array([estimand.df(icc) for icc in estimand.iccs(by_item).tolist()])
    variances = seed_variances(rows, estimand, [side for pair in pairs for side in pair])
    zeros = np.zeros(len(pairs))
    score = bootstrap = zeros, zeros
    if estimand.estimable:
        score = score_intervals(by_item, errors, df, estimand, level)
        resampled = resampled_means(estimand.sums(by_item), estimand, draws, seed)
        bootstrap = percentile_intervals(resampled, grouping.count, level)
    return [
        _difference(
            by_item[place],
            (float(score[0][place]), float(score[1][place])),
            (float(bootstrap[0][place]), float(bootstrap[1][place])),
            _spread(error, float(df[place]), estimand.effective_items, pair, variances, untrained, level),
            estimand,
            permutation,
            _fewest_seeds(pair, untrained),
            variances.differ and any(seed_weight(side, untrained) for side in pair),
            level,
        )
        for place, (pair, error, permutation) in enumerate(
            zip(pairs, errors.tolist(), permutation_tests(totals, draws=draws, seed=seed), strict=True)
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
    """``differences`` of one pair of runs, ``first`` and ``second``, both of shape (N,)."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values cannot be paired")
    both = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    return differences(both, clusters, [(0, 1)], draws=draws, seed=seed, level=level)[0]
