"""Exact tests of no difference: McNemar's over items and the permutation test over clusters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from medctx_eval.stats.clusters import FloatArray

MAX_ENUMERATED = 14
"""Clusters up to which all choices of signs are enumerated where totals are not whole numbers."""
MIN_SIGN_DRAWS = 5_000
"""Least number of random choices of signs; fewer make P values near 5 % too uncertain."""
MAX_MULTIPLICATIONS = 20_000_000
"""Work up to which the exact distribution of a permutation test is computed; beyond it is sampled."""


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided P value of McNemar's test from the two discordant counts (1 if both are 0)."""
    total = only_first + only_second
    return min(1.0, 2 * float(special.bdtr(min(only_first, only_second), total, 0.5))) if total else 1.0


class PermutationTest(NamedTuple):
    """Two-sided P values of one comparison: ``exact``, and ``mid``, which counts outcomes as likely as the observed one
    by half.
    """

    exact: float
    mid: float


def _two_sided(beyond: float, equal: float) -> PermutationTest:
    """From the probabilities of sums farther from 0 than the observed one, and equally far."""
    return PermutationTest(exact=float(np.clip(beyond + equal, 0, 1)), mid=float(np.clip(beyond + equal / 2, 0, 1)))


def _convolve(first: FloatArray, second: FloatArray) -> FloatArray:
    # scipy.signal imports scipy.stats: half a second that most reports do not need.
    from scipy import signal

    result: FloatArray = signal.convolve(first, second)
    return result


def _computed(totals: FloatArray) -> PermutationTest:
    """Use the distribution of the sum of ``totals`` under all choices of signs, by convolution over absolute values."""
    sizes, counts = np.unique(np.abs(totals[totals != 0]).astype(np.int64), return_counts=True)
    # chance[k] = P(sum of the totals with positive sign = k)
    chance: FloatArray = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        spread = np.zeros(size * count + 1)
        places = np.arange(count + 1)
        spread[::size] = np.exp(
            special.gammaln(count + 1)
            - special.gammaln(places + 1)
            - special.gammaln(count - places + 1)
            - count * np.log(2)
        )
        chance = _convolve(chance, spread) if len(chance) > 1 else spread
    reach = np.abs(2 * np.arange(len(chance)) - (len(chance) - 1))
    observed = abs(round(float(totals.sum())))
    return _two_sided(float(chance[reach > observed].sum()), float(chance[reach == observed].sum()))


def _enumerated(totals: FloatArray) -> PermutationTest:
    """Use the sums of ``totals`` under all choices of signs."""
    sums = np.zeros(1)
    for size in np.abs(totals[np.abs(totals) > 1e-9]):
        sums = np.concatenate([sums - size, sums + size])
    beyond = np.abs(sums) - abs(totals.sum())
    equal = np.abs(beyond) <= 1e-6
    return _two_sided(float((beyond[~equal] > 0).sum() / len(sums)), float(equal.mean()))


def _sampled(totals: FloatArray, draws: int, seed: int) -> PermutationTest:
    """Use random signs, counting the observed sum among them; totals of one size are drawn together."""
    draws = max(draws, MIN_SIGN_DRAWS)
    # Equal shares may differ in their last bits.
    sizes, counts = np.unique(np.abs(totals).round(9), return_counts=True)
    positive = np.random.default_rng(seed).binomial(counts, 0.5, size=(draws, len(counts)))
    beyond = np.abs((2 * positive - counts) @ sizes) - abs(totals.sum())
    equal = int((np.abs(beyond) <= 1e-6).sum())
    return _two_sided(float((beyond > 1e-6).sum() / (draws + 1)), (1 + equal) / (draws + 1))


def _is_small(totals: FloatArray) -> bool:
    reach = np.abs(totals)
    return bool((totals == np.rint(totals)).all()) and len(np.unique(reach)) * reach.sum() <= MAX_MULTIPLICATIONS


def permutation_tests(totals: FloatArray, *, draws: int = 10_000, seed: int = 0) -> list[PermutationTest]:
    """Test each comparison by exchanging the two models' labels cluster by cluster.

    Under the null hypothesis each cluster total is as likely with either sign; with one item per cluster this is
    McNemar's exact test. Randomisation argument for matched pairs: Fisher (1935), The Design of Experiments, section
    21. The mid-p rejects at its nominal rate, the exact P value less often: Fagerland, Lydersen and Laake (2013), BMC
    Medical Research Methodology 13:91.

    Args:
        totals: Per comparison and cluster, the correct answers of the first model minus those of the second, (P, G).
        draws: Random sign choices for totals that are not whole numbers, or too many to compute exactly.
        seed: Seed of these draws.

    Returns:
        One result per comparison; P values of 1 where the two models have the same total.
    """

    def test(row: FloatArray) -> PermutationTest:
        if abs(row.sum()) < 1e-9:
            return PermutationTest(1.0, 1.0)
        if _is_small(row):
            return _computed(row)
        return _enumerated(row) if len(row) <= MAX_ENUMERATED else _sampled(row, draws, seed)

    return [test(row) for row in totals]
