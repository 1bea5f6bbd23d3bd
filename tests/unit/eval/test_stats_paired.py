"""Paired differences: exact tests against tables, intervals against each other."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from bench.support.stats_simulate import paired_exam, seeded_exam
from medctx.schemas.statistics import Difference
from medctx_eval.stats import difference, differences, mcnemar, permutation_tests
from medctx_eval.stats.bootstrap import _means_by_cluster, _means_by_kind
from medctx_eval.stats.clusters import clusters_of, stratified
from medctx_eval.stats.seeds import Spread, seed_variances
from medctx_eval.stats.tango import score_intervals

answers = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 8)), min_size=2, max_size=50)


def swap_test(totals: list[float]) -> float:
    return permutation_tests(np.array([totals], dtype=np.float64))[0].exact


@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"),
    # Two-sided binomial tails at one half, by hand: 2 * sum of C(n, k) / 2^n.
    [(0, 0, 1.0), (5, 0, 2 / 32), (1, 5, 14 / 64), (8, 1, 20 / 512), (3, 3, 1.0), (0, 10, 2 / 1024)],
)
def test_mcnemar_is_exact(only_first: int, only_second: int, expected: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(expected)


@given(st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=40, deadline=None)
def test_swapping_items_alone_is_mcnemar(only_first: int, only_second: int) -> None:
    assert swap_test([1] * only_first + [-1] * only_second + [0] * 5) == pytest.approx(mcnemar(only_first, only_second))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
@settings(max_examples=40, deadline=None)
def test_swap_test_counts_every_swap(totals: list[int]) -> None:
    observed = abs(sum(totals))
    sums = [abs(sum(sign * total for sign, total in zip(signs, totals, strict=True)))
            for signs in product((1, -1), repeat=len(totals))]  # fmt: skip
    expected = np.mean([entry >= observed for entry in sums])
    assert swap_test([float(total) for total in totals]) == pytest.approx(expected)


def test_drawn_swaps_agree_with_all_swaps() -> None:
    totals = [0.5, 1.25, -0.75, 2.0, 1.5, -0.25, 1.0, 0.75]
    exact = swap_test([4 * total for total in totals])
    assert exact == pytest.approx(18 / 256)
    assert swap_test(totals) == pytest.approx(exact)  # few clusters are enumerated
    more = [*totals, *[0.25] * 8]
    exact = swap_test([4 * entry for entry in more])
    # Four standard errors of 10,000 swaps.
    assert swap_test(more) == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 10_000) ** 0.5)


@given(answers, st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_of_items_does_not_matter(rows: list[tuple[bool, bool, int]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    results = [
        difference(
            np.array([first for first, _, _ in order]),
            np.array([second for _, second, _ in order]),
            [str(cluster) for _, _, cluster in order],
            draws=200,
            seed=3,
        )
        for order in (rows, shuffled)
    ]
    assert results[0] == results[1]
    assert results[0].low <= results[0].value <= results[0].high


@given(answers)
@settings(max_examples=40, deadline=None)
def test_exchanging_the_models_turns_the_sign(rows: list[tuple[bool, bool, int]]) -> None:
    first, second = np.array([a for a, _, _ in rows]), np.array([b for _, b, _ in rows])
    clusters = [str(cluster) for _, _, cluster in rows]
    entry, other = differences(np.stack([first, second]), clusters, [(0, 1), (1, 0)], draws=100)
    assert entry.value == -other.value
    assert (entry.low, entry.high) == pytest.approx((-other.high, -other.low), abs=1e-6)
    assert entry.only_first == other.only_second
    assert entry.p_permutation == pytest.approx(other.p_permutation)
    assert entry.value == pytest.approx(first.mean() - second.mean())


def test_a_comparison_is_the_same_whatever_stands_beside_it() -> None:
    rng = np.random.default_rng(8)
    correct = rng.random((6, 200)) < 0.5
    clusters = np.arange(200) // 4
    together = differences(correct, clusters, [(a, b) for a in range(6) for b in range(a)], draws=500)
    assert together[4] == differences(correct[[3, 1]], clusters, [(0, 1)], draws=500)[0]
    assert differences(correct, clusters, []) == []


def test_models_that_never_differ_tie_but_not_beyond_doubt() -> None:
    right = np.array([True, False] * 10)
    result = difference(right, right, [str(place) for place in range(20)])
    assert result.outcome() == "not told apart"
    assert result.low < -0.1
    assert result.p == 1
    assert not result.not_worse(0.05)


def test_words_and_margin_read_the_shown_interval() -> None:
    rng = np.random.default_rng(5)
    exam = paired_exam(rng, 300, 0.1, accuracy=0.4, gain=0.15, churn=0.3)
    gain, loss = differences(exam.correct, exam.clusters, [(0, 1), (1, 0)])
    assert (gain.outcome(), loss.outcome()) == ("gains", "loses")
    assert gain.not_worse(0.05)
    assert not loss.not_worse(0.05)
    assert loss.not_worse(-loss.low + 1e-9)


def test_four_items_of_eighty_are_no_gain() -> None:
    """McNemar's and the swap test's p is 2 / 2^4, the mid-p 1 / 2^4; the bootstrap alone would exclude 0."""
    first = np.arange(80) % 20 == 0
    result = difference(first, np.zeros(80, dtype=bool), np.arange(80) // 4)
    assert result.p_permutation == result.p_mcnemar == 0.125
    assert result.p == 0.0625
    assert (result.low, result.outcome()) == (0, "not told apart")
    fifth = difference(np.arange(80) % 16 == 0, np.zeros(80, dtype=bool), np.arange(80) // 4)
    assert fifth.p == pytest.approx(2 / 64)
    assert fifth.outcome() == "gains"


@given(answers)
@settings(max_examples=60, deadline=None)
def test_the_interval_excludes_nothing_else_than_its_p_does(rows: list[tuple[bool, bool, int]]) -> None:
    first, second = np.array([a for a, _, _ in rows]), np.array([b for _, b, _ in rows])
    result = difference(first, second, np.arange(len(rows)), draws=100)
    assert result.p <= result.p_permutation
    assert (result.low > 0 or result.high < 0) == (result.p <= 0.05)
    assert result.low <= result.value <= result.high


def _score(gained: int, lost: int, items: int, difference: float) -> float:
    """Tango's statistic by its definition: the likelihood under the hypothesis is maximised by search."""

    def unlikely(second: float) -> float:
        counts = np.array([gained, lost, items - gained - lost])
        chances = np.array([second + difference, second, 1 - 2 * second - difference])
        return -float((counts[counts > 0] * np.log(np.maximum(chances[counts > 0], 1e-300))).sum())

    bounds = max(0.0, -difference), (1 - difference) / 2
    second = optimize.minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    variance = 2 * second + difference * (1 - difference)
    return float((gained - lost - items * difference) / np.sqrt(items * variance))


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (9, 3), (10, 0), (40, 30), (99, 1)])
def test_of_single_items_the_ends_are_where_tangos_statistic_is_1_96(gained: int, lost: int) -> None:
    by_item = np.array([[1.0] * gained + [-1.0] * lost + [0.0] * (100 - gained - lost)])
    binomial = (gained + lost) / 100 - ((gained - lost) / 100) ** 2
    # An error that makes the effective size 100 after the correction for few clusters.
    error = (binomial / 100) ** 0.5 * stats.norm.ppf(0.975) / stats.t.ppf(0.975, 99)
    low, high = score_intervals(
        by_item, np.array([error]), np.array([99.0]), stratified(clusters_of(np.arange(100))), 0.95
    )
    assert _score(gained, lost, 100, float(low[0])) == pytest.approx(1.96, abs=0.001)
    assert _score(gained, lost, 100, float(high[0])) == pytest.approx(-1.96, abs=0.001)


def test_of_models_that_agree_the_score_interval_is_wilsons_at_nothing_seen() -> None:
    low, high = score_intervals(
        np.zeros((1, 100)), np.zeros(1), np.array([99.0]), stratified(clusters_of(np.arange(100))), 0.95
    )
    squared = stats.norm.ppf(0.975) ** 2
    assert (low[0], high[0]) == pytest.approx((-squared / (100 + squared), squared / (100 + squared)))


def test_drawing_kinds_of_clusters_is_drawing_clusters() -> None:
    rng = np.random.default_rng(10)
    clusters = clusters_of(np.arange(600) // 2)
    totals = clusters.totals(rng.choice([-1.0, 0, 1], p=[0.1, 0.6, 0.3], size=(1, 600)))
    by_kind, by_cluster = (
        _means_by_kind(totals[0], clusters, 20_000, 1),
        _means_by_cluster(totals[:, :, None], stratified(clusters), 20_000, 1)[:, 0],
    )
    assert by_kind is not None
    assert by_kind.mean() == pytest.approx(by_cluster.mean(), abs=0.001)
    for tail in (0.025, 0.975):
        # Five standard errors of a quantile of 20,000 draws.
        assert np.quantile(by_kind, tail) == pytest.approx(np.quantile(by_cluster, tail), abs=0.1 * by_kind.std())
    assert _means_by_kind(rng.random(300), clusters, 10, 1) is None


def test_few_clusters_prove_nothing() -> None:
    alone = difference(np.array([True] * 9), np.array([False] * 9), ["a"] * 9)
    assert (alone.low, alone.high, alone.detectable, alone.p) == (-1, 1, 1, 1)
    assert alone.outcome() == "not told apart"
    nine = difference(np.array([True] * 90), np.array([False] * 90), [str(place // 10) for place in range(90)])
    assert nine.low > 0.5
    assert nine.outcome() == "not told apart"
    assert not nine.not_worse(0.05)


def test_robust_error_of_single_items_is_the_textbook_one() -> None:
    values = np.array([1, 0, 1, 1, 0, 0, 1, 1])
    error = stratified(clusters_of([str(place) for place in range(8)])).errors(values[None])[0]
    assert error == pytest.approx(values.std(ddof=1) / 8**0.5)


def test_orders_of_options_do_not_make_more_items() -> None:
    """Four orders of one answer say what one order says; four that disagree say less about each item."""
    rng = np.random.default_rng(9)
    correct = (rng.random((2, 120)) < [[0.7], [0.5]]).astype(np.float64)
    clusters = np.arange(120) // 2
    (once,) = differences(correct, clusters, [(0, 1)], draws=500)
    (halved,) = differences(0.25 + correct / 2, clusters, [(0, 1)], draws=500)
    assert (once.n, once.clusters) == (120, 60)
    assert halved.value == pytest.approx(once.value / 2)
    assert halved.high - halved.low == pytest.approx((once.high - once.low) / 2, rel=0.05)
    assert (halved.only_first, halved.only_second) == (once.only_first, once.only_second)


def _seeded(deviation: float, seed: int = 21, draws: int = 2000) -> tuple[Difference, Difference]:
    """Three seeds against base: with the seeds' variance, and as if the runs were the whole truth."""
    exam = seeded_exam(
        np.random.default_rng(seed), 250, 0.1, accuracies=(0.5, 0.55, 0.55), seeds=3, seed_deviation=deviation
    )
    cells = [((1, 2, 3), 0), ((4, 5, 6), 0)]
    whole = np.stack([exam.correct[1:4].mean(axis=0), exam.correct[0]])
    return (
        differences(exam.correct, exam.clusters, cells, untrained=[0], draws=draws)[0],
        differences(whole, exam.clusters, [(0, 1)], draws=draws)[0],
    )


def test_seeds_widen_the_interval_by_what_they_vary() -> None:
    calm, runs_alone = _seeded(0.0)
    assert (calm.seeds, runs_alone.seeds) == (3, 1)
    assert runs_alone.seed_error is None
    assert calm.seed_error is not None
    assert calm.high - calm.low < 2 * (runs_alone.high - runs_alone.low)
    wild, runs_alone = _seeded(0.08)
    assert wild.value == pytest.approx(runs_alone.value)
    assert wild.seed_error == pytest.approx(0.08 / 3**0.5, rel=0.6)
    assert wild.high - wild.low > 2 * (runs_alone.high - runs_alone.low)
    assert wild.detectable > 2 * runs_alone.detectable
    assert wild.p > runs_alone.p


def test_p_with_seeds_and_the_interval_tell_the_same() -> None:
    for seed in range(20):
        result, _ = _seeded(0.03, seed, draws=500)
        assert (result.p <= 0.05) == (result.low > 0 or result.high < 0)
        assert result.excludes_zero == (result.p <= 0.05 and not result.seeds_differ)


def test_one_trained_run_borrows_the_variance_of_seeds_of_other_cells() -> None:
    exam = seeded_exam(np.random.default_rng(2), 100, 0.1, accuracies=(0.5, 0.55, 0.55), seeds=3, seed_deviation=0.08)
    several, alone = differences(exam.correct, exam.clusters, [((1, 2, 3), 0), (4, 0)], untrained=[0])
    assert (several.seeds, alone.seeds) == (3, 1)
    assert several.seed_error is not None
    assert alone.seed_error == pytest.approx(several.seed_error * 3**0.5)
    (nothing,) = differences(exam.correct, exam.clusters, [(4, 0)], untrained=[0])
    assert nothing.seed_error is None


def test_seed_variance_is_not_that_of_items() -> None:
    """Averaged over 200 exams the component is the square of the deviation put in, and near nothing without one."""
    results = {}
    for deviation in (0.0, 0.05):
        rng = np.random.default_rng(6)
        values = []
        for _ in range(200):
            exam = seeded_exam(rng, 60, 0.1, accuracies=(0.5, 0.5), seeds=3, seed_deviation=deviation)
            clusters = clusters_of(exam.clusters)
            values.append(seed_variances(exam.correct, stratified(clusters), [(1, 2, 3)]).pooled.value)
        results[deviation] = np.mean(values)
    assert results[0.0] < 0.02**2
    assert results[0.05] == pytest.approx(0.05**2, rel=0.3)


@given(st.floats(0.001, 0.3), st.floats(0, 0.2), st.integers(1, 100), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_p_is_the_tail_at_which_the_interval_ends(error: float, seed_error: float, df: int, seed_df: int) -> None:
    spread = Spread(error, df, seed_error, seed_df)
    half_width = spread.half_width(0.975)
    assert half_width >= max(spread.items_half_width(0.975), spread.seeds_half_width(0.975))
    assert spread.p(half_width) == pytest.approx(0.025, abs=1e-6)
    assert spread.p(-half_width) == pytest.approx(0.975, abs=1e-6)
    assert spread.p(0.0) == 0.5


def test_unpaired_values_and_cells_without_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        difference(np.ones(3), np.ones(4), ["a", "b", "c"])
    with pytest.raises(ValueError, match="different runs"):
        differences(np.ones((2, 3)), ["a", "b", "c"], [((0, 0), 1)])
